"""The audit log, of which each peer fills so much a day: whoever asks in a circle fills no disk of its owner's."""

from __future__ import annotations

from icm_ray.errors import PolicyError
from icm_ray.instance.audit import AuditLog, Head
from icm_ray.instance.usage import DayCount

__all__ = ["PeersLog"]


class PeersLog:
    """Of the organisation `me`, which itself may fill as much as it likes. most: entries of each peer's in a day."""

    def __init__(self, log: AuditLog, me: str, most: int) -> None:
        self._log, self._me = log, me
        self.counts = DayCount(most)

    def add(self, who: str, what: str, **facts: str) -> None:
        """As `AuditLog.add`. Errors: those, and `PolicyError` for a peer that has filled its part."""
        if who != self._me and not self.counts.take(who):  # others may have come in between since it was checked
            raise self._full(who)
        self._log.add(who, what, **facts)

    def check(self, who: str) -> None:
        """Before what is written down afterwards. Errors: `PolicyError` for a peer that has filled its part."""
        if self.filled(who):
            raise self._full(who)

    def _full(self, who: str) -> PolicyError:
        return PolicyError(f"{self._me} refuses: {self._why(who)}", party=self._me)

    def filled(self, who: str) -> str:
        """Why nothing more is written for a peer today; "" where there is room."""
        if who == self._me or not self.counts.spent(who):
            return ""
        return self._why(who)

    def _why(self, who: str) -> str:
        return f"{who} has filled {self.counts.most} entries of its log today, which is its limit"

    def head(self) -> Head:
        """As `AuditLog.head`."""
        return self._log.head()

    def since(self, head: Head, most: int) -> bytes | None:
        """As `AuditLog.since`."""
        return self._log.since(head, most)
