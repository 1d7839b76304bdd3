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
    """A prediction asks a model about images; nothing is shared before `reveal`.

    `SecureModel.predict` makes predictions: users do not call the class.

    Args:
        session: The session that answers it.
        count: The number of images, n.
        output: "logits" or "label".
        error: For logits, the largest difference of any of them to real arithmetic; for labels, the largest difference
            of the two highest logits at which the other one may be named.
        run: What `reveal` calls.
        explain: What `explain` calls.
        check: What `check` calls.

    Attributes:
        spent (Spent | None): What the last `reveal` took: `rounds`, `sent_bytes` of all parties, `dealt_bytes`,
            `seconds`; None before. `session`, `count`, `output` and `error` are attributes too.

    Examples:
        >>> model.predict(np.zeros((3, 4), np.float32), owner="bob")
        <prediction of logits for 3 images, error at most ...>
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
        """Predict, and open the result for its recipient alone. Every call computes anew, with fresh randomness.

        Args:
            to: The party or owner who receives the result; None: the shares meet in this process.

        Returns:
            Logits, float64 (n, *output_shape), or labels, int64 (n,).

        Raises:
            OwnerError: No such recipient.
            SessionError: The session is closed, or has lost all its lanes.
            BoundExceeded: An activation exceeds the bound that the model was declared with.
            FaultError: A worker fails.

        Examples:
            >>> model.predict(np.zeros((3, 4), np.float32), owner="bob").reveal(to="bob").shape
            (3, 2)
        """
        result, self.spent = self._run(to)
        return result

    def explain(self, to: str | None = None) -> str:
        """Say what will be opened and to whom, what is public, rounds, bytes and the error bound.

        Args:
            to: The party or owner who would receive the result; None: this process.

        Returns:
            Lines of text. No worker is asked.

        Raises:
            OwnerError: No such recipient.

        Examples:
            >>> print(model.predict(np.zeros((3, 4), np.float32), owner="bob").explain(to="bob").splitlines()[0])
            prediction of logits for 3 images in 1 batches, of which one: ...
        """
        return self._explain(to)

    def check(self, to: str | None = None) -> None:
        """Raise what `reveal(to)` would raise before anything is shared.

        Args:
            to: The party or owner who would receive the result; None: this process.

        Raises:
            OwnerError: No such recipient.
            SessionError: The session is closed, or has lost all its lanes.

        Examples:
            >>> model.predict(np.zeros((3, 4), np.float32), owner="bob").check(to="bob")
        """
        self._check(to)

    @classmethod
    def reveal_together(cls, items: Sequence[Prediction], to: str | None = None) -> tuple[NDArray[Any], ...]:
        """Reveal several predictions, made one after the other.

        `icm_ray.reveal` does this, and takes queries too.

        Args:
            items: Predictions.
            to: The party or owner who receives the results; None: this process.

        Returns:
            The results, in the order of the predictions.

        Raises:
            IcmError: Whatever `reveal` raises.

        Examples:
            >>> images = np.zeros((3, 4), np.float32)
            >>> logits, labels = icm.reveal(model.predict(images, "bob"), model.predict(images, "bob", output="label"))
            >>> logits.shape, labels.shape
            ((3, 2), (3,))
        """
        return tuple(item.reveal(to) for item in items)
