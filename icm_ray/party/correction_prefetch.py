"""Takes in what the dealer sends while its party waits for a peer.

The dealer sends in one order for all: were one party to let its line fill up while it waits for a second, which waits
for corrections that come behind, all three would wait for ever. So a wait that lasts takes in what comes next. Short
waits do not, or a slow peer would let the dealer's work of the whole run pile up here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from types import TracebackType
from typing import Final, Self

__all__ = ["CorrectionPrefetch"]

_LOOK: Final = 0.005
"""Seconds between two looks, and how long a wait lasts before it counts."""
_AT_ONCE: Final = 1 << 20
"""Bytes that one look takes in at the most, but for the last frame."""


class _Wait:
    """A wait, one at a time; `since`: when it began, 0 where there is none."""

    __slots__ = ("since",)

    def __init__(self) -> None:
        self.since = 0.0

    def __enter__(self) -> None:
        self.since = monotonic()

    def __exit__(self, *_: object) -> None:
        self.since = 0.0


class CorrectionPrefetch:
    """A thread for the time of one run. take_in: takes in one frame if one is there, and returns its bytes."""

    def __init__(self, take_in: Callable[[], int]) -> None:
        self._take_in = take_in
        self._wait = _Wait()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="icm-prefetch", daemon=True)

    def waiting(self) -> _Wait:
        """A wait for a peer: for what it sends, or until it takes what it is sent."""
        return self._wait

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK):
            taken = 0
            while (since := self._wait.since) and monotonic() - since > _LOOK and taken < _AT_ONCE:
                came = self._take_in()
                if not came:
                    break
                taken += came

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
