"""When a sender that cannot get rid of its bytes gives its peer up.

The peer may be busy for minutes, and then reads nothing: no fault. But it still sends heartbeats the other way, and
those can be seen in the kernel's buffer without reading them.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from icm_ray.errors import PeerSilent
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.failure import Failure, silent

__all__ = ["Liveness"]

_CERTAIN: Final = 8 << 10
"""With fewer unread bytes than this the receive window is surely open, and a living peer's heartbeat would get in."""


class Liveness:
    """Watches the incoming direction of a link on behalf of the outgoing one. Used by the sender thread alone."""

    def __init__(
        self, peer: str, config: TransportConfig, unread: Callable[[], int], last_heard: Callable[[], float]
    ) -> None:
        self._peer = peer
        self._config = config
        self._unread = unread
        self._last_heard = last_heard
        self._seen = 0
        self._changed_at = 0.0

    def timed_out(self, stuck_since: float) -> Failure | None:
        """Why the peer is to be given up, after it has taken nothing since `stuck_since`; None to go on waiting."""
        now = monotonic()
        unread = self._unread()
        if unread != self._seen:
            self._seen, self._changed_at = unread, now
        heard = max(stuck_since, self._changed_at, self._last_heard())
        if unread < _CERTAIN and now - heard > self._config.silence:
            return silent(self._peer, self._config.silence)
        if now - stuck_since > self._config.message_timeout:
            return Failure(
                PeerSilent, self._peer, f"it lives but took nothing off the link for {self._config.message_timeout:g} s"
            )
        return None
