"""A worker's licence to live: whoever started it must say so again and again, or it ends by itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Self

from icm_ray.errors import BoundError

__all__ = ["Lease"]


class Lease:
    """Calls `on_lapse` once, in a thread of its own, when `renew` was not called for `limit` seconds."""

    def __init__(self, limit: float, on_lapse: Callable[[], None]) -> None:
        if not limit > 0:
            raise BoundError(f"a lease of {limit} s has lapsed before it begins")
        self.limit = limit
        self._on_lapse = on_lapse
        self._renewed = monotonic()
        self._changed = threading.Condition()
        self._closed = False
        self._lapsed = False
        self._thread = threading.Thread(target=self._watch, name="icm-lease", daemon=True)
        self._thread.start()

    @property
    def lapsed(self) -> bool:
        """Whether it came to an end without being closed."""
        return self._lapsed

    def renew(self) -> None:
        """Start the limit anew. Cheap, from any thread; a lapsed lease stays lapsed."""
        self._renewed = monotonic()  # one store: the watcher looks again when the old limit is over

    def close(self) -> None:
        """End the lease without lapsing. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _watch(self) -> None:
        with self._changed:
            while not self._closed:
                left = self._renewed + self.limit - monotonic()
                if left <= 0:
                    self._lapsed = True
                    break
                self._changed.wait(left)
        if self._lapsed:
            self._on_lapse()
