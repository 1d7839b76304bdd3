"""What the driver asks of the workers of a lane, as data without code or values."""

from __future__ import annotations

import msgspec

from icm_ray.payload import Natural, Shape, Word32
from icm_ray.program.stamped import RunSettings
from icm_ray.query.tasks import InputTask, Source
from icm_ray.runtime.orders.origins import Free, Origin

__all__ = ["Gather", "Job", "Open", "Report", "ResultMessage"]


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of one program. settings: what all members stamp on it. `tasks`: by owner, by input name, how the owner's
    worker makes the input. origin: what program and tasks follow from; settings follow from nothing.

    profile: whether every member says what it spent its time on. trace: whether it counts what it
    allocates.
    """

    job: Natural
    partition: Word32
    program: bytes
    settings: RunSettings
    tasks: dict[str, dict[str, InputTask]] = {}
    profile: bool = False
    trace: bool = False
    origin: Origin = Free()

    def for_member(self, name: str) -> Job:
        """What a party or owner needs of it: of tasks its own alone. Which rows others bring, it is not told."""
        return msgspec.structs.replace(self, tasks={name: self.tasks[name]} if name in self.tasks else {})

    def for_dealer(self) -> Job:
        """What the dealer needs of it: program and settings. What is asked, and of whose rows, it is not told."""
        return msgspec.structs.replace(self, tasks={}, origin=Free())


class Open(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open a table under a name. `mine`: for a pushed source, the partitions that this worker gets, in their order."""

    table: str
    source: Source
    mine: tuple[int, ...] = ()


class Gather(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Move shares that a party keeps in `lane` to its own worker in the lane `home`: (key, shape of words)."""

    job: Natural
    lane: Word32
    home: Word32
    keys: tuple[tuple[str, Shape], ...]


class Report(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker says of a run: nothing of its values. Where it was asked for, `spent`: seconds by part, and
    peak_bytes: the most that it held of what the run allocated. preprocessed: its randomness was dealt ahead of time.
    delivered: the number that what was revealed to it has at its own organisation, 0 where that goes to the driver.
    """

    attempt: int = 0
    rounds: int = 0
    sent_bytes: int = 0
    dealt_bytes: int = 0
    seconds: float = 0.0
    spent: dict[str, float] = {}
    peak_bytes: int = 0
    preprocessed: bool = False
    delivered: Natural = 0


class ResultMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """One revealed array, from the worker of its recipient to the driver: words as little-endian uint64.

    For a reveal to the driver itself every party sends its share.
    """

    job: int
    name: str
    shape: Shape
    words: bytes
