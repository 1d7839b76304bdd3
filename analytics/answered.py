"""What was asked of a dataset with a policy: for the next question to say so, and for the same one to cost nothing."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterable
from typing import Any, Final

from icm_ray.policy import Policy
from icm_ray.query.row_set import AskedBefore, RowSet
from icm_ray.runtime.driver.engine import Engine

__all__ = ["Answered", "answered_in", "asked_before"]

_MOST = 256
_NOTHING: Final = AskedBefore()


class Answered:
    """As the parties' ledgers have it. lock: held while a question is asked, for the next one names it."""

    def __init__(self, before: AskedBefore = _NOTHING) -> None:
        self.lock = threading.RLock()
        self.take(before)
        self.stale = False
        """Whether something failed since: parties may know of what was asked, or not."""
        self._results: dict[bytes, list[Any]] = {}

    def take(self, before: AskedBefore) -> None:
        """What the ledgers have."""
        self.sets, self.contested = before.sets, before.contested

    def stated(self, own: Iterable[RowSet]) -> tuple[RowSet, ...]:
        """What a question says of those before it. own: what it asks for."""
        return AskedBefore(self.sets, self.contested).stated(own)

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


def answered_in(engine: Engine, policy: Policy | None, before: AskedBefore) -> Answered:
    """Of a dataset of this session: the same for all whose policies have one name, as parties keep one ledger of these.

    before: what the parties know of.
    """
    if policy is None or not policy.name:
        return Answered(before)
    answered = _of_name(engine, policy)
    with answered.lock:
        answered.take(before)
    return answered


def _of_name(engine: Engine, policy: Policy) -> Answered:
    return engine.kept(f"answered of {policy.name}", Answered)
