"""How long others are waited for, not counting the time in which this process itself stood still.

One long call into C code holds the interpreter: no thread reads what has come meanwhile. Whoever looks at a clock after
it, before the threads that read, would find everybody late.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

__all__ = ["Patience"]


class Patience:
    """limit: seconds. look: how far apart two looks may be, in seconds; of a longer time as much counts."""

    def __init__(self, limit: float, look: float, clock: Callable[[], float] = monotonic) -> None:
        self.limit = limit
        self._look, self._clock = look, clock
        self._left = limit
        self._looked = clock()

    def over(self) -> bool:
        """Whether the limit has passed. To be called again and again while waiting."""
        now = self._clock()
        self._left -= min(now - self._looked, self._look)
        self._looked = now
        return self._left < 0
