"""The sending half of a link: a bounded queue, one thread, and a heartbeat when there is nothing to say.

What the kernel takes at once leaves from the caller's own thread while nothing is queued: a hand-over costs more.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Final

from icm_ray.errors import PeerLost
from icm_ray.ops.seams import Frame
from icm_ray.profile import Part, spends
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.failure import Failure, lost, unforeseen
from icm_ray.transport.stream import Stream
from icm_ray.transport.wire import HEADER_BYTES, HEARTBEAT, NO_FRAME, Kind, encode, take

__all__ = ["Sender"]

_SMALL: Final = 64 << 10
"""What a caller that runs ahead still writes itself."""
_ROOM_CHECK: Final = 0.01
"""How often a sender that waits for room looks whether it can take in what the peer sends meanwhile."""
_NO_MEMORY: Final = 0.1
"""Seconds until a sender looks again that could not even wait, since the process has no memory."""


@dataclass(slots=True)
class _Outgoing:
    views: list[memoryview]
    weight: int
    """Bytes that count against the queue; 0 for heartbeats and goodbyes, which nobody waits for."""


class Sender:
    """Writes frames to one stream.

    `patience(since)` says whether a peer that has taken nothing since then is to be given up; `relieve()` is called,
    without locks, while `send` waits for room.
    """

    def __init__(
        self,
        peer: str,
        stream: Stream,
        config: TransportConfig,
        patience: Callable[[float], Failure | None],
        relieve: Callable[[], object],
    ) -> None:
        self.failure: Failure | None = None
        self._limit = config.queue_bytes
        self._direct = config.direct_bytes
        self._peer = peer
        self._stream = stream
        self._config = config
        self._patience = patience
        self._relieve = relieve
        self._changed = threading.Condition(threading.Lock())
        self._queue: deque[_Outgoing] = deque()
        self._weight = 0
        self._closing = False
        self._last_write = monotonic()
        self._slice = min(config.heartbeat, config.silence / 4)
        self._thread = threading.Thread(target=self._run, name=f"icm-send-{peer}", daemon=True)
        self._thread.start()

    def run_ahead(self, limit: int) -> None:
        """Let `limit` bytes wait. The caller has more to do meanwhile: it hands over all but small frames."""
        self._limit = limit
        self._direct = min(self._direct, _SMALL)

    def send(self, kind: Kind, frame: Frame, payload: list[memoryview], length: int) -> None:
        """Write or queue one frame; waits while the queue is full."""
        views = [memoryview(encode(kind, frame, length)), *payload]
        weight = HEADER_BYTES + length
        while True:
            with self._changed:
                if self.failure is not None:
                    raise self.failure.error(frame, "sending")
                if self._closing:
                    raise Failure(PeerLost, self._peer, "the link was closed on this side").error(frame, "sending")
                if not self._queue and weight <= self._direct:
                    self._write_now(views, frame)
                    if not views:
                        return
                if not self._weight or self._weight + weight <= self._limit:
                    self._queue.append(_Outgoing(views, weight))
                    self._weight += weight
                    self._changed.notify_all()
                    return
                with spends(Part.PEERS):
                    self._changed.wait(_ROOM_CHECK)
            self._relieve()

    def _write_now(self, views: list[memoryview], frame: Frame) -> None:
        try:
            while views and (sent := self._stream.send_some(views)):
                take(views, sent)
        except OSError as error:
            failure = lost(self._peer, error)
            self._fail(failure)
            raise failure.error(frame, "sending") from error
        self._last_write = monotonic()

    def _fail(self, failure: Failure) -> None:
        if self.failure is None:
            self.failure = failure
        self._queue.clear()
        self._weight = 0
        self._changed.notify_all()

    def _run(self) -> None:
        while True:
            try:
                item = self._next()
            except MemoryError:  # others have it, and give it back; without a heartbeat this looks like a dead peer
                sleep(_NO_MEMORY)
                continue
            if item is None:
                return
            try:
                failure = self._write(item)
            except OSError as error:
                failure = lost(self._peer, error)
            except Exception as error:  # noqa: BLE001 - senders wait for this thread
                failure = unforeseen(self._peer, error)
            with self._changed:
                if failure is not None:
                    self._fail(failure)
                if self.failure is not None:
                    return
                self._queue.popleft()
                self._weight -= item.weight
                self._last_write = monotonic()
                self._changed.notify_all()

    def _next(self) -> _Outgoing | None:
        """Wait for something to write; the item stays in the queue, so that nobody writes beside this thread."""
        with self._changed:
            while self.failure is None:
                if self._queue:
                    return self._queue[0]
                if self._closing:
                    return None
                idle = monotonic() - self._last_write
                if idle >= self._config.heartbeat:
                    self._queue.append(_Outgoing([memoryview(HEARTBEAT)], 0))
                else:
                    self._changed.wait(self._config.heartbeat - idle)
            return None

    def _write(self, item: _Outgoing) -> Failure | None:
        """Write one item. A peer that takes nothing is given up only while something but a heartbeat waits: a link that
        nobody reads for hours fills up with heartbeats and is no fault."""
        views, stuck_since = item.views, 0.0
        while views:
            sent = self._stream.send_some(views)
            if sent:
                take(views, sent)
                stuck_since = 0.0
                continue
            if not stuck_since or not self._weight:
                stuck_since = monotonic()
            if not self._stream.wait_writable(self._slice) and self._weight:
                failure = self._patience(stuck_since)
                if failure is not None:
                    return failure
        return None

    def finish(self, timeout: float) -> None:
        """Write what is queued and a goodbye, within `timeout`; then end the thread. Idempotent."""
        with self._changed:
            if not self._closing:
                self._closing = True
                self._queue.append(_Outgoing([memoryview(encode(Kind.GOODBYE, NO_FRAME, 0))], 0))
                self._changed.notify_all()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
            if self._thread.is_alive():
                self._stream.shutdown()
                self._thread.join()

    def abort(self) -> None:
        """Drop what is queued and fail every later call."""
        self._stream.shutdown()
        with self._changed:
            self._fail(Failure(PeerLost, self._peer, "the link was aborted on this side"))
