"""Runs of questions under approvals: each takes one use, however many jobs of however many lanes it is made of."""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Self

from icm_ray.errors import PolicyError
from icm_ray.instance.canonical import Canonical, canonical
from icm_ray.instance.requests import Request, Requests
from icm_ray.runtime.orders.house import MayRun

__all__ = ["Granting", "Taken"]

_MOST: Final = 1024
"""Runs that are remembered; a job of one that is not takes another use."""


@dataclass
class _Run:
    """used: uses taken. jobs: how often each stage was let run."""

    used: int = 0
    jobs: Counter[int] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Taken:
    """A use of a request. values: what was asked where it leaves something open, in words."""

    request: Request
    values: str

    @classmethod
    def of(cls, request: Request, question: Canonical) -> Self:
        values = request.values(question) or {}
        return cls(request, ", ".join(f"{name} {literal.value}" for name, literal in values.items()))


class Granting:
    """What the own workers are told. Of one instance, which they end with: nothing has to be remembered beyond it."""

    def __init__(self, me: str, requests: Requests) -> None:
        self._me, self._requests = me, requests
        self._runs: dict[tuple[str, str, bytes], _Run] = {}
        self._lock = threading.Lock()

    def grant(self, asker: str, call: MayRun, versions: dict[str, str]) -> Taken | None:
        """Let a job run under an approval: the use that this takes, None where its run has one. A stage that runs
        again is another run. versions: of the datasets that it reads. Errors: `PolicyError`, `InstanceError`.

        A run is known by what was asked to the byte, which has its lanes: no two lanes are one run's by their names.
        """
        question = canonical(call.asked, self._me, call.names, call.parties, versions)
        key = asker, call.session, hashlib.sha256(call.asked).digest()
        with self._lock:
            run = self._runs.setdefault(key, _Run())
            taken = None
            if run.jobs[call.stage] >= run.used:
                try:
                    taken = Taken.of(self._requests.use(asker, question), question)
                except PolicyError as error:
                    raise PolicyError(f"{self._me} refuses: {error.message}", party=self._me) from None
                run.used += 1
            run.jobs[call.stage] += 1
            while len(self._runs) > _MOST:
                self._runs.pop(next(iter(self._runs)))
            return taken
