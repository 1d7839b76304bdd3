"""An owner that is no party: brings inputs and receives results, and computes nothing on shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from icm_ray.errors import AddressReused, Desynchronised, ProgramError
from icm_ray.ops.catalogue import Operation
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.seams import Address, Frame, Link
from icm_ray.profile import Part, spends
from icm_ray.program.keys import key_for
from icm_ray.program.run_header import read_begin
from icm_ray.program.stamped import Stamped
from icm_ray.protocols.io import array_shape, owner_share, receiver_of, reconstruct
from icm_ray.ring.array import RingArray
from icm_ray.ring.prg import Key
from icm_ray.schedule.plan import Plan

__all__ = ["OutsideOwner"]


class OutsideOwner:
    """links and secrets: one for each party; the dealer only announces addresses here."""

    def __init__(self, me: str, links: Mapping[str, Link], dealer: Link, secrets: Mapping[str, bytes]) -> None:
        self.me = me
        self._links, self._dealer, self._secrets = dict(links), dealer, dict(secrets)
        self._last_attempt = 0

    def run(self, stamped: Stamped, job: int, partition: int, inputs: Mapping[str, RingArray]) -> dict[str, RingArray]:
        """Share this owner's inputs and put together what is revealed to it."""
        plan = stamped.plan()
        for link in self._links.values():
            link.set_receive_limits(plan.frame, plan.frame)
        self._dealer.set_receive_limits(0, 0)  # it says where the run begins, and deals nothing here
        with spends(Part.DEALER):
            message = self._dealer.receive_message()
        begin = read_begin(message)
        if (begin.job, begin.program, begin.partition) != (job, stamped.digest, partition):
            raise Desynchronised("the dealer deals for another run", party="dealer", partition=partition, step="begin")
        if begin.attempt <= self._last_attempt:
            raise AddressReused(f"attempt {begin.attempt} was used before", party="dealer", partition=partition)
        self._last_attempt = begin.attempt
        address = Address(job, begin.program, partition, begin.attempt)
        keys = {name: key_for(secret, "pair", address) for name, secret in self._secrets.items()}
        results: dict[str, RingArray] = {}
        mine = [index for index, step in enumerate(plan.steps) if self._is_mine(step.op)]
        for start in sorted({plan.starts[index] for index in mine}):
            frame, here = Frame(address, start), [index for index in mine if plan.starts[index] == start]
            self._send(frame, plan, here, inputs, keys)
            self._receive(frame, plan, here, results)
        return results

    def _is_mine(self, op: Operation) -> bool:
        return (isinstance(op, Input) and op.owner == self.me) or (isinstance(op, Reveal) and op.to == self.me)

    def _send(
        self,
        frame: Frame,
        plan: Plan,
        steps: Sequence[int],
        inputs: Mapping[str, RingArray],
        keys: Mapping[str, Key],
    ) -> None:
        """To every party that takes inputs of this round one frame with all of them, as parties send theirs."""
        parts: dict[str, list[RingArray]] = {}
        for index in steps:
            op = plan.steps[index].op
            if not isinstance(op, Input):
                continue
            if op.name not in inputs:
                raise ProgramError(f"{self.me} has no input {op.name}")
            taker = receiver_of(index, plan.parties)
            others = [keys[name] for name in plan.parties if name != taker]
            share = owner_share(inputs[op.name], others, index, plan.steps[index].type)
            parts.setdefault(taker, []).append(np.ascontiguousarray(share))
        for taker, shares in parts.items():
            with spends(Part.WIRE):
                self._links[taker].send(frame, shares)

    def _receive(
        self,
        frame: Frame,
        plan: Plan,
        steps: Sequence[int],
        results: dict[str, RingArray],
    ) -> None:
        """From every party one frame with its shares of all that is revealed to this owner in this round."""
        reveals = [(index, op) for index in steps if isinstance(op := plan.steps[index].op, Reveal)]
        if not reveals:
            return
        parts = {
            name: [np.empty(array_shape(plan.steps[index].type), np.uint64) for index, _ in reveals]
            for name in plan.parties
        }
        for name, shares in parts.items():
            with spends(Part.PEERS):
                self._links[name].receive(frame, shares)
        for (index, op), (first, *rest) in zip(reveals, zip(*parts.values(), strict=True), strict=True):
            results[op.name] = first
            for share in rest:
                results[op.name] = reconstruct(plan.steps[index].type, results[op.name], share)
