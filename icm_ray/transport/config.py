"""Limits and sizes of the transport."""

from __future__ import annotations

from dataclasses import dataclass, fields

from icm_ray.errors import BoundError

__all__ = ["TransportConfig"]

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
_MAY_BE_ZERO = {"spin", "socket_buffer"}


@dataclass(frozen=True, slots=True)
class TransportConfig:
    """Times in seconds, sizes in bytes. Both ends of a link should use the same.

    A peer is *silent* when not one byte came for `silence`; a peer that lives (heartbeats come) but does not deliver
    is given `message_timeout`. Memory links have no heartbeats: there `message_timeout` alone ends a wait.
    """

    heartbeat: float = 2.0
    silence: float = 10.0
    message_timeout: float = 600.0
    connect_timeout: float = 30.0
    flush_timeout: float = 5.0
    spin: float = 5e-5
    """How long a receiver looks for bytes before it sleeps, as long as that finds some: cuts a round trip from 90 us to
    20 us where every party has a core, and stops by itself where cores are short. 0 switches it off."""
    queue_bytes: int = 64 * MIB
    """What may wait to be sent on one link; a single larger frame is admitted when nothing else waits."""
    read_ahead_bytes: int = GIB
    """What a sender that waits for room may take in from its peer, so that two senders never wait for each other; a
    program's plan sets another limit for its runs."""
    direct_bytes: int = 16 * MIB
    """Of frames up to this size the calling thread writes what the kernel takes at once; the sender thread is woken for
    the rest. 3 to 10 % of a run on loopback, where no core is idle."""
    socket_buffer: int = 0
    """Fixed size of the kernel's buffers; 0 lets the kernel grow them with the connection, which measured faster on
    loopback (2.8 against 2.5 GB/s at 4 MiB) and reaches further on long lines."""
    max_frame_bytes: int = 4 * GIB
    max_message_bytes: int = 256 * MIB
    max_pending: int = 128
    """Connections that a listener examines or parks at once; for one more the oldest that says nothing is dropped."""
    max_pending_per_source: int = 64
    """The same, of connections from one address."""
    hello_timeout: float = 5.0
    """Seconds for a connection's first words, and again for its TLS handshake."""
    dial_tries: int = 5
    """How often a connection is tried that ends before it was answered, as it does where a listener is beset."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if not value >= 0 or (value == 0 and item.name not in _MAY_BE_ZERO):
                raise BoundError(f"TransportConfig.{item.name} is {value!r}; it must be positive")
        if self.silence < 2 * self.heartbeat:
            raise BoundError(
                f"silence ({self.silence} s) must be at least twice the heartbeat ({self.heartbeat} s), "
                "or one late heartbeat looks like a dead peer"
            )
