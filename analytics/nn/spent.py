"""What a prediction took."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from icm_ray.runtime.driver.engine import Streamed

__all__ = ["Spent", "Tally"]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run took: rounds of the busiest lane, bytes of all parties and of the dealers, the driver's seconds."""

    rounds: int = 0
    sent_bytes: int = 0
    dealt_bytes: int = 0
    seconds: float = 0.0


class Tally:
    """Adds up what jobs took."""

    def __init__(self) -> None:
        self._rounds: Counter[int] = Counter()
        self._sent, self._dealt = 0, 0

    def add(self, item: Streamed) -> None:
        """What was run, if it ended well."""
        for job, execution in zip(item.jobs, item.done, strict=False):
            self._rounds[job.lane] += execution.rounds
            self._sent += execution.sent_bytes
            self._dealt += execution.dealt_bytes

    def spent(self, seconds: float) -> Spent:
        """So far. seconds: of the driver."""
        return Spent(max(self._rounds.values(), default=0), self._sent, self._dealt, seconds)
