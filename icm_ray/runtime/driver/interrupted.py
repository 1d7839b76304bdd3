"""A call that somebody wants to end soon."""

from __future__ import annotations

import threading

from icm_ray.errors import SessionError

__all__ = ["Interrupted", "go_on"]


class Interrupted(SessionError):
    """Another lane failed, or the user asked to stop; never leaves the engine."""


def go_on(stop: threading.Event | None, what: str = "call") -> None:
    """Raise `Interrupted` where `stop` is set."""
    if stop is not None and stop.is_set():
        raise Interrupted(f"the {what} was interrupted")
