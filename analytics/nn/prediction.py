"""A prediction that is not made yet: who may see it is said when it is revealed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from numpy.typing import NDArray

from icm_ray.runtime.driver.engine import Engine, Execution, LaneJob
from icm_ray.runtime.driver.stays_here import StaysHere

__all__ = ["Prediction", "Spent"]

Run: TypeAlias = "Callable[[str | None], tuple[NDArray[Any], Spent]]"


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run took: rounds of the busiest lane, bytes of all parties and of the dealers, the driver's seconds."""

    rounds: int = 0
    sent_bytes: int = 0
    dealt_bytes: int = 0
    seconds: float = 0.0

    def plus(self, jobs: Sequence[LaneJob], done: Sequence[Execution], lanes: int) -> Spent:
        """With one more wave of jobs."""
        rounds = [0] * lanes
        for job, execution in zip(jobs, done, strict=True):
            rounds[job.lane] += execution.rounds
        return Spent(
            self.rounds + max(rounds),
            self.sent_bytes + sum(execution.sent_bytes for execution in done),
            self.dealt_bytes + sum(execution.dealt_bytes for execution in done),
        )

    def lasted(self, seconds: float) -> Spent:
        """With the time it took."""
        return replace(self, seconds=seconds)


class Prediction(StaysHere):
    """What `SecureModel.predict` will compute; nothing is shared before `reveal`.

    count: images. output: "logits" or "label". error: for logits, the largest difference of any of them to real
    arithmetic; for labels, the largest difference of the two highest logits at which the other one may be named.
    spent: what the last reveal took, None before. session: that answers it.
    """

    def __init__(
        self,
        session: Engine,
        count: int,
        output: str,
        error: float,
        run: Run,
        explain: Callable[[str | None], str],
        check: Callable[[str | None], None],
    ) -> None:
        self.session, self.count, self.output, self.error = session, count, output, error
        self.spent: Spent | None = None
        self._run, self._explain, self._check = run, explain, check

    def __repr__(self) -> str:
        return f"<prediction of {self.output} for {self.count} images, error at most {self.error:.3g}>"

    def reveal(self, to: str | None = None) -> NDArray[Any]:
        """Predict, and open the result for `to` alone: a party or owner; None: the shares meet in this process.

        Logits are float64 (n, *output_shape), labels int64 (n,). Every call computes anew, with fresh randomness.
        Raises `OwnerError` for an unknown recipient and `SessionClosed` before anything is shared; `BoundExceeded`
        where the declared bound does not hold, `FaultError` where a worker fails.
        """
        result, self.spent = self._run(to)
        return result

    def explain(self, to: str | None = None) -> str:
        """What will be opened and to whom, what is public, rounds, bytes and the error bound."""
        return self._explain(to)

    def check(self, to: str | None = None) -> None:
        """Raise what `reveal(to)` would raise before anything is shared."""
        self._check(to)

    @classmethod
    def reveal_together(cls, items: Sequence[Prediction], to: str | None = None) -> tuple[NDArray[Any], ...]:
        """Several results, in the order of the predictions, which are made one after the other. Errors: as `reveal`."""
        return tuple(item.reveal(to) for item in items)
