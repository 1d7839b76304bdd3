"""Moments as people write and read them, in UTC; here they are seconds since 1970."""

from __future__ import annotations

from datetime import UTC, datetime
from time import time
from typing import Final

from icm_ray.errors import InputError

__all__ = ["in_utc", "moment"]

_MONTH: Final = 30 * 86_400.0


def in_utc(seconds: float) -> str:
    """A moment, in seconds since 1970, as people read it; "" for 0."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds")[:19] if seconds else ""


def moment(text: str) -> float:
    """Seconds since 1970; a month from now where nothing is said. Errors: `InputError`."""
    if not text:
        return time() + _MONTH
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"until {text}: a date or a time, such as 2027-01-01 or 2027-01-01T12:00") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
