"""How many calls one peer may make: a second and at a time, over all of its links together, new ones among them."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

__all__ = ["WORKING", "CallRate"]

WORKING: Final = 8
"""Calls over one link that are worked on at a time."""
_WAITING: Final = 64
"""Calls of one peer that may wait for it."""


class CallRate:
    """A bucket of `calls` that fills in a second. clock: seconds."""

    def __init__(self, calls: int, clock: Callable[[], float] = monotonic) -> None:
        self._calls, self._clock = calls, clock
        self._lock = threading.Lock()
        self._left, self._since, self._open = float(calls), clock(), 0

    def begin(self) -> str:
        """One call more: "", or why it is not taken. Whoever began one ends it."""
        with self._lock:
            self._refill()
            if self._left < 1:
                return f"more than {self._calls} calls a second"
            if self._open >= WORKING + _WAITING:
                return f"{self._open} calls are being worked on"
            self._left -= 1
            self._open += 1
            return ""

    def end(self) -> None:
        """One is answered, or will never be."""
        with self._lock:
            self._open -= 1

    @property
    def taken(self) -> tuple[int, int]:
        """Calls in the last second, about, and those that are not answered yet."""
        with self._lock:
            self._refill()
            return math.ceil(self._calls - self._left), self._open

    def _refill(self) -> None:
        """The lock is held."""
        now = self._clock()
        self._left = min(self._calls, self._left + (now - self._since) * self._calls)
        self._since = now
