"""A link over two TCP sockets, one for each direction, sealed or not.

Two, so that each direction has one writer, one reader and one key, and both run at full speed at the same time. Both
are dialled by the initiator; only the other side has to be reachable.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import FaultError, PeerLost, SessionError, ShapeError
from icm_ray.ops.seams import Counters, Frame, Words
from icm_ray.transport.channel import make_stream
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.dial import dial
from icm_ray.transport.failure import Failure
from icm_ray.transport.hello import Direction
from icm_ray.transport.identity import Identity
from icm_ray.transport.listener import Listener
from icm_ray.transport.listening import Listening
from icm_ray.transport.liveness import Liveness
from icm_ray.transport.pending_links import Endpoint
from icm_ray.transport.receiver import Receiver
from icm_ray.transport.sender import Sender
from icm_ray.transport.stream import Stream
from icm_ray.transport.wire import NO_FRAME, Kind, byte_views, writable_views

__all__ = ["TcpLink", "open_link"]


class TcpLink:
    """The `Link` of the real world. Made by `open_link`.

    Fails for good with its first failure; every later call repeats it with its own place. Queued frames are the
    caller's arrays, not copies.
    """

    def __init__(self, peer: str, name: str, incoming: Stream, outgoing: Stream, config: TransportConfig) -> None:
        self.peer = peer
        self.name = name
        self.counters = Counters()
        self._config = config
        self._incoming = incoming
        self._outgoing = outgoing
        self._listening = Listening(peer)
        self._closing = threading.Lock()
        self._closed = False
        self._receiver = Receiver(peer, incoming, config, lambda: self._sender.failure)
        liveness = Liveness(peer, config, incoming.unread, lambda: self._receiver.last_heard)
        self._sender = Sender(peer, outgoing, config, liveness.timed_out, self._receiver.read_ahead)

    @property
    def last_heard(self) -> float:
        """When this process last read anything of the peer's, heartbeats included (`time.monotonic`).

        Only fresh while somebody receives, or after `start_listening`.
        """
        return self._receiver.last_heard

    def send(self, frame: Frame, parts: Sequence[Words]) -> None:
        views = byte_views(parts)
        length = sum(map(len, views))
        if length > self._config.max_frame_bytes:
            raise ShapeError(
                f"a frame of {length} bytes; the limit is {self._config.max_frame_bytes}: send it in pieces"
            )
        self._send(Kind.DATA, frame, views, length)

    def receive(self, frame: Frame, parts: Sequence[Words]) -> None:
        self._listening.check_none()
        views = writable_views(parts)
        length = sum(map(len, views))
        self._receiver.data(frame, views, length)
        self._received(length)

    def receive_any(self, frame: Frame) -> tuple[int, int, NDArray[np.uint8]]:
        self._listening.check_none()
        step, tag, payload = self._receiver.any_data(frame)
        self._received(payload.nbytes)
        return step, tag, payload

    def read_ahead(self) -> int:
        return self._receiver.read_ahead()

    def set_send_buffer(self, queued: int) -> None:
        self._sender.run_ahead(queued)

    def set_receive_limits(self, frame: int, ahead: int) -> None:
        self._receiver.set_limits(frame, ahead)

    def set_message_limit(self, largest: int) -> None:
        self._receiver.set_message_limit(largest)

    def send_message(self, payload: bytes) -> None:
        if len(payload) > self._config.max_message_bytes:
            raise ShapeError(f"a message of {len(payload)} bytes; the limit is {self._config.max_message_bytes}")
        self._send(Kind.MESSAGE, NO_FRAME, [memoryview(payload)] if payload else [], len(payload))

    def receive_message(self, timeout: float | None = None) -> bytes:
        self._listening.check_none()
        return self._message(timeout)

    def start_listening(
        self,
        on_message: Callable[[bytes], None],
        on_heard: Callable[[], None] | None = None,
        on_lost: Callable[[FaultError], None] | None = None,
    ) -> None:
        """Read control messages in a background thread from now on; `receive*` is then refused.

        `on_message` gets each message, and raises a `FaultError` for one that must not be; `on_heard` is called for
        every sign of life, heartbeats too: renew a lease there, but do not close the link; `on_lost` once, when the
        link fails, such a message came or anything else was raised, but not after this side's own `close`. All run in
        that thread.
        """
        self._listening.check_none()
        self._receiver.on_heard = on_heard
        self._listening.start(lambda: self._message(float("inf")), on_message, on_lost, lambda: self._closed)

    def close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._sender.finish(self._config.flush_timeout)
            self._release()

    def abort(self) -> None:
        """Close without sending what is queued, and without a goodbye: to the peer this looks like a dead process."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._sender.abort()
            self._sender.finish(self._config.flush_timeout)
            self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"TcpLink(peer={self.peer!r}, name={self.name!r})"

    def _send(self, kind: Kind, frame: Frame, views: list[memoryview], length: int) -> None:
        self._sender.send(kind, frame, views, length)
        self.counters.sent_bytes += length
        self.counters.sent_frames += 1

    def _message(self, timeout: float | None) -> bytes:
        payload = self._receiver.message(timeout)
        self._received(len(payload))
        return payload

    def _received(self, length: int) -> None:
        self.counters.received_bytes += length
        self.counters.received_frames += 1

    def _release(self) -> None:
        """Wake whoever still receives, wait until it has left, and give the file descriptors back."""
        if self._receiver.failure is None:
            self._receiver.failure = Failure(PeerLost, self.peer, "the link was closed on this side")
        self._incoming.shutdown()
        self._listening.join()
        with self._receiver.lock:
            self._incoming.close()
        self._outgoing.close()


def open_link(
    identity: Identity,
    listener: Listener | None,
    peer: Endpoint,
    name: str,
    initiator: bool,
    config: TransportConfig | None = None,
    tls: bool = True,
) -> TcpLink:
    """Open the link `name` to `peer`: dial it (`initiator`) or wait for it to dial our `listener`.

    Both sides pass the same name, once. A party that opens several links one after the other announces those that it
    waits for with `listener.expect` first; then no order of opening can block. Returns within `config.connect_timeout`
    or raises PeerRefused, PeerSilent, PeerLost or AddressReused. With `tls=False` nothing is authenticated or
    encrypted.
    """
    config = config or (listener.config if listener is not None else TransportConfig())
    if initiator:
        if listener is not None:
            listener.use(name)
        channels = dial(identity, peer, name, config, tls)
        incoming, outgoing = channels[Direction.BACK], channels[Direction.FORTH]
    else:
        if listener is None or listener.tls != tls:
            raise SessionError(f"waiting for link {name!r} needs a listener {'with' if tls else 'without'} TLS")
        channels = listener.claim(name, peer)
        incoming, outgoing = channels[Direction.FORTH], channels[Direction.BACK]
    return TcpLink(peer.name, name, make_stream(incoming, config), make_stream(outgoing, config), config)
