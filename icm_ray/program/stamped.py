"""A program as an engine has it run: what it computes, and what its workers get to work in."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Final

import msgspec

from icm_ray.errors import ProgramError
from icm_ray.ops.cost import Cost
from icm_ray.program.program import Program
from icm_ray.schedule.plan import Plan, plan_of

__all__ = ["RunSettings", "Stamped"]

_MOST_IN_FLIGHT: Final = 1 << 62
_MOST_THREADS: Final = 1 << 12
"""More than any machine has; what a plan is cut for has an end."""


class RunSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an engine gives its workers to work in: it decides how a program is cut, not what is computed.

    in_flight: bytes that a worker may hold of what is between a program's inputs and its outputs, about; larger
    operations run in blocks of rows, which takes more rounds. 0: as much as keeps it within four times its inputs and
    outputs, or 128 MiB in programs of many operations. threads: the most that a worker has; so many blocks are in
    flight, within the same memory.
    """

    in_flight: int = 0
    threads: int = 1


class Stamped(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):  # dict: for what is computed once
    """A program and the settings under which all members of a lane run it. It does not travel: its parts do.

    Raises `ProgramError` for settings that no worker has.
    """

    program: Program
    settings: RunSettings = RunSettings()

    def __post_init__(self) -> None:
        in_flight, threads = self.settings.in_flight, self.settings.threads
        if not 0 <= in_flight <= _MOST_IN_FLIGHT:
            raise ProgramError(f"a worker cannot hold {in_flight} bytes")
        if not 1 <= threads <= _MOST_THREADS:
            raise ProgramError(f"a worker has one thread at least, {_MOST_THREADS} at most, not {threads}")

    @cached_property
    def digest(self) -> bytes:
        """32 bytes that name the program as it is run here: in every frame, and in every key.

        The plan decides what a step and a tag mean, and it depends on the settings: an address that two plans shared
        would have one stream mask two things.
        """
        settings = self.settings.in_flight.to_bytes(8, "big") + self.settings.threads.to_bytes(8, "big")
        return hashlib.sha256(self.program.digest + settings).digest()

    def plan(self) -> Plan:
        """How the program is dealt and run. Raises what `Program.types` raises."""
        return self._plan

    @cached_property
    def _plan(self) -> Plan:
        program = self.program
        return plan_of(program.parties, program.nodes, program.types(), self.settings.in_flight, self.settings.threads)

    def cost(self) -> Cost:
        """The whole: bytes add up; rounds are those of the plan, in which independent operations share theirs."""
        return self.plan().cost
