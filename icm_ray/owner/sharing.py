"""An owner that is no party: brings inputs and receives results, and computes nothing on shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import AddressReused, Desynchronised, ProgramError
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.seams import Address, Frame, Link
from icm_ray.ops.values import ValueType
from icm_ray.program.begin import read_begin
from icm_ray.program.keys import key_for
from icm_ray.program.program import Operation, Program
from icm_ray.protocols.edges import array_shape, combine, owner_share, receiver_of
from icm_ray.ring.clock import Part, spends
from icm_ray.ring.prg import Key

__all__ = ["OutsideOwner"]

Ring = NDArray[np.uint64]


class OutsideOwner:
    """links and secrets: one for each party; the dealer only announces addresses here."""

    def __init__(self, me: str, links: Mapping[str, Link], dealer: Link, secrets: Mapping[str, bytes]) -> None:
        self.me = me
        self._links, self._dealer, self._secrets = dict(links), dealer, dict(secrets)
        self._last_attempt = 0

    def run(self, program: Program, job: int, partition: int, inputs: Mapping[str, Ring]) -> dict[str, Ring]:
        """Share this owner's inputs and put together what is revealed to it."""
        types = program.types()
        with spends(Part.DEALER):
            message = self._dealer.receive_message()
        begin = read_begin(message)
        if (begin.job, begin.program, begin.partition) != (job, program.digest, partition):
            raise Desynchronised("the dealer deals for another run", party="dealer", partition=partition, step="begin")
        if begin.attempt <= self._last_attempt:
            raise AddressReused(f"attempt {begin.attempt} was used before", party="dealer", partition=partition)
        self._last_attempt = begin.attempt
        address = Address(job, begin.program, partition, begin.attempt)
        keys = {name: key_for(secret, "pair", address) for name, secret in self._secrets.items()}
        starts = self._rounds(program)
        results: dict[str, Ring] = {}
        mine = [index for index, node in enumerate(program.nodes) if self._is_mine(node.op)]
        for step in sorted({starts[index] for index in mine}):
            frame, here = Frame(address, step), [index for index in mine if starts[index] == step]
            self._send(frame, program, types, here, inputs, keys)
            self._receive(frame, program, types, here, results)
        return results

    def _is_mine(self, op: Operation) -> bool:
        return (isinstance(op, Input) and op.owner == self.me) or (isinstance(op, Reveal) and op.to == self.me)

    def _send(
        self,
        frame: Frame,
        program: Program,
        types: Sequence[ValueType],
        nodes: Sequence[int],
        inputs: Mapping[str, Ring],
        keys: Mapping[str, Key],
    ) -> None:
        """To every party that takes inputs of this round one frame with all of them, as parties send theirs."""
        parts: dict[str, list[Ring]] = {}
        for index in nodes:
            op = program.nodes[index].op
            if not isinstance(op, Input):
                continue
            if op.name not in inputs:
                raise ProgramError(f"{self.me} has no input {op.name}")
            taker = receiver_of(index, program.parties)
            others = [keys[name] for name in program.parties if name != taker]
            share = owner_share(inputs[op.name], others, index, types[index])
            parts.setdefault(taker, []).append(np.ascontiguousarray(share))
        for taker, shares in parts.items():
            with spends(Part.WIRE):
                self._links[taker].send(frame, shares)

    def _receive(
        self,
        frame: Frame,
        program: Program,
        types: Sequence[ValueType],
        nodes: Sequence[int],
        results: dict[str, Ring],
    ) -> None:
        """From every party one frame with its shares of all that is revealed to this owner in this round."""
        reveals = [(index, op) for index in nodes if isinstance(op := program.nodes[index].op, Reveal)]
        if not reveals:
            return
        parts = {
            name: [np.empty(array_shape(types[index]), np.uint64) for index, _ in reveals] for name in program.parties
        }
        for name, shares in parts.items():
            with spends(Part.PEERS):
                self._links[name].receive(frame, shares)
        for (index, op), (first, *rest) in zip(reveals, zip(*parts.values(), strict=True), strict=True):
            results[op.name] = first
            for share in rest:
                results[op.name] = combine(types[index], results[op.name], share)

    @staticmethod
    def _rounds(program: Program) -> list[int]:
        """The round in which every operation begins: as the parties play it."""
        ends, starts = [0] * len(program.nodes), []
        for index, (node, cost) in enumerate(zip(program.nodes, program.costs(), strict=True)):
            start = max((ends[source] for source in node.inputs), default=0)
            starts.append(start)
            ends[index] = start + cost.rounds
        return starts
