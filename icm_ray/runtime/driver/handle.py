"""What a lane needs of whatever carries its workers: a process, a Ray actor."""

from __future__ import annotations

from typing import Any, Protocol

from icm_ray.runtime.orders.lane_plan import LanePlan

__all__ = ["Handle", "Pending"]


class Pending(Protocol):
    """Something asked of a worker while a lane is assembled."""

    def done(self) -> bool:
        """Whether `result` would return or raise at once."""

    def result(self) -> Any:
        """What the worker answered; raises what it raised, `PeerLost` when it is gone."""


class Handle(Protocol):
    """One worker, from outside. Public data alone passes through it."""

    name: str

    def endpoint(self) -> Pending:
        """Where the worker listens, once it has started."""

    def join(self, plan: LanePlan) -> Pending:
        """Let the worker join its lane; it serves from then on."""

    def lost(self) -> str:
        """Why the worker is known to be gone; empty while it is not."""

    def kill(self) -> None:
        """End the worker at once. Idempotent; does not wait."""

    def ended(self, timeout: float) -> bool:
        """Wait until the worker's process is gone."""
