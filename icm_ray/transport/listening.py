"""The background thread that reads a link's control messages."""

from __future__ import annotations

import threading
from collections.abc import Callable

from icm_ray.errors import FaultError, SessionError
from icm_ray.transport.failure import unforeseen

__all__ = ["Listening"]


class Listening:
    """None until `start`; from then on nobody else may read."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._thread: threading.Thread | None = None

    def check_none(self) -> None:
        """Raise `SessionError` where the thread reads the link."""
        if self._thread is not None:
            raise SessionError(f"the link to {self._peer} is read by its background thread (start_listening)")

    def start(
        self,
        read: Callable[[], bytes],
        on_message: Callable[[bytes], None],
        on_lost: Callable[[FaultError], None] | None,
        closed: Callable[[], bool],
    ) -> None:
        """Give every message that `read` waits for to `on_message`; `on_lost` hears what ends that, once.

        closed: whether the link was closed on this side, after which its end is no news.
        """
        self.check_none()

        def ended(error: Exception) -> None:
            if on_lost is not None and not closed():
                lost = (
                    error if isinstance(error, FaultError) else unforeseen(self._peer, error).error(None, "listening")
                )
                on_lost(lost)

        def listen() -> None:
            try:
                while True:
                    on_message(read())
            except Exception as error:  # noqa: BLE001 - or whoever waits for what it says would wait in vain
                ended(error)

        self._thread = threading.Thread(target=listen, name=f"icm-listen-{self._peer}", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait until the thread has left, unless this is it."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
