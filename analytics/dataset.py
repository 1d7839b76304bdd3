"""A dataset of a session: its public facts, and the engine whose workers hold it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from analytics.answered import Answered
from icm_ray.query.pool import Pool, pooled
from icm_ray.query.question import Asked, DatasetFacts, Sharing
from icm_ray.query.sharing import secret_rows
from icm_ray.runtime.driver.ending import forget_when_dropped
from icm_ray.runtime.driver.engine import Engine

__all__ = ["Answering", "Dataset", "PolicyHolders", "pool_of"]


class Answering:
    """The questions that are being answered, by digest: an equal one waits, for it keeps partial shares under the same
    names.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._digests: set[bytes] = set()

    @contextmanager
    def alone(self, digest: bytes) -> Iterator[None]:
        """While no equal question is being answered."""
        with self._changed:
            self._changed.wait_for(lambda: digest not in self._digests)
            self._digests.add(digest)
        try:
            yield
        finally:
            with self._changed:
                self._digests.discard(digest)
                self._changed.notify_all()


class PolicyHolders:
    """The rows of a dataset and the shares made of them: its policy is dropped with the last that is forgotten."""

    def __init__(self) -> None:
        self._changed = threading.Lock()
        self._count = 1

    def join(self) -> PolicyHolders:
        """One holder more."""
        with self._changed:
            self._count += 1
        return self

    def leave(self, forgotten: threading.Event) -> bool:
        """Set `forgotten`; whether that was the last holder, who leaves once."""
        with self._changed:
            if forgotten.is_set():
                return False
            forgotten.set()
            self._count -= 1
            return not self._count


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Dataset:
    """What frames, columns and queries over the same rows have in common. The workers drop the rows with the last."""

    engine: Engine
    facts: DatasetFacts
    answering: Answering = field(default_factory=Answering)
    forgotten: threading.Event = field(default_factory=threading.Event)
    holders: PolicyHolders = field(default_factory=PolicyHolders)
    answered: Answered = field(default_factory=Answered)
    parts: tuple[Dataset, ...] = ()
    """Of a pool, those whose rows it has: they keep them."""
    made_by: Asked | None = None
    """Of shares, the sharing."""
    waits_for: Dataset | None = None
    """Of shares that are made anew for each question, once it was approved: the rows that they are made of."""
    opened: Callable[[Any], Dataset] | None = None
    """Of rows in a catalogue, and of what is made of them: opens the rows in other lanes."""
    elsewhere: dict[Engine, Dataset] = field(default_factory=dict)
    """By whose lanes they are, the same rows in others."""

    @property
    def bases(self) -> tuple[Dataset, ...]:
        """The datasets that workers know."""
        return self.parts or (self,)

    @property
    def guarded(self) -> tuple[Dataset, ...]:
        """Those of them that have a policy."""
        return tuple(base for base in self.bases if base.facts.policy is not None)

    @property
    def pool(self) -> Pool | None:
        """What it is a pool of."""
        return Pool(tuple(part.facts.name for part in self.parts)) if self.parts else None

    @property
    def gone(self) -> bool:
        """Whether rows were forgotten."""
        return self.forgotten.is_set() or any(part.forgotten.is_set() for part in self.parts)

    def made(self, sharing: Sharing, *, waits: bool = False) -> Dataset:
        """The shares that a sharing makes of the rows of this one: what may be revealed of them, the same policy says.
        waits: they are made later. Errors: those of `secret_rows`.
        """
        facts = secret_rows(sharing, self.facts)
        return Dataset(
            self.engine,
            facts,
            holders=self.holders.join(),
            answered=self.answered,
            made_by=Asked(sharing, (self.facts,)),
            waits_for=self if waits else None,
            opened=self.opened,
        )

    def __post_init__(self) -> None:
        if not self.parts:
            forget_when_dropped(self, self.engine, partial(_left, self.facts, self.holders, self.forgotten))

    def forget(self) -> None:
        """Let the workers drop the rows, and the policy once nothing made of them is left."""
        while self.elsewhere:
            self.elsewhere.popitem()[1].forget()
        if self.parts:
            self.forgotten.set()
            return
        last = self.holders.leave(self.forgotten)
        self.engine.forget(_names(self.facts, last))


def pool_of(parts: Sequence[Dataset]) -> Dataset:
    """The rows of all of them. Errors: those of `pooled`."""
    pool = Pool(tuple(part.facts.name for part in parts))
    facts = pooled(pool, [part.facts for part in parts])
    return Dataset(parts[0].engine, facts, answering=parts[0].answering, parts=tuple(parts))


def _names(facts: DatasetFacts, last: bool) -> list[str]:
    return [*facts.kept, *((facts.source,) if last else ())]


def _left(facts: DatasetFacts, holders: PolicyHolders, forgotten: threading.Event) -> list[str]:
    """What is to be forgotten of a dataset that was dropped: nothing where its user said so before."""
    return [] if forgotten.is_set() else _names(facts, holders.leave(forgotten))
