"""Runs of questions under approvals: each takes one use, however many jobs of however many lanes it is made of, and
however many parts it is asked in; what is shared for it is a part of it, and serves nothing else.

A use is on the disk before a job is allowed, and stays there: whatever fails and whoever ends in between, none is free.
A job that did not begin leaves its place in its run, for the same part with the same values alone: nobody prepares
others for nothing, to see which of them an owner's rows refuse.
"""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from icm_ray.errors import PolicyError
from icm_ray.instance.canonical import Canonical, canonical
from icm_ray.instance.parts import Part
from icm_ray.instance.request import Form, Request
from icm_ray.instance.requests import Requests
from icm_ray.query.expressions.tree import Literal
from icm_ray.query.question import Sharing, decode_asked
from icm_ray.runtime.orders.house import MayRun

__all__ = ["Granting", "Taken", "use_of"]

_MOST: Final = 1024
"""Runs of one peer that are remembered; a job of one that is not takes another use."""


@dataclass
class _Run:
    """What one use was taken for. stages: by what was asked to the byte, those that ran. steps: of the statistics that
    it asks, each once. values: of what the approval leaves open. purpose: what its rows are shared for, to the byte.
    shares: the names of what was shared in it.
    """

    asker: str
    session: str
    request: Request
    values: Mapping[str, Literal]
    purpose: bytes = b""
    shares: frozenset[str] = frozenset()
    stages: dict[bytes, set[int]] = field(default_factory=dict)
    steps: dict[bytes, frozenset[tuple[int, int]]] = field(default_factory=dict)

    def takes(self, asked: bytes, part: Part, stage: int) -> bool:
        """Whether a job is of this run: a stage that did not run of what it asked, or steps that it did not ask."""
        if asked in self.stages:
            return stage not in self.stages[asked]
        return all(part.steps.isdisjoint(steps) for steps in self.steps.values())

    def add(self, asked: bytes, part: Part, stage: int) -> None:
        """Count a job as one of this run."""
        self.steps[asked] = part.steps
        self.stages.setdefault(asked, set()).add(stage)

    def give_back(self, asked: bytes, stage: int) -> bool:
        """Whether a job was one of this run, which it is no more."""
        ran = self.stages.get(asked, set())
        if stage not in ran:
            return False
        ran.remove(stage)
        if not ran:
            del self.stages[asked]
            self.steps.pop(asked, None)  # what is shared has none
        return True

    @property
    def key(self) -> tuple[int, bytes]:
        """Runs of one approval with the same values have the same parts."""
        return self.request.number, msgspec.msgpack.encode(dict(self.values))

    def shared(self, name: str, asked: bytes, stage: int) -> None:
        """Count a job that shares rows as one of this run."""
        self.shares |= {name}
        self.stages.setdefault(asked, set()).add(stage)


@dataclass(frozen=True, slots=True)
class Taken:
    """A use of a request. values: what was asked where it leaves something open, in words."""

    request: Request
    values: str


def use_of(requests: Requests, me: str, asker: str, form: Form, number: int = 0) -> Request:
    """A use of an approval, on the disk of `me`. number: of the only one that will do. Errors: `PolicyError`,
    `InstanceError`.
    """
    try:
        return requests.use(asker, form, number)
    except PolicyError as error:
        raise PolicyError(f"{me} refuses: {error.message}", party=me) from None


class Granting:
    """What the own workers are told. Of one instance, which they end with: nothing has to be remembered beyond it."""

    def __init__(self, me: str, requests: Requests) -> None:
        self._me, self._requests = me, requests
        self._runs: defaultdict[str, deque[_Run]] = defaultdict(lambda: deque(maxlen=_MOST))  # by asker
        self._lock = threading.Lock()

    def grant(self, asker: str, call: MayRun, versions: dict[str, str]) -> Taken | None:
        """Let a job run under an approval: the use that this takes, None where its run has one. A stage that runs
        again is another run, and so is a step that is asked again. versions: of the datasets that it reads. Errors:
        `PolicyError`, `InstanceError`.

        What was asked, to the byte, has its lanes: stages of what names other lanes are none of the same run's.
        """
        what = call.parties, versions, b"", call.shared
        question = canonical(call.purpose or call.asked, self._me, call.names, *what)
        asked, made = hashlib.sha256(call.asked).digest(), _names_of(call.shared)
        with self._lock:
            if call.purpose:
                return self._share(asker, call, question, asked)
            run = self._made(asker, call.session, made.values())
            if run is not None:
                return self._about_shares(run, call, question, asked)
            if made:
                raise self._refusal("its rows were not shared for a question that was approved, or too long ago")
            if self._goes_on(asker, call, question, asked):
                return None
            run, part, taken = self._begun(asker, call, question)
            run.add(asked, part, call.stage)
            return taken

    def _begun(self, asker: str, call: MayRun, question: Canonical, number: int = 0) -> tuple[_Run, Part, Taken]:
        """Another run, by a use of an approval. Errors: `PolicyError`, `InstanceError`."""
        request = use_of(self._requests, self._me, asker, question, number)
        part = request.part(question)
        if part is None:
            raise self._refusal("this is no part of what was approved")
        run = _Run(asker, call.session, request, part.values)
        self._runs[asker].append(run)
        return run, part, Taken(request, ", ".join(f"{name} {one.value}" for name, one in part.values.items()))

    def _share(self, asker: str, call: MayRun, question: Canonical, asked: bytes) -> Taken | None:
        """Let rows be shared for a question that was approved. Errors: `PolicyError`, `InstanceError`."""
        name = _names_of(call.shared).get(call.asked)
        if name is None:
            raise self._refusal("this is not shared for the question that is stated")
        purpose = hashlib.sha256(msgspec.msgpack.encode((call.purpose, call.shared))).digest()
        for run in self._of(asker, call.session):
            goes_on = run.purpose == purpose and call.stage not in run.stages.get(asked, ())
            if goes_on and self._requests.standing(run.request, question, run.values) is not None:
                run.shared(name, asked, call.stage)
                return None
        run, _, taken = self._begun(asker, call, question)
        run.purpose = purpose
        run.shared(name, asked, call.stage)
        return taken

    def _about_shares(self, run: _Run, call: MayRun, question: Canonical, asked: bytes) -> Taken | None:
        """Let a question about the shares that a run made be asked, if that was approved of the same request: asked
        again it takes a use more. Errors: `PolicyError`, `InstanceError`.
        """
        number = run.request.number
        part = self._requests.standing(run.request, question, run.values)
        if part is not None and run.takes(asked, part, call.stage):
            run.add(asked, part, call.stage)
            return None
        if (found := self._requests.find(number)) is not None and found.part(question) is None:
            raise self._refusal(f"its rows were shared for request {number}, which does not cover this")
        again, part, taken = self._begun(run.asker, call, question, number)
        again.purpose, again.shares, run.shares = run.purpose, run.shares, frozenset()
        again.add(asked, part, call.stage)
        return taken

    def _made(self, asker: str, session: str, names: Collection[str]) -> _Run | None:
        """The run in which rows were shared under some of these names; None: none was. Errors: `PolicyError` for
        several.
        """
        newest = {name: run for run in self._of(asker, session) for name in run.shares.intersection(names)}
        found = {id(run): run for run in newest.values()}
        if len(found) > 1:
            raise self._refusal("its rows were shared for several requests")
        return next(iter(found.values()), None)

    def _of(self, asker: str, session: str) -> list[_Run]:
        return [run for run in self._runs[asker] if run.session == session]

    def _refusal(self, reason: str) -> PolicyError:
        return PolicyError(f"{self._me} refuses: {reason}", party=self._me)

    def give_back(self, asker: str, call: MayRun) -> None:
        """A job that was allowed did not begin: its run has room for it again."""
        asked = hashlib.sha256(call.asked).digest()
        with self._lock:
            own = reversed(self._of(asker, call.session))
            next((run for run in own if run.give_back(asked, call.stage)), None)

    def _goes_on(self, asker: str, call: MayRun, question: Canonical, asked: bytes) -> bool:
        """Whether a job is of a run that took a use already, of an approval that still stands."""
        parts: dict[tuple[int, bytes], Part | None] = {}
        for run in self._of(asker, call.session):
            if run.key not in parts:
                parts[run.key] = self._requests.standing(run.request, question, run.values)
            part = parts[run.key]
            if part is not None and run.takes(asked, part, call.stage):
                run.add(asked, part, call.stage)
                return True
        return False


def _names_of(shared: Sequence[bytes]) -> dict[bytes, str]:
    """By sharing, the name that its shares have in the session; of those that `canonical` has read."""
    found = ((one, decode_asked(one).what) for one in shared)
    return {one: what.into for one, what in found if isinstance(what, Sharing)}
