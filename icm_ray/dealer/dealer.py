"""The dealer of a lane: walks the same program as the parties, ahead of them, and hears nothing of what they do."""

from __future__ import annotations

import msgspec

from icm_ray.dealer.dealing import OperationDealing
from icm_ray.ops.seams import Address, Frame, Link
from icm_ray.program.begin import Begin
from icm_ray.program.keys import key_for
from icm_ray.program.program import Program
from icm_ray.protocols.table import TABLE
from icm_ray.ring.clock import Part, spends

__all__ = ["Dealer"]


class Dealer:
    """links: to parties and outside owners; secrets: with parties. The links' bounded queues keep the dealer from
    running too far ahead.
    """

    def __init__(self, links: dict[str, Link], secrets: dict[str, bytes]) -> None:
        self._links, self._secrets = links, secrets
        self._attempt = 0
        self._store: dict[str, object] = {}

    def run(self, program: Program, job: int, partition: int) -> int:
        """Deal for one run of the program; returns its attempt number. Every call is a new attempt, with fresh
        randomness.
        """
        plan = program.plan()
        self._attempt += 1
        address = Address(job, program.digest, partition, self._attempt)
        begin = msgspec.msgpack.encode(Begin(job, address.program, partition, address.attempt))
        with spends(Part.WIRE):
            for name in program.parties + program.owners:
                self._links[name].send_message(begin)
        keys = {name: key_for(self._secrets[name], "dealer", address) for name in program.parties}
        for index, step in enumerate(plan.steps):
            corrected = plan.corrected[index]
            dealing = OperationDealing(
                program.parties, keys, index, corrected, self._links[corrected], Frame(address, index), self._store
            )
            TABLE[type(step.op)].deal(step.op, plan.kinds(index), dealing, step.type)
        return self._attempt

    def forget(self, key: str) -> None:
        """Drop the mask of a weight that is no longer used."""
        self._store.pop(key, None)
