"""Why a link no longer works, kept so that every later call can say it with its own place."""

from __future__ import annotations

from dataclasses import dataclass

from icm_ray.errors import FaultError, PeerLost, PeerSilent
from icm_ray.ops.seams import Frame
from icm_ray.transport.wire import NO_FRAME

__all__ = ["Failure", "lost", "silent", "unforeseen"]


@dataclass(frozen=True, slots=True)
class Failure:
    """One cause: the type to raise, the peer, and a reason without any payload in it."""

    kind: type[FaultError]
    peer: str
    reason: str

    def error(self, frame: Frame | None, doing: str) -> FaultError:
        """The error for someone who was `doing` something at `frame` (None: no address, a control message)."""
        if frame is None or frame is NO_FRAME:
            return self.kind(f"{self.peer}: {self.reason} (while {doing})", party=self.peer, step="message")
        partition, step = frame.address.partition, frame.step
        return self.kind(
            f"{self.peer}: {self.reason} (while {doing}, partition {partition}, step {step})",
            party=self.peer,
            partition=partition,
            step=str(step),
        )


def lost(peer: str, error: OSError) -> Failure:
    """A connection that broke."""
    return Failure(PeerLost, peer, f"the connection broke: {type(error).__name__}: {error.strerror or error.args}")


def unforeseen(peer: str, error: Exception) -> Failure:
    """What no one thought of, in a thread of the link: of its text nothing is said, it may hold values."""
    return Failure(FaultError, peer, f"{type(error).__name__} in a thread of the link")


def silent(peer: str, seconds: float) -> Failure:
    """A peer of which nothing was heard."""
    return Failure(PeerSilent, peer, f"nothing arrived for {seconds:g} s, not even a heartbeat")
