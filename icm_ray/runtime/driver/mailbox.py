"""What the members of a lane said and nobody has taken yet: no more than they were asked for."""

from __future__ import annotations

import threading
from collections import Counter
from queue import SimpleQueue
from typing import Final

from icm_ray.errors import Desynchronised, FaultError
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.limits import ANSWER_BYTES

__all__ = ["Mailbox"]

_OVERHEAD: Final = 256
"""What the smallest answer takes here, about."""


class Mailbox:
    """Filled by the threads that listen, emptied by the one that waits for answers."""

    def __init__(self) -> None:
        self._said: SimpleQueue[tuple[str, int, say.Answer | FaultError]] = SimpleQueue()
        self._kept: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.limit = ANSWER_BYTES
        """Bytes that one member may have said, at most."""

    def expect(self, results: int) -> None:
        """From now on a member may send results of so many bytes."""
        self.limit = ANSWER_BYTES + results

    def put(self, name: str, answer: say.Answer, size: int) -> None:
        """Keep what a member said in `size` bytes. Raises `Desynchronised` where that is more than it was asked."""
        with self._lock:
            self._kept[name] += size + _OVERHEAD
            if self._kept[name] > self.limit:
                raise Desynchronised(f"{name} says more than it was asked for", party=name)
        self._said.put((name, size + _OVERHEAD, answer))

    def fail(self, name: str, error: FaultError) -> None:
        """A member's link failed, or it said what it must not."""
        self._said.put((name, 0, error))

    def get(self, timeout: float) -> tuple[str, say.Answer | FaultError]:
        """What was said first. Raises `queue.Empty` where nothing is within `timeout` seconds."""
        name, size, answer = self._said.get(timeout=timeout)
        with self._lock:
            self._kept[name] -= size
        return name, answer
