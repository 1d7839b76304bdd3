"""A slow network on a fast machine, for benchmarks."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Final

from icm_ray.errors import BoundError, IcmError, PeerLost
from icm_ray.ops.seams import Frame, Link, Words
from icm_ray.transport.failure import Failure
from icm_ray.transport.forwarding import ForwardingLink
from icm_ray.transport.wire import HEADER_BYTES

__all__ = ["DelayedLink"]

_FLUSH: Final = 5.0


class DelayedLink(ForwardingLink):
    """Frames sent here leave rtt/2 later, and no faster than `mbit` (megabits a second) lets them.

        on the wire   t_k = max(now, t_{k-1}) + bits_k / rate
        delivered     t_k + rtt / 2

    Any number of frames is on its way at once. Both ends wrap their own link; the receiving side is not delayed again.
    The counters are the inner link's and so count a sent frame when it leaves.
    """

    def __init__(self, link: Link, rtt_ms: float, mbit: float | None = None, queue_bytes: int = 256 << 20) -> None:
        if rtt_ms < 0 or (mbit is not None and mbit <= 0):
            raise BoundError(f"a network with a round trip of {rtt_ms} ms and {mbit} Mbit/s does not exist")
        super().__init__(link)
        self._latency = rtt_ms / 2000.0
        self._seconds_per_byte = 8.0 / (mbit * 1e6) if mbit is not None else 0.0
        self._limit = queue_bytes
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, int, Callable[[], None]]] = deque()
        self._bytes = 0
        self._wire_free = 0.0
        self._failure = ""
        self._closing = False
        self._thread = threading.Thread(target=self._deliver, name=f"icm-delay-{link.peer}", daemon=True)
        self._thread.start()

    def send(self, frame: Frame, parts: Sequence[Words]) -> None:
        self._put(frame, sum(part.nbytes for part in parts), lambda: self._link.send(frame, parts))

    def send_message(self, payload: bytes) -> None:
        self._put(None, len(payload), lambda: self._link.send_message(payload))

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(_FLUSH + self._latency)
        with self._changed:
            self._waiting.clear()
            self._changed.notify_all()
        self._link.close()
        self._thread.join()

    def abort(self) -> None:
        """Close without sending what is on its way. Idempotent."""
        with self._changed:
            self._closing = True
            self._waiting.clear()
            self._changed.notify_all()
        self.close()

    def _put(self, frame: Frame | None, length: int, deliver: Callable[[], None]) -> None:
        size = HEADER_BYTES + length
        with self._changed:
            self._changed.wait_for(
                lambda: self._failure or self._closing or not self._bytes or self._bytes + size <= self._limit
            )
            if self._failure:
                raise Failure(PeerLost, self.peer, f"the delayed link failed: {self._failure}").error(frame, "sending")
            if self._closing:
                raise Failure(PeerLost, self.peer, "the link was closed on this side").error(frame, "sending")
            self._wire_free = max(monotonic(), self._wire_free) + size * self._seconds_per_byte
            self._waiting.append((self._wire_free + self._latency, size, deliver))
            self._bytes += size
            self._changed.notify_all()

    def _deliver(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                due, size, deliver = self._waiting[0]
                if (left := due - monotonic()) > 0:
                    self._changed.wait(left)
                    continue
            try:
                deliver()
            except Exception as error:  # noqa: BLE001 - senders wait for this thread
                with self._changed:
                    self._failure = error.message if isinstance(error, IcmError) else type(error).__name__
                    self._waiting.clear()
                    self._changed.notify_all()
                return
            with self._changed:
                if self._waiting:  # unless close() dropped what was left
                    self._waiting.popleft()
                self._bytes -= size
                self._changed.notify_all()
