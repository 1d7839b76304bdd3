"""Questions of several sessions about one dataset take turns: whoever lost asks again, a little later."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import Final, TypeVar

from icm_ray.errors import LedgerChanged

__all__ = ["among_others"]

T = TypeVar("T")

_PATIENCE: Final = 60.0
_FIRST: Final = 0.02
_LONGEST: Final = 1.0


def among_others(ask: Callable[[], T], patience: float = _PATIENCE) -> T:
    """What `ask` returns, which is asked again where another session came first: for so many seconds, after pauses that
    grow, and that no two sessions have alike. Errors: those of `ask`; `LedgerChanged` at the end of that.
    """
    deadline, longest = monotonic() + patience, _FIRST
    while True:
        try:
            return ask()
        except LedgerChanged:
            if monotonic() >= deadline:
                raise
        Event().wait(longest * secrets.randbelow(1000) / 1000)
        longest = min(_LONGEST, 2 * longest)
