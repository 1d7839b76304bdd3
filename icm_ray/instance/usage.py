"""What peers have taken of an instance since it serves: hours of its workers in a day, questions in
an hour, what else is counted by the day.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic, time
from typing import Final

__all__ = ["DayCount", "QuestionRate", "WorkerHours"]

_HOUR: Final = 3600.0
_DAY: Final = 86_400.0


class WorkerHours:
    """Of each asker's workers, in the day that is, which begins at 00:00 UTC. clock: seconds since 1970. For one thread
    at a time.
    """

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self._day = 0.0
        self._ended: dict[str, float] = {}  # seconds

    def _today(self) -> float:
        """When the day began: what was before it is forgotten."""
        day = self._clock() // _DAY * _DAY
        if day != self._day:
            self._day, self._ended = day, {}
        return day

    def _seconds(self, since: float) -> float:
        return max(0.0, self._clock() - max(since, self._today()))

    def now(self) -> float:
        """By its clock: when a worker begins."""
        return self._clock()

    def add(self, asker: str, since: float) -> None:
        """A worker ends that began then."""
        seconds = self._seconds(since)
        self._ended[asker] = self._ended.get(asker, 0.0) + seconds

    def of(self, asker: str, running: Iterable[float]) -> float:
        """Hours of an asker. running: when those of its workers that run began."""
        seconds = sum(self._seconds(since) for since in running)
        self._today()
        return (self._ended.get(asker, 0.0) + seconds) / _HOUR


class DayCount:
    """Of something of each peer's, in the day that is, which begins at 00:00 UTC. most: in a day. clock: seconds since
    1970. For any thread.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time) -> None:
        self.most, self._clock = most, clock
        self._day = 0.0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def _today(self) -> dict[str, int]:
        """The lock is held."""
        day = self._clock() // _DAY
        if day != self._day:
            self._day, self._counts = day, {}
        return self._counts

    def add(self, asker: str) -> None:
        """One more."""
        with self._lock:
            counts = self._today()
            counts[asker] = counts.get(asker, 0) + 1

    def take(self, asker: str) -> bool:
        """One more, where there may be one: whether there is."""
        with self._lock:
            counts = self._today()
            if (count := counts.get(asker, 0)) >= self.most:
                return False
            counts[asker] = count + 1
            return True

    def count(self, asker: str) -> int:
        """How many there were today."""
        with self._lock:
            return self._today().get(asker, 0)

    def spent(self, asker: str) -> bool:
        """Whether there were as many today as there may be."""
        return self.count(asker) >= self.most


class QuestionRate:
    """Of what each peer asks in an hour, `most` may be asked. Jobs of one question are one, and so is the same question
    again: it tells nothing new, and what it costs is counted in hours of workers. clock: seconds. For any thread.
    """

    def __init__(self, most: int, clock: Callable[[], float] = monotonic) -> None:
        self._most, self._clock = most, clock
        self._asked: dict[str, deque[tuple[float, bytes]]] = {}
        self._lock = threading.Lock()

    def _recent(self, asker: str) -> deque[tuple[float, bytes]]:
        found = self._asked.setdefault(asker, deque())
        while found and self._clock() - found[0][0] >= _HOUR:
            found.popleft()
        return found

    def take(self, asker: str, question: bytes) -> bool:
        """Count a question, by what tells it from others; whether it may be asked."""
        with self._lock:
            recent = self._recent(asker)
            if any(question == one for _, one in reversed(recent)):
                return True
            if len(recent) >= self._most:
                return False
            recent.append((self._clock(), question))
            return True

    def count(self, asker: str) -> int:
        """How many an asker asked in the last hour."""
        with self._lock:
            return len(self._recent(asker))
