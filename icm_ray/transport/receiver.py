"""The receiving half of a link, run by whoever receives: skips heartbeats, compares headers, fills arrays in place."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import Desynchronised, FaultError, PeerLost, PeerSilent
from icm_ray.ops.seams import Frame
from icm_ray.profile import Part, spends
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.failure import Failure, lost, silent
from icm_ray.transport.stream import Stream
from icm_ray.transport.wire import HEADER_BYTES, NO_FRAME, Kind, decode, describe, encode, kind_of

__all__ = ["Receiver"]

_BUFFER: Final = 64 << 10
_GRACE: Final = 1.0
"""Past its deadline a wait still takes what is there already; a peer that floods it must not make it endless."""
_CARRYING: Final = frozenset({int(Kind.DATA), int(Kind.MESSAGE)})
_DIRECT: Final = 32 << 10
"""From this size on, bytes go straight into the caller's array rather than through the buffer."""


@dataclass(slots=True, eq=False)
class _Whole:
    """A frame that came."""

    head: bytes
    kind: Kind
    frame: Frame
    payload: NDArray[np.uint8] = field(repr=False)


class Receiver:
    """Reads frames from one stream.

    `outgoing_failure` is asked whenever only a heartbeat came: half a link is no link.
    """

    def __init__(
        self,
        peer: str,
        stream: Stream,
        config: TransportConfig,
        outgoing_failure: Callable[[], Failure | None],
    ) -> None:
        self.last_heard = monotonic()
        self.failure: Failure | None = None
        self.on_heard: Callable[[], None] | None = None
        self.lock = threading.Lock()
        self._peer = peer
        self._stream = stream
        self._config = config
        self._outgoing_failure = outgoing_failure
        self._buffer = memoryview(bytearray(_BUFFER))
        self._start = 0
        self._end = 0
        self._backlog: deque[_Whole] = deque()
        self._backlog_bytes = 0
        self._largest = config.max_frame_bytes
        self._largest_message = config.max_message_bytes
        self._ahead = config.read_ahead_bytes

    def set_limits(self, frame: int, ahead: int) -> None:
        """As `Link.set_receive_limits`."""
        self._largest, self._ahead = frame, ahead

    def set_message_limit(self, largest: int) -> None:
        """As `Link.set_message_limit`."""
        self._largest_message = min(largest, self._config.max_message_bytes)

    def data(self, frame: Frame, views: list[memoryview], length: int) -> None:
        """Fill `views` with the next frame, which must be `frame` with `length` payload bytes."""
        expected = encode(Kind.DATA, frame, length)
        with self.lock:
            if self._backlog:
                whole = self._from_backlog()
                if whole.head != expected:
                    self._mismatch(whole.head, frame, length)
                _scatter(whole.payload, views)
                return
            head = self._header(frame, self._config.message_timeout)
            if head != expected:
                self._mismatch(head, frame, length)
            self._fill(views, frame)

    def any_data(self, frame: Frame) -> tuple[int, int, NDArray[np.uint8]]:
        """Step, tag and payload of the next frame, which must be of the address of `frame`."""
        with self.lock:
            whole = self._whole(frame, self._config.message_timeout)
            got = whole.frame
            if whole.kind is not Kind.DATA or got.address != frame.address:
                self._mismatch(whole.head, frame, None)
            return got.step, got.tag, whole.payload

    def message(self, timeout: float | None) -> bytes:
        """The next frame, which must be a control message. A `timeout` that passes leaves the link as it was."""
        limit = self._config.message_timeout if timeout is None else timeout
        with self.lock:
            whole = self._whole(NO_FRAME, limit)
            if whole.kind is not Kind.MESSAGE:
                self._mismatch(whole.head, NO_FRAME, None)
            return whole.payload.tobytes()

    def read_ahead(self) -> int:
        """Take in one frame if one is there and nobody is receiving, so that two peers with full queues both get on."""
        if self.failure is not None or not self.lock.acquire(blocking=False):
            return 0
        try:
            if self._available() and self._backlog_bytes < self._ahead:
                whole = self._read_whole(NO_FRAME, 0.0)
                self._backlog.append(whole)
                self._backlog_bytes += whole.payload.nbytes
                return HEADER_BYTES + whole.payload.nbytes
        except (PeerSilent, PeerLost, Desynchronised):
            return 0  # heartbeats alone, or a failure that is kept and raised to whoever receives next
        finally:
            self.lock.release()
        return 0

    def _available(self) -> bool:
        return self._start < self._end or self._stream.pending() or self._stream.unread() > 0

    def _from_backlog(self) -> _Whole:
        whole = self._backlog.popleft()
        self._backlog_bytes -= whole.payload.nbytes
        return whole

    def _whole(self, frame: Frame, timeout: float) -> _Whole:
        return self._from_backlog() if self._backlog else self._read_whole(frame, timeout)

    def _read_whole(self, frame: Frame, timeout: float) -> _Whole:
        head = self._header(frame, timeout)
        kind, got, length = self._decoded(head, frame)
        limit = self._largest_message if kind is Kind.MESSAGE else self._largest
        if length > limit:
            self._broken(Failure(Desynchronised, self._peer, f"announced {length} bytes; the limit is {limit}"), frame)
        try:
            payload = np.empty(length, np.uint8)
        except MemoryError:
            self._broken(Failure(FaultError, self._peer, f"no memory for the {length} bytes that it announced"), frame)
        if length:
            self._fill([payload.data], frame)
        return _Whole(head, kind, got, payload)

    def _header(self, frame: Frame, timeout: float) -> bytes:
        """The next header that is no heartbeat. Until it is complete nothing is consumed, so a timeout does no harm."""
        deadline = 0.0
        while True:
            while self._end - self._start < HEADER_BYTES:
                deadline = deadline or monotonic() + timeout
                self._pull(frame, deadline)
            head = bytes(self._buffer[self._start : self._start + HEADER_BYTES])
            self._start += HEADER_BYTES
            kind = kind_of(head)
            if kind in _CARRYING:
                return head
            _, _, length = self._decoded(head, frame)
            if length:
                self._broken(Failure(Desynchronised, self._peer, "sent a heartbeat with a payload"), frame)
            if kind == Kind.GOODBYE:
                self._broken(Failure(PeerLost, self._peer, "it closed the link"), frame)
            # What the peer sent before it went is still read: its last message may say why.
            failure = self._outgoing_failure()
            if failure is not None and not self._available():
                raise failure.error(frame, "receiving")

    @spends(Part.WIRE)  # whoever receives says whom it waits for, until here
    def _fill(self, views: list[memoryview], frame: Frame) -> None:
        deadline = 0.0
        for whole in views:
            view = whole
            while left := len(view):
                if ready := min(self._end - self._start, left):
                    view[:ready] = self._buffer[self._start : self._start + ready]
                    self._start += ready
                    view = view[ready:]
                    continue
                deadline = deadline or monotonic() + self._config.message_timeout
                if left >= _DIRECT:
                    view = view[self._read(view, frame, deadline, within=True) :]
                else:
                    self._pull(frame, deadline, within=True)

    def _pull(self, frame: Frame, deadline: float, *, within: bool = False) -> None:
        """Add what arrives next to the buffer."""
        if self._start == self._end:
            self._start = self._end = 0
        elif self._end == _BUFFER:
            rest = bytes(self._buffer[self._start :])
            self._buffer[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
        self._end += self._read(self._buffer[self._end :], frame, deadline, within=within)

    def _read(self, view: memoryview, frame: Frame, deadline: float, *, within: bool) -> int:
        """At least one byte into `view`. `within` a frame a timeout is final: the rest would be taken for a header."""
        if self.failure is not None:
            raise self.failure.error(frame, "receiving")
        left = deadline - monotonic()
        silence = self._config.silence
        try:
            if left < -_GRACE:
                raise TimeoutError
            count = self._stream.receive_into(view, min(left, silence))
        except TimeoutError:
            if left > silence:
                self._broken(silent(self._peer, silence), frame)
            late = Failure(PeerSilent, self._peer, "what was waited for did not come in time")
            if within:
                self._broken(late, frame)
            raise late.error(frame, "receiving") from None
        except OSError as error:
            self._broken(lost(self._peer, error), frame)
        if count == 0:
            self._broken(Failure(PeerLost, self._peer, "the connection ended"), frame)
        self.last_heard = monotonic()
        if self.on_heard is not None:
            self.on_heard()
        return count

    def _decoded(self, head: bytes, frame: Frame) -> tuple[Kind, Frame, int]:
        decoded = decode(head)
        if decoded is None:
            self._broken(Failure(Desynchronised, self._peer, "sent bytes that are no frame of this version"), frame)
        return decoded

    def _mismatch(self, head: bytes, frame: Frame, length: int | None) -> NoReturn:
        kind, got, size = self._decoded(head, frame)
        wanted = "a control message" if frame is NO_FRAME else describe(Kind.DATA, frame, length)
        reason = f"sent {describe(kind, got, size)} where {wanted} was due"
        self._broken(Failure(Desynchronised, self._peer, reason), frame)

    def _broken(self, failure: Failure, frame: Frame) -> NoReturn:
        """Raise, now and at every later call. The first failure is the one that stays."""
        if self.failure is None:
            self.failure = failure
        raise self.failure.error(frame, "receiving")


@spends(Part.WIRE)
def _scatter(payload: NDArray[np.uint8], views: list[memoryview]) -> None:
    source, start = payload.data, 0
    for view in views:
        view[:] = source[start : start + len(view)]
        start += len(view)
