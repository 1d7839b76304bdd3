"""Links inside one process: same contract, no sockets, and an exact transcript if one is wanted."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Self

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import BoundError, Desynchronised, FaultError, PeerLost, PeerSilent, ShapeError
from icm_ray.ops.seams import Counters, Frame, Words
from icm_ray.profile import Part, spends
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.failure import Failure
from icm_ray.transport.listening import Listening
from icm_ray.transport.wire import NO_FRAME, Kind, byte_views, describe, encode, writable_views

__all__ = ["MemoryLink", "Received", "Transcript", "memory_links", "memory_pair"]


@dataclass(frozen=True, slots=True)
class Received:
    """One frame as its receiver saw it; `frame` is None for a control message. Copies: nobody else holds the arrays."""

    sender: str
    receiver: str
    frame: Frame | None
    parts: tuple[Words, ...] = field(repr=False)

    @property
    def step(self) -> int:
        """The step of the frame; 0 for messages."""
        return self.frame.step if self.frame is not None else 0

    @property
    def tag(self) -> int:
        """The tag of the frame; 0 for messages."""
        return self.frame.tag if self.frame is not None else 0

    @property
    def payload(self) -> bytes:
        """All bytes of the frame, in order."""
        return b"".join(part.tobytes() for part in self.parts)


class Transcript:
    """Everything that any party received, in the order in which each received it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._received: list[Received] = []

    def add(self, received: Received) -> None:
        """Record one frame."""
        with self._lock:
            self._received.append(received)

    def of(self, receiver: str, sender: str | None = None) -> list[Received]:
        """What `receiver` got, from `sender` alone if one is given."""
        with self._lock:
            return [item for item in self._received if item.receiver == receiver and sender in (None, item.sender)]

    def __len__(self) -> int:
        with self._lock:
            return len(self._received)


class _Pipe:
    """One direction. Not bounded: in one process the frames of a sender that runs ahead cost memory anyway."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.frames: deque[tuple[Kind, Frame, tuple[Words, ...]]] = deque()
        self.ended = False
        """The sender closed: what is in the pipe can still be received."""
        self.unread = False
        """The receiver closed."""


class MemoryLink:
    """One party's end of two pipes. A frame is copied when it is sent."""

    def __init__(
        self,
        owner: str,
        peer: str,
        incoming: _Pipe,
        outgoing: _Pipe,
        config: TransportConfig,
        transcript: Transcript | None,
    ) -> None:
        self.peer = peer
        self.counters = Counters()
        self._owner = owner
        self._incoming = incoming
        self._outgoing = outgoing
        self._config = config
        self._transcript = transcript
        self._failure: Failure | None = None
        self._closed = False
        self._largest = config.max_frame_bytes
        self._largest_message = config.max_message_bytes
        self._listening = Listening(peer)

    def send(self, frame: Frame, parts: Sequence[Words]) -> None:
        length = sum(map(len, byte_views(parts)))
        if length > self._config.max_frame_bytes:
            raise ShapeError(
                f"a frame of {length} bytes; the limit is {self._config.max_frame_bytes}: send it in pieces"
            )
        encode(Kind.DATA, frame, length)  # what would not fit on the wire does not fit here either
        self._put(Kind.DATA, frame, tuple(np.array(part) for part in parts), length)

    def receive(self, frame: Frame, parts: Sequence[Words]) -> None:
        self._listening.check_none()
        views = writable_views(parts)
        kind, got, payload = self._next(frame, None)
        if kind is not Kind.DATA or got != frame or payload.nbytes != sum(map(len, views)):
            raise self._desynchronised(frame, kind, got, payload.nbytes)
        source, start = payload.data, 0
        with spends(Part.WIRE):  # whoever receives says whom it waits for, until here
            for view in views:
                view[:] = source[start : start + len(view)]
                start += len(view)

    def receive_any(self, frame: Frame) -> tuple[int, int, NDArray[np.uint8]]:
        self._listening.check_none()
        kind, got, payload = self._next(frame, None)
        if kind is not Kind.DATA or got.address != frame.address or payload.nbytes > self._largest:
            raise self._desynchronised(frame, kind, got, payload.nbytes)
        return got.step, got.tag, payload

    def read_ahead(self) -> int:
        return 0  # pipes take in everything anyway

    def set_send_buffer(self, queued: int) -> None:
        pass

    def set_receive_limits(self, frame: int, ahead: int) -> None:
        self._largest = frame

    def set_message_limit(self, largest: int) -> None:
        self._largest_message = min(largest, self._config.max_message_bytes)

    def send_message(self, payload: bytes) -> None:
        if len(payload) > self._config.max_message_bytes:
            raise ShapeError(f"a message of {len(payload)} bytes; the limit is {self._config.max_message_bytes}")
        self._put(Kind.MESSAGE, NO_FRAME, (np.frombuffer(payload, np.uint8),), len(payload))

    def receive_message(self, timeout: float | None = None) -> bytes:
        self._listening.check_none()
        return self._message(timeout)

    def _message(self, timeout: float | None) -> bytes:
        kind, got, payload = self._next(NO_FRAME, timeout)
        if kind is not Kind.MESSAGE or payload.nbytes > self._largest_message:
            raise self._desynchronised(NO_FRAME, kind, got, payload.nbytes)
        return payload.tobytes()

    def start_listening(
        self,
        on_message: Callable[[bytes], None],
        on_heard: Callable[[], None] | None = None,
        on_lost: Callable[[FaultError], None] | None = None,
    ) -> None:
        """As `TcpLink.start_listening`. The peer lives in this process: as long as that does, it is heard."""

        def read() -> bytes:
            while True:
                payload = None
                with suppress(PeerSilent):
                    payload = self._message(self._config.heartbeat)
                if on_heard is not None:  # whether or not there was a message: a busy peer lives
                    on_heard()
                if payload is not None:
                    return payload

        self._listening.start(read, on_message, on_lost, lambda: self._closed)

    def close(self) -> None:
        self.abort()
        self._listening.join()

    def abort(self) -> None:
        """Close. What was sent stays with the peer; whoever waits here is woken."""
        self._closed = True
        with self._outgoing.changed:
            self._outgoing.ended = True
            self._outgoing.changed.notify_all()
        with self._incoming.changed:
            self._incoming.unread = True
            self._incoming.changed.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"MemoryLink({self._owner!r} to {self.peer!r})"

    def _put(self, kind: Kind, frame: Frame, parts: tuple[Words, ...], length: int) -> None:
        with self._outgoing.changed:
            if self._closed:
                raise Failure(PeerLost, self.peer, "the link was closed on this side").error(frame, "sending")
            if self._outgoing.unread:
                raise Failure(PeerLost, self.peer, "it closed the link").error(frame, "sending")
            self._outgoing.frames.append((kind, frame, parts))
            self._outgoing.changed.notify_all()
        self.counters.sent_bytes += length
        self.counters.sent_frames += 1

    def _next(self, frame: Frame, timeout: float | None) -> tuple[Kind, Frame, NDArray[np.uint8]]:
        pipe = self._incoming
        if self._failure is not None:
            raise self._failure.error(frame, "receiving")
        deadline = monotonic() + (self._config.message_timeout if timeout is None else timeout)
        with pipe.changed:
            while self._closed or not pipe.frames:
                if self._closed:
                    raise Failure(PeerLost, self.peer, "the link was closed on this side").error(frame, "receiving")
                if pipe.ended:
                    raise Failure(PeerLost, self.peer, "it closed the link").error(frame, "receiving")
                left = deadline - monotonic()
                if left <= 0:
                    reason = "what was waited for did not come in time"
                    raise Failure(PeerSilent, self.peer, reason).error(frame, "receiving")
                pipe.changed.wait(left)
            kind, got, parts = pipe.frames.popleft()
        payload = np.concatenate([np.empty(0, np.uint8), *(part.reshape(-1).view(np.uint8) for part in parts)])
        if self._transcript is not None:
            self._transcript.add(Received(self.peer, self._owner, got if kind is Kind.DATA else None, parts))
        self.counters.received_bytes += payload.nbytes
        self.counters.received_frames += 1
        return kind, got, payload

    def _desynchronised(self, frame: Frame, kind: Kind, got: Frame, length: int) -> FaultError:
        wanted = "a control message" if frame is NO_FRAME else describe(Kind.DATA, frame, None)
        reason = f"sent {describe(kind, got, length)} where {wanted} was due"
        self._failure = Failure(Desynchronised, self.peer, reason)
        return self._failure.error(frame, "receiving")


def memory_links(
    names: Sequence[str], config: TransportConfig | None = None, transcript: Transcript | None = None
) -> dict[str, dict[str, MemoryLink]]:
    """A full mesh: `links["alice"]["bob"]` is alice's end of her link to bob."""
    config = config or TransportConfig(message_timeout=60.0)
    if len(set(names)) != len(names):
        raise BoundError(f"names of parties must differ: {list(names)}")
    pipes = {(a, b): _Pipe() for a in names for b in names if a != b}
    return {
        a: {b: MemoryLink(a, b, pipes[b, a], pipes[a, b], config, transcript) for b in names if b != a} for a in names
    }


def memory_pair(one: str, other: str, config: TransportConfig) -> tuple[MemoryLink, MemoryLink]:
    """Both ends of one link, each side named."""
    there, back = _Pipe(), _Pipe()
    return MemoryLink(one, other, back, there, config, None), MemoryLink(other, one, there, back, config, None)
