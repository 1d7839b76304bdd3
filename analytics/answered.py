"""What was asked of a dataset with a policy: for the next question to say so, and for the same one to cost nothing."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable
from typing import Any

from icm_ray.policy import Policy
from icm_ray.query.row_set import RowSet
from icm_ray.runtime.driver.engine import Engine

__all__ = ["Answered", "answered_in", "asked_before"]

_MOST = 256


class Answered:
    """As the parties' ledgers have it. lock: held while a question is asked, for the next one names it."""

    def __init__(self, sets: Iterable[RowSet] = ()) -> None:
        self.lock = threading.RLock()
        self.sets: tuple[RowSet, ...] = tuple(sets)
        self.stale = False
        """Whether something failed since: parties may know of what was asked, or not."""
        self._results: dict[bytes, list[Any]] = {}

    def add(self, sets: Iterable[RowSet]) -> None:
        """These were asked for."""
        self.sets = tuple(dict.fromkeys((*self.sets, *sets)))

    def result(self, digest: bytes) -> list[Any] | None:
        """What was answered to the same question, if it was asked."""
        found = self._results.get(digest)
        return None if found is None else copy.deepcopy(found)

    def keep(self, digest: bytes, results: list[Any]) -> None:
        """The answer to a question; the oldest of many goes."""
        self._results[digest] = copy.deepcopy(results)
        while len(self._results) > _MOST:
            del self._results[next(iter(self._results))]


def asked_before(engine: Engine, policy: Policy) -> tuple[RowSet, ...]:
    """What was asked in this session of datasets with this policy's name, whether or not the workers that answered
    are still there.
    """
    return _of_name(engine, policy).sets if policy.name else ()


def answered_in(engine: Engine, policy: Policy | None, sets: Iterable[RowSet]) -> Answered:
    """Of a dataset of this session: the same for all whose policies have one name, as parties keep one ledger of these.

    sets: that the parties know of.
    """
    if policy is None or not policy.name:
        return Answered(sets)
    answered = _of_name(engine, policy)
    with answered.lock:
        answered.sets = tuple(sets)
    return answered


def _of_name(engine: Engine, policy: Policy) -> Answered:
    return engine.kept(f"answered of {policy.name}", Answered)
