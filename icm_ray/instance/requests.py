"""Questions of peers that wait for a person, or that a person has decided on: one file each, in an instance's folder.

A use of an approval is written before it is granted: whatever fails after that, more than were approved are not
granted, by however many threads, processes and restarts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from time import time
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec.structs import replace

from icm_ray.errors import Desynchronised, InputError, InstanceError, PolicyError
from icm_ray.instance.canonical import Canonical
from icm_ray.instance.files import changing, read, write
from icm_ray.instance.parameters import parameters
from icm_ray.instance.parts import Part, part_of
from icm_ray.instance.prediction_form import PredictionForm
from icm_ray.instance.ranges import Range, ranges_of
from icm_ray.payload import Name, Natural, decode
from icm_ray.runtime.orders.house import Origin

__all__ = ["MOST_LETTERS", "Decision", "Form", "Reason", "Request", "Requests"]

_WHAT: Final = "request"
_OPEN: Final = 32
"""Requests of one peer that may wait at a time,"""
_KEPT: Final = 128
"""and that are kept of it at all: those that are done with go first."""
MOST_LETTERS: Final = 1000
"""Of a reason."""
_MOST_TIMES: Final = 1_000_000
Form = Canonical | PredictionForm
"""What an approval is for."""
_CANONICAL: Final = msgspec.msgpack.Decoder(Canonical)
_PREDICTION: Final = msgspec.msgpack.Decoder(PredictionForm)
Decision = Literal["waiting", "approved", "denied"]
Reason = Annotated[str, msgspec.Meta(max_length=MOST_LETTERS)]


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """number: from 1 on, in this instance. job: the asker's own name for it. question: its canonical form. digest: of
    that. reason: of the asker, in its own words. since, until: seconds since 1970. said: why it was denied. times,
    used: how often it may be asked, and was. datasets: the own ones that it reads. ranges: of what is left open.
    kind: of what is asked.
    """

    number: int
    asker: Name
    job: Name
    question: bytes
    digest: str
    reason: Reason
    since: float
    datasets: tuple[Name, ...]
    state: Decision = "waiting"
    said: Reason = ""
    times: Natural = 0
    used: Natural = 0
    until: float = 0.0
    ranges: tuple[Range, ...] = ()
    kind: Origin = "question"

    @property
    def canonical(self) -> Form:
        """Errors: `InstanceError`."""
        try:
            if self.kind == "prediction":
                return decode(self.question, _PREDICTION, "a prediction", "the file")
            return decode(self.question, _CANONICAL, "a question", "the file")
        except Desynchronised:
            raise InstanceError(f"request {self.number}: its file was damaged") from None

    @property
    def left_open(self) -> str:
        """What an approval leaves open, in words; "" for nothing."""
        return ", ".join(one.in_words for one in self.ranges)

    def part(self, question: Form) -> Part | None:
        """Which part of this one a question is, whether or not its values are within the ranges; None: of another one.

        Errors: `InstanceError`.
        """
        approved = self.canonical
        if not isinstance(approved, Canonical) or not isinstance(question, Canonical):  # a prediction has no parts
            return Part(frozenset(), {}) if self.digest == question.digest else None
        return part_of(question, approved, (one.name for one in self.ranges))

    def allows(self, part: Part) -> bool:
        """Whether its values are within the ranges."""
        return all(one.holds(part.values[one.name]) for one in self.ranges)

    def covers(self, question: Form) -> bool:
        """Whether this is the question, with values within the ranges, or a part of it. Errors: `InstanceError`."""
        part = self.part(question)
        return part is not None and self.allows(part)

    def stands(self, now: float) -> bool:
        """Whether it is approved, used up or not."""
        return self.state == "approved" and now < self.until

    def left(self, now: float) -> int:
        """How often it may still be asked."""
        return max(0, self.times - self.used) if self.stands(now) else 0

    def condition(self, now: float) -> str:
        """In a word or two: waiting, approved, denied, used up, expired."""
        if self.state != "approved":
            return self.state
        return "expired" if now >= self.until else "approved" if self.left(now) else "used up"

    def done(self, now: float) -> bool:
        """Whether nothing can follow from it any more."""
        return self.state != "waiting" and not self.left(now)


class _Facts(NamedTuple):
    """What never changes of a request."""

    asker: str
    job: str
    digest: str


_Stamp = tuple[int, int]  # of a file: its inode, and when it was written


class Requests:
    """In an instance's folder. For any thread and process of this user. clock: seconds since 1970."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time) -> None:
        self._folder, self._clock = folder / "requests", clock
        self._lock = self._folder / "all"
        self._known: dict[int, tuple[_Stamp, _Facts]] = {}

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("[0-9]*.json"))

    @property
    def all(self) -> list[Request]:
        """By number. Errors: `InstanceError`."""
        return self._read(self._numbers())

    def _read(self, numbers: Iterable[int]) -> list[Request]:
        return [one for number in numbers if (one := self.find(number)) is not None]

    def _where(self, numbers: Iterable[int], wanted: Callable[[_Facts], bool]) -> list[Request]:
        """Those of which what never changes is so: others are not read, but once."""
        return self._read(number for number in numbers if (facts := self._facts(number)) is not None and wanted(facts))

    def _facts(self, number: int) -> _Facts | None:
        path = self._path(number)
        try:
            status = path.stat()
        except OSError:
            self._known.pop(number, None)
            return None
        stamp = status.st_ino, status.st_mtime_ns
        known = self._known.get(number)
        if known is None or known[0] != stamp:
            found = self.find(number)
            if found is None:
                return None
            known = self._known[number] = stamp, _Facts(found.asker, found.job, found.digest)
        return known[1]

    def find(self, number: int) -> Request | None:
        """None where there is none of that number."""
        return read(self._path(number), Request, _WHAT)

    def of(self, number: int) -> Request:
        """Errors: `InstanceError` where there is none of that number."""
        found = self.find(number)
        if found is None:
            raise InstanceError(f"there is no request {number} here: icm requests")
        return found

    def add(self, asker: str, job: str, question: Form, reason: str) -> Request:
        """Keep what a peer requests; the same again where it is here already. Errors: `InstanceError` (too many)."""
        with changing(self._lock):
            numbers = self._numbers()
            for known in self._where(numbers, lambda facts: (facts.asker, facts.job) == (asker, job)):
                if known.digest != question.digest:
                    raise InstanceError("there is another request of that name")
                return known
            own = self._where(numbers, lambda facts: facts.asker == asker)
            if sum(one.state == "waiting" for one in own) >= _OPEN:
                raise InstanceError(f"{_OPEN} requests of {asker} wait already, which is the limit")
            now = self._clock()
            if len(own) >= _KEPT:
                gone = next((one for one in own if one.done(now)), None)
                if gone is None:
                    raise InstanceError(f"{_KEPT} requests of {asker} are here, which is the limit")
                self._path(gone.number).unlink(missing_ok=True)
            number = max(numbers, default=0) + 1
            datasets = tuple(name for name, _ in question.versions)
            packed = msgspec.msgpack.encode(question)
            kind: Origin = "question" if isinstance(question, Canonical) else "prediction"
            found = Request(number, asker, job, packed, question.digest, reason, now, datasets, kind=kind)
            write(self._path(number), found, _WHAT)
            return found

    def approve(self, number: int, times: int, until: float, params: Sequence[str] = ()) -> Request:
        """Let a request be asked so many times from now on, before a time. params: what is left open, as `ranges_of`
        takes it; for all values of these together, so many times. Errors: `InstanceError`, `InputError`.
        """
        if not 1 <= times <= _MOST_TIMES:
            raise InputError(f"{times} times: 1 to {_MOST_TIMES}")
        if not until > self._clock():
            raise InputError("until: that is over")
        ranges = ranges_of(params, parameters(self.of(number).canonical)) if params else ()
        return self._decide(number, state="approved", times=times, used=0, until=until, said="", ranges=ranges)

    def deny(self, number: int, reason: str) -> Request:
        """Refuse a request, also one that was approved. Errors: `InstanceError`, `InputError`."""
        if len(reason) > MOST_LETTERS:
            raise InputError(f"a reason of {len(reason)} letters; {MOST_LETTERS} at most")
        return self._decide(number, state="denied", said=reason, times=0, until=0.0, ranges=())

    def stands(self, used: Request) -> bool:
        """Whether an approval that a use was taken of was neither taken back, nor given anew, nor has expired. Errors:
        `InstanceError`.
        """
        found = self.find(used.number)
        if found is None or (found.digest, found.times, found.until) != (used.digest, used.times, used.until):
            return False
        return found.stands(self._clock()) and found.used >= used.used

    def _decide(self, number: int, **facts: object) -> Request:
        with changing(self._lock):
            found = replace(self.of(number), **facts)
            write(self._path(number), found, _WHAT)
            return found

    def use(self, asker: str, question: Form) -> Request:
        """Count one use of an approval of this question of this peer, or of one that it is a part of: on the disk when
        this returns. What was decided of exactly this question comes first.

        Errors: `PolicyError` where there is none that can be used, `InstanceError`.
        """
        with changing(self._lock):
            now = self._clock()
            numbers, digest = self._numbers(), question.digest
            own = same = self._where(numbers, lambda facts: (facts.asker, facts.digest) == (asker, digest))
            found = next((one for one in same if one.left(now)), None)
            if found is None and not any(one.state == "denied" for one in same):
                own = self._where(numbers, lambda facts: facts.asker == asker)
                found = next((one for one in own if one.left(now) and one.covers(question)), None)
            if found is None:
                raise PolicyError(_why(same or [one for one in own if one.part(question) is not None], now, question))
            used = replace(found, used=found.used + 1)
            write(self._path(found.number), used, _WHAT)
            return used

    def standing(self, used: Request, question: Canonical) -> Part | None:
        """The part of a request that a question is, where a use was taken before: None where that has ended since, or
        leaves something else open. Errors: `InstanceError`.
        """
        now = self.find(used.number)
        if now is None or now.state != "approved" or now.until <= self._clock() or now.ranges != used.ranges:
            return None
        part = now.part(question) if now.digest == used.digest else None
        return part if part is not None and now.allows(part) else None


def _why(same: list[Request], now: float, question: Form) -> str:
    """Why none of the requests of a question, or of one that it is a part of, can be used."""
    last = same[-1] if same else None
    if last is None:
        return "nobody approved this question: .request(reason=...) asks for it"
    if last.state == "denied":
        return f"this question was denied: {last.said}" if last.said else "this question was denied"
    if last.state == "waiting":
        return "this question is not approved yet"
    if not last.covers(question):
        return f"this question was approved for {last.left_open} alone"
    if now >= last.until:
        return "the approval of this question has expired"
    return f"this question was approved {last.times} times, and was asked so often"
