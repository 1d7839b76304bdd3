"""Links that misbehave on purpose, for tests of what happens then."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from icm_ray.errors import PeerLost
from icm_ray.ops.seams import Frame, Link, Words
from icm_ray.transport.failure import Failure
from icm_ray.transport.forwarding import ForwardingLink

__all__ = ["Fault", "FaultKind", "FaultLink"]


class FaultKind(Enum):
    """What goes wrong."""

    DROP = "drop"
    """This frame and all later ones vanish."""
    CORRUPT = "corrupt"
    """The header names the step after the right one."""
    DELAY = "delay"
    """The frame leaves late; the sender waits meanwhile."""
    CLOSE = "close"
    """The link is closed in place of sending."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind at the `at`-th frame sent (from 0; messages count too). `seconds` is for DELAY."""

    kind: FaultKind
    at: int
    seconds: float = 0.0


class FaultLink(ForwardingLink):
    """A link whose sending side commits `faults`; receiving is left as it is."""

    def __init__(self, link: Link, faults: Sequence[Fault]) -> None:
        super().__init__(link)
        self._faults = tuple(faults)
        self._sent = 0
        self._interrupt = threading.Event()

    def send(self, frame: Frame, parts: Sequence[Words]) -> None:
        due = self._due(frame)
        if FaultKind.CORRUPT in due:
            frame = replace(frame, step=frame.step + 1)
        if FaultKind.DROP not in due:
            self._link.send(frame, parts)

    def send_message(self, payload: bytes) -> None:
        if FaultKind.DROP not in self._due(None):
            self._link.send_message(payload)

    def close(self) -> None:
        self._interrupt.set()
        self._link.close()

    def _due(self, frame: Frame | None) -> set[FaultKind]:
        """The faults of the next frame; those that come before sending are committed."""
        number, self._sent = self._sent, self._sent + 1
        due: set[FaultKind] = set()
        for fault in self._faults:
            if fault.at == number or (fault.kind is FaultKind.DROP and fault.at < number):
                due.add(fault.kind)
                if fault.kind is FaultKind.DELAY:
                    self._interrupt.wait(fault.seconds)
        if FaultKind.CLOSE in due:
            self.close()
            raise Failure(PeerLost, self.peer, "a fault was injected: link closed").error(frame, "sending")
        return due
