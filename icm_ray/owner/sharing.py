"""An owner that is no party: brings inputs and receives results, and computes nothing on shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import AddressReused, Desynchronised, ProgramError
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.seams import Address, Frame, Link
from icm_ray.program.begin import read_begin
from icm_ray.program.keys import key_for
from icm_ray.program.program import Program
from icm_ray.protocols.edges import array_shape, combine, owner_share, receiver_of

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
        begin = read_begin(self._dealer.receive_message())
        if (begin.job, begin.program, begin.partition) != (job, program.digest, partition):
            raise Desynchronised("the dealer deals for another run", party="dealer", partition=partition, step="begin")
        if begin.attempt <= self._last_attempt:
            raise AddressReused(f"attempt {begin.attempt} was used before", party="dealer", partition=partition)
        self._last_attempt = begin.attempt
        address = Address(job, begin.program, partition, begin.attempt)
        keys = {name: key_for(secret, "pair", address) for name, secret in self._secrets.items()}
        starts, results = self._rounds(program), {}
        for index in sorted(range(len(program.nodes)), key=lambda node: (starts[node], node)):
            op, frame = program.nodes[index].op, Frame(address, starts[index])
            if isinstance(op, Input) and op.owner == self.me:
                if op.name not in inputs:
                    raise ProgramError(f"{self.me} has no input {op.name}")
                taker = receiver_of(index, program.parties)
                others = [keys[name] for name in program.parties if name != taker]
                self._links[taker].send(frame, (owner_share(inputs[op.name], others, index, types[index]),))
            elif isinstance(op, Reveal) and op.to == self.me:
                parts = {name: np.empty(array_shape(types[index]), np.uint64) for name in program.parties}
                for name, part in parts.items():
                    self._links[name].receive(frame, (part,))
                total, *rest = parts.values()
                for part in rest:
                    total = combine(types[index], total, part)
                results[op.name] = total
        return results

    @staticmethod
    def _rounds(program: Program) -> list[int]:
        """The round in which every operation begins: as the parties play it."""
        ends, starts = [0] * len(program.nodes), []
        for index, (node, cost) in enumerate(zip(program.nodes, program.costs(), strict=True)):
            start = max((ends[source] for source in node.inputs), default=0)
            starts.append(start)
            ends[index] = start + cost.rounds
        return starts
