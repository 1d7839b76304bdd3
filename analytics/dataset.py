"""A dataset of a session: its public facts, and the engine whose workers hold it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from icm_ray.query.question import DatasetFacts
from icm_ray.runtime.driver.engine import Engine

__all__ = ["Answering", "Dataset"]


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


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """What frames, columns and queries over the same rows have in common."""

    engine: Engine
    facts: DatasetFacts
    answering: Answering = field(default_factory=Answering)
    forgotten: threading.Event = field(default_factory=threading.Event)

    def forget(self) -> None:
        """Let the workers drop the rows."""
        self.forgotten.set()
        self.engine.forget(self.facts.kept)
