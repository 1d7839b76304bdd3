"""A link in front of another one: what wraps a link changes some of its methods and leaves the others as they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.seams import Frame, Link, Words

__all__ = ["ForwardingLink"]


class ForwardingLink:
    """Every method is the inner link's; the counters are the same object."""

    def __init__(self, link: Link) -> None:
        self.peer = link.peer
        self.counters = link.counters
        self._link = link

    def send(self, frame: Frame, parts: Sequence[Words]) -> None:
        self._link.send(frame, parts)

    def receive(self, frame: Frame, parts: Sequence[Words]) -> None:
        self._link.receive(frame, parts)

    def receive_any(self, frame: Frame) -> tuple[int, int, NDArray[np.uint8]]:
        return self._link.receive_any(frame)

    def read_ahead(self) -> int:
        return self._link.read_ahead()

    def set_send_buffer(self, queued: int) -> None:
        self._link.set_send_buffer(queued)

    def set_receive_limits(self, frame: int, ahead: int) -> None:
        self._link.set_receive_limits(frame, ahead)

    def set_message_limit(self, largest: int) -> None:
        self._link.set_message_limit(largest)

    def send_message(self, payload: bytes) -> None:
        self._link.send_message(payload)

    def receive_message(self, timeout: float | None = None) -> bytes:
        return self._link.receive_message(timeout)

    def close(self) -> None:
        self._link.close()
