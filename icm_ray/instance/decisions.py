"""What a person decides about requests, by a command or on the page: checked, kept, and written down in the log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Final

from icm_ray.errors import InputError
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.requests import Request, Requests

__all__ = ["Decisions", "in_utc"]

_MONTH: Final = 30 * 86_400.0


def in_utc(seconds: float) -> str:
    """A moment, in seconds since 1970, as people read it; "" for 0."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(sep=" ", timespec="seconds")[:19] if seconds else ""


def _moment(text: str) -> float:
    """Seconds since 1970; a month from now where nothing is said. Errors: `InputError`."""
    if not text:
        return time() + _MONTH
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"until {text}: a date or a time, such as 2027-01-01 or 2027-01-01T12:00") from None
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()


class Decisions:
    """Of the organisation `me`, whose instance's folder this is. by: what else the log says of each decision."""

    def __init__(self, me: str, folder: Path, **by: str) -> None:
        self._me, self._by = me, by
        self._requests, self._log = Requests(folder), AuditLog(folder)

    def approve(self, number: int, times: int, until: str = "", params: Sequence[str] = ()) -> Request:
        """Let a request be asked so many times, before a date or a time (UTC; a month, if not stated).

        Errors: `InputError`, `InstanceError`.
        """
        one = self._requests.approve(number, times, _moment(until), params)
        facts = {"number": str(number), "times": str(times), "until": in_utc(one.until), "digest": one.digest}
        facts |= {"left_open": one.left_open} if one.left_open else {}
        self._log.add(self._me, "approved request", **facts, **self._by)
        return one

    def deny(self, number: int, reason: str) -> Request:
        """Refuse a request, also one that was approved. Errors: `InputError`, `InstanceError`."""
        one = self._requests.deny(number, reason)
        self._log.add(self._me, "denied request", number=str(number), digest=one.digest, **self._by)
        return one
