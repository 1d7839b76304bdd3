"""Questions of peers that wait for a person, or that a person or a rule has decided on: one file each, in an
instance's folder.

What was requested by one who has been met anew since, with another key, is asleep: it is not the request of whoever has
the name now, and approves nothing.

A use of an approval is written before it is granted: whatever fails after that, more than were approved are not
granted, by however many threads, processes and restarts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from time import time
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from icm_ray.errors import InputError, InstanceError, PolicyError
from icm_ray.instance.canonical import Canonical
from icm_ray.instance.files import changing, read, write
from icm_ray.instance.parameters import parameters
from icm_ray.instance.parts import Part, part_with
from icm_ray.instance.ranges import ranges_of
from icm_ray.instance.request import MOST_LETTERS, Form, Request
from icm_ray.instance.roster import Roster
from icm_ray.instance.rule_file import MOST_TIMES
from icm_ray.instance.rules import Rules
from icm_ray.query.expressions.tree import Literal
from icm_ray.runtime.orders.house import Origin

__all__ = ["Requests"]

_WHAT: Final = "request"
_OPEN: Final = 32
"""Requests of one peer that may wait at a time,"""
_KEPT: Final = 128
"""and that are kept of it at all: those that are done with go first."""


class _Facts(NamedTuple):
    """What never changes of a request."""

    asker: str
    job: str
    digest: str


_Stamp = tuple[int, int]  # of a file: its inode, and when it was written


class Requests:
    """In an instance's folder. For any thread and process of this user. clock: seconds since 1970. What a rule
    approved is read as that says it now: a rule that is changed is so for what it approved before, too.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time) -> None:
        self.rules = Rules(folder, clock)
        self._folder, self._clock, self._roster = folder / "requests", clock, Roster(folder)
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
        found = read(self._path(number), Request, _WHAT)
        return self.rules.seen(found) if found is not None and found.rule else found

    def of(self, number: int) -> Request:
        """Errors: `InstanceError` where there is none of that number."""
        found = self.find(number)
        if found is None:
            raise InstanceError(f"there is no request {number} here: icm requests")
        return found

    def sleeps(self, request: Request) -> bool:
        """Whether whoever has the asker's name now is another one."""
        return request.identity not in ("", self._roster.identity(request.asker))

    def condition(self, request: Request, now: float) -> str:
        """In a word or two: asleep, or as the request itself says it."""
        return "asleep" if self.sleeps(request) else request.condition(now)

    def bind(self) -> None:
        """Take requests that were written without identities as those of whoever has the names now."""
        with changing(self._lock):
            for number in self._numbers():
                found = read(self._path(number), Request, _WHAT)
                if found is not None and not found.identity and (now := self._roster.identity(found.asker)):
                    write(self._path(number), replace(found, identity=now), _WHAT)
        self.rules.bind()

    def _awake(self, found: Iterable[Request]) -> list[Request]:
        return [one for one in found if not self.sleeps(one)]

    def add(self, asker: str, job: str, question: Form, reason: str) -> Request:
        """Keep what a peer requests; the same again where it is here already. Errors: `InstanceError` (too many)."""
        with changing(self._lock):
            numbers = self._numbers()
            for known in self._awake(self._where(numbers, lambda facts: (facts.asker, facts.job) == (asker, job))):
                if known.digest != question.digest:
                    raise InstanceError("there is another request of that name")
                return known
            own = self._where(numbers, lambda facts: facts.asker == asker)
            waiting = sum(one.state == "waiting" for one in self._awake(own))
            ruled = not _denied([one for one in own if one.digest == question.digest])
            if waiting >= _OPEN and not (ruled and self.rules.covering(asker, question)):
                raise InstanceError(f"{_OPEN} requests of {asker} wait already, which is the limit")
            now = self._clock()
            if len(own) >= _KEPT:
                over = [one for one in own if self._may_go(one, now)]
                if not over:
                    raise InstanceError(f"{_KEPT} requests of {asker} are here, which is the limit")
                gone = min(over, key=lambda one: (one.state == "denied", one.number))  # denials hold the longest
                self._path(gone.number).unlink(missing_ok=True)
            number = max(numbers, default=0) + 1
            datasets = tuple(name for name, _ in question.versions)
            packed = msgspec.msgpack.encode(question)
            kind: Origin = "question" if isinstance(question, Canonical) else "prediction"
            facts = number, asker, job, packed, question.digest, reason, now, datasets
            found = Request(*facts, kind=kind, identity=self._roster.identity(asker))
            write(self._path(number), found, _WHAT)
            return found

    def _may_go(self, request: Request, now: float) -> bool:
        """Whether a request is done with, or asleep: what a rule approved it approves again, and of what it would
        approve a denial is needed.
        """
        if self.sleeps(request):
            return True
        if request.state == "denied":
            return not any(rule.covers(request.asker, request.canonical) for rule in self.rules.all)
        return bool(request.rule) or request.done(now)

    def approve(self, number: int, times: int, until: float, params: Sequence[str] = ()) -> Request:
        """Let a request be asked so many times from now on, before a time. params: what is left open, as `ranges_of`
        takes it; for all values of these together, so many times. Errors: `InstanceError`, `InputError`.
        """
        self._check_limits(times, until)
        self._check_awake(self.of(number))
        ranges = ranges_of(params, parameters(self.of(number).canonical)) if params else ()
        facts = {"times": times, "used": 0, "until": until, "ranges": ranges}
        return self._decide(number, state="approved", said="", rule="", terms="", **facts)

    def approve_by_rule(self, name: str, number: int, times: int, until: float, params: Sequence[str] = ()) -> Request:
        """Write a rule of what `approve` would approve, which approves this request and later ones within it, so many
        times together. Errors: those of `approve`, and of `Rules.add`.
        """
        self._check_limits(times, until)
        self._check_awake(self.of(number))
        rule = self.rules.add(name, self.of(number), times, until, params)
        return self.rules.seen(self._decide(number, state="approved", said="", rule=name, terms=rule.terms))

    def settle(self, number: int) -> Request | None:
        """Approve a request that waits where a rule does, and nobody has denied the same question; None: it stays as it
        is. Errors: `InstanceError`.
        """
        if not self.rules.all:
            return None
        with changing(self._lock):
            found = self.find(number)
            if found is None or found.state != "waiting" or self.sleeps(found):
                return None
            rule = self.rules.covering(found.asker, found.canonical)
            if rule is None or self._overruled(found):
                return None
            ruled = replace(found, state="approved", said="", rule=rule.name, terms=rule.terms)
            write(self._path(number), ruled, _WHAT)
            return self.rules.seen(ruled)

    def _overruled(self, request: Request) -> bool:
        """Whether a person has denied the same question to the same peer, and not approved it since: no rule approves
        it then. Errors: `InstanceError`.
        """
        facts = request.asker, request.digest
        return _denied(self._where(self._numbers(), lambda one: (one.asker, one.digest) == facts))

    def _check_limits(self, times: int, until: float) -> None:
        if not 1 <= times <= MOST_TIMES:
            raise InputError(f"{times} times: 1 to {MOST_TIMES}")
        if not until > self._clock():
            raise InputError("until: that is over")

    def _check_awake(self, request: Request) -> None:
        if self.sleeps(request):
            asker = request.asker
            raise InputError(
                f"request {request.number} is asleep: it is of a {asker} who was met before, with another key than "
                f"{asker} has now (icm peers): a request of the present one is what can be approved"
            )

    def deny(self, number: int, reason: str) -> Request:
        """Refuse a request, also one that was approved. Errors: `InstanceError`, `InputError`."""
        if len(reason) > MOST_LETTERS:
            raise InputError(f"a reason of {len(reason)} letters; {MOST_LETTERS} at most")
        return self._decide(number, state="denied", said=reason, times=0, until=0.0, ranges=(), rule="", terms="")

    def stands(self, used: Request) -> bool:
        """Whether an approval that a use was taken of was neither taken back, nor given anew, nor has expired. Errors:
        `InstanceError`.
        """
        found = self.find(used.number)
        if found is None or (found.digest, found.times, found.until) != (used.digest, used.times, used.until):
            return False
        if self.sleeps(found):
            return False
        if found.rule and self._overruled(found):
            return False
        return found.stands(self._clock()) and found.used >= used.used

    def _decide(self, number: int, **facts: object) -> Request:
        with changing(self._lock):
            found = replace(self.of(number), decided=self._clock(), **facts)
            write(self._path(number), found, _WHAT)
            return found

    def use(self, asker: str, question: Form, number: int = 0) -> Request:
        """Count one use of an approval of this question of this peer, or of one that it is a part of: on the disk when
        this returns. What was decided of exactly this question comes first. number: of the only one that will do.

        Errors: `PolicyError` where there is none that can be used, `InstanceError`.
        """
        with changing(self._lock):
            now = self._clock()
            numbers, digest = self._numbers(), question.digest
            own = same = self._awake(self._where(numbers, lambda one: (one.asker, one.digest) == (asker, digest)))
            ruled = not _denied(same)
            usable = (one for one in same if one.left(now) and number in (0, one.number))
            found = next((one for one in usable if ruled or not one.rule), None)
            if found is None and not any(one.state == "denied" for one in same):
                own = self._awake(self._where(numbers, lambda facts: facts.asker == asker))
                usable = (one for one in own if one.left(now) and number in (0, one.number))
                found = next((one for one in usable if one.covers(question)), None)
            if found is None:
                raise PolicyError(_why(same or [one for one in own if one.part(question) is not None], now, question))
            used = replace(found, used=found.used + 1)
            if used.rule:
                self.rules.take(used.rule)
            else:
                write(self._path(found.number), used, _WHAT)
            return used

    def standing(self, used: Request, question: Canonical, values: Mapping[str, Literal]) -> Part | None:
        """The part of a request that a question is, where a use was taken before, with these values: None where that
        has ended since, or leaves something else open. Errors: `InstanceError`.
        """
        now = self.find(used.number)
        if now is not None and self.sleeps(now):
            return None
        if now is not None and now.rule and self._overruled(now):
            return None
        if now is None or now.state != "approved" or now.until <= self._clock() or now.ranges != used.ranges:
            return None
        approved = now.canonical
        if now.digest != used.digest or not isinstance(approved, Canonical):
            return None
        return part_with(question, approved, values)


def _denied(same: Sequence[Request]) -> bool:
    """Whether the last that a person decided of equal requests was to deny one."""
    last = max((one.decided for one in same), default=0.0)
    return any(one.state == "denied" and one.decided == last for one in same)


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
