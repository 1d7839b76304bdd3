"""What a person decides about requests, by a command or on the page: checked, kept, and written down in the log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from icm_ray.instance.audit import AuditLog
from icm_ray.instance.moments import in_utc, moment
from icm_ray.instance.request import Request
from icm_ray.instance.requests import Requests

__all__ = ["Decisions", "approval_facts"]


def approval_facts(one: Request) -> dict[str, str]:
    """What the log says of a request that was approved, by a person or by a rule."""
    facts = {"number": str(one.number), "times": str(one.times), "until": in_utc(one.until), "digest": one.digest}
    facts |= {"left_open": one.left_open} if one.left_open else {}
    return facts | ({"rule": one.rule} if one.rule else {})


class Decisions:
    """Of the organisation `me`, whose instance's folder this is. by: what else the log says of each decision."""

    def __init__(self, me: str, folder: Path, **by: str) -> None:
        self._me, self._by = me, by
        self._requests, self._log = Requests(folder), AuditLog(folder)

    def approve(self, number: int, times: int, until: str = "", params: Sequence[str] = (), rule: str = "") -> Request:
        """Let a request be asked so many times, before a date or a time (UTC; a month, if not stated). rule: write that
        down as a rule of this name; "": approve this one alone.

        Errors: `InputError`, `InstanceError`.
        """
        if rule:
            one = self._requests.approve_by_rule(rule, number, times, moment(until), params)
        else:
            one = self._requests.approve(number, times, moment(until), params)
        self._log.add(self._me, "approved request", **approval_facts(one), **self._by)
        return one

    def deny(self, number: int, reason: str) -> Request:
        """Refuse a request, also one that was approved. Errors: `InputError`, `InstanceError`."""
        one = self._requests.deny(number, reason)
        self._log.add(self._me, "denied request", number=str(number), digest=one.digest, **self._by)
        return one
