"""Runs of questions under approvals: each takes one use, however many jobs of however many lanes it is made of, and
however many parts it is asked in.

A use is on the disk before a job is allowed, and stays there: whatever fails and whoever ends in between, none is free.
A job that did not begin leaves its place in its run, for the same part with the same values alone: nobody prepares
others for nothing, to see which of them an owner's rows refuse.
"""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import msgspec

from icm_ray.errors import PolicyError
from icm_ray.instance.canonical import Canonical, canonical
from icm_ray.instance.parts import Part
from icm_ray.instance.request import Form, Request
from icm_ray.instance.requests import Requests
from icm_ray.query.expressions.tree import Literal
from icm_ray.runtime.orders.house import MayRun

__all__ = ["Granting", "Taken", "use_of"]

_MOST: Final = 1024
"""Runs that are remembered; a job of one that is not takes another use."""


@dataclass
class _Run:
    """What one use was taken for. stages: by what was asked to the byte, those that ran. steps: of the statistics that
    it asks, each once. values: of what the approval leaves open.
    """

    asker: str
    session: str
    request: Request
    values: Mapping[str, Literal]
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
            del self.stages[asked], self.steps[asked]
        return True

    @property
    def key(self) -> tuple[int, bytes]:
        """Runs of one approval with the same values have the same parts."""
        return self.request.number, msgspec.msgpack.encode(dict(self.values))


@dataclass(frozen=True, slots=True)
class Taken:
    """A use of a request. values: what was asked where it leaves something open, in words."""

    request: Request
    values: str


def use_of(requests: Requests, me: str, asker: str, form: Form) -> Request:
    """A use of an approval, on the disk of `me`. Errors: `PolicyError`, `InstanceError`."""
    try:
        return requests.use(asker, form)
    except PolicyError as error:
        raise PolicyError(f"{me} refuses: {error.message}", party=me) from None


class Granting:
    """What the own workers are told. Of one instance, which they end with: nothing has to be remembered beyond it."""

    def __init__(self, me: str, requests: Requests) -> None:
        self._me, self._requests = me, requests
        self._runs: deque[_Run] = deque(maxlen=_MOST)
        self._lock = threading.Lock()

    def grant(self, asker: str, call: MayRun, versions: dict[str, str]) -> Taken | None:
        """Let a job run under an approval: the use that this takes, None where its run has one. A stage that runs
        again is another run, and so is a step that is asked again. versions: of the datasets that it reads. Errors:
        `PolicyError`, `InstanceError`.

        What was asked, to the byte, has its lanes: stages of what names other lanes are none of the same run's.
        """
        question = canonical(call.asked, self._me, call.names, call.parties, versions)
        asked = hashlib.sha256(call.asked).digest()
        with self._lock:
            if self._goes_on(asker, call, question, asked):
                return None
            request = use_of(self._requests, self._me, asker, question)
            part = request.part(question)
            if part is None:
                raise PolicyError(f"{self._me} refuses: this is no part of what was approved", party=self._me)
            run = _Run(asker, call.session, request, part.values)
            run.add(asked, part, call.stage)
            self._runs.append(run)
            return Taken(request, ", ".join(f"{name} {one.value}" for name, one in part.values.items()))

    def give_back(self, asker: str, call: MayRun) -> None:
        """A job that was allowed did not begin: its run has room for it again."""
        asked = hashlib.sha256(call.asked).digest()
        with self._lock:
            own = [run for run in self._runs if (run.asker, run.session) == (asker, call.session)]
            next((run for run in reversed(own) if run.give_back(asked, call.stage)), None)

    def _goes_on(self, asker: str, call: MayRun, question: Canonical, asked: bytes) -> bool:
        """Whether a job is of a run that took a use already, of an approval that still stands."""
        parts: dict[tuple[int, bytes], Part | None] = {}
        for run in self._runs:
            if (run.asker, run.session) != (asker, call.session):
                continue
            if run.key not in parts:
                parts[run.key] = self._requests.standing(run.request, question, run.values)
            part = parts[run.key]
            if part is not None and run.takes(asked, part, call.stage):
                run.add(asked, part, call.stage)
                return True
        return False
