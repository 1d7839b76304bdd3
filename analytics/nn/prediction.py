"""A prediction that is not made yet: who may see it is said when it is revealed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.nn.request import PredictionRequest
from analytics.nn.spent import Spent
from analytics.progress import Progress
from icm_ray.runtime.driver.engine import Engine
from icm_ray.runtime.driver.stays_here import StaysHere

__all__ = ["Prediction"]


class Prediction(StaysHere):
    """A prediction asks a model about images; nothing is shared before `reveal` or `iter_batches`.

    `SecureModel.predict` makes predictions: users do not call the class.

    Args:
        request: What is asked, of which model, about which images.

    Attributes:
        count (int | None): The number of images, n, where that is known before they are read.
        output (str): "logits", "label" and so on.
        error (float): For logits and probabilities, the largest difference of any of them to real arithmetic; for
            labels and top_k, the largest difference of two logits at which the other one may be named; for "above",
            the largest distance of a logit to the threshold at which it may be taken for one on the other side.
        spent (Spent | None): What the last run took: `rounds`, `sent_bytes` of all parties, `dealt_bytes`, `seconds`;
            None before.
        failed (numpy.ndarray): With errors="mask", the row numbers, int64, of the images that the last run left out.
        ids (numpy.ndarray | None): With id_column=, the ids of the images of the last `reveal`, in order.

    Examples:
        >>> model.predict(np.zeros((3, 4), np.float32), owner="bob")
        <prediction of logits for 3 images, error at most ...>
    """

    def __init__(self, request: PredictionRequest) -> None:
        self._request = request
        self.count, self.output, self.error = request.source.count, request.wanted.name, request.wanted.error
        self.spent: Spent | None = None
        self.failed: NDArray[np.int64] = np.zeros(0, np.int64)
        self.ids: NDArray[Any] | None = None

    def __repr__(self) -> str:
        many = "images that are read as they come" if self.count is None else f"{self.count} images"
        return f"<prediction of {self.output} for {many}, error at most {self.error:.3g}>"

    @property
    def session(self) -> Engine:
        """The session that answers it.

        Examples:
            >>> model.predict(np.zeros((3, 4), np.float32), owner="bob").session is not None
            True
        """
        return self._request.loaded.session

    def reveal(self, to: str | None = None) -> Any:
        """Predict, and open the result for its recipient alone. Every call computes anew, with fresh randomness.

        Images are read, encoded and sent as lanes become free: memory does not grow with their number.

        Args:
            to: The party or owner who receives the result; None: the shares meet in this process.

        Returns:
            Logits or probabilities, float64 (n, *output_shape); labels, int64 (n,); the classes of top_k, int64 (n, k);
            1 or 0 for "above", int8 (n, *output_shape). Where the network returns several tensors, in a tuple, a list
            or a dict, so many arrays in the same. NaN, or -1, for images that failed, with errors="mask". For a
            ray.data.Dataset a Dataset of ids (or all columns but the images), the output and, with errors="mask",
            "failed": nothing is computed before it is consumed, block by block, and each time anew. What is wrong with
            images is raised then, by Ray; progress and `spent` are not told.

        Raises:
            OwnerError: No such recipient.
            InputError: Images that can be read once alone, and were; an empty source, images of another shape, dtype
                or range where these are found as they are read (`ShapeError`, `NullError`, `BoundError`).
            PolicyError: The images' owner has used up its quota.
            SessionError: The session is closed, or has lost all its lanes.
            BoundExceeded: An activation exceeds the bound that the model was declared with; the batch is named.
            FaultError: A worker fails.

        Examples:
            >>> model.predict(np.zeros((3, 4), np.float32), owner="bob").reveal(to="bob").shape
            (3, 2)
        """
        if (dataset := self._request.mapped(to)) is not None:
            return dataset
        key, parts = self.output, list(self._batches(to))
        if self._request.id_name is not None:
            self.ids = np.concatenate([part[self._request.id_name] for part in parts]) if parts else np.zeros(0, object)
        rows = np.concatenate([part[key] for part in parts]) if parts else self._request.nothing()
        return self._request.shaped(rows)

    def iter_batches(self, to: str | None = None) -> Iterator[dict[str, NDArray[Any]]]:
        """Predict, and hand over each batch as it is there, in order.

        Where one fails for its images, their source or a quota, those before it are handed over before that is raised.

        Args:
            to: The party or owner who receives the results; None: this process.

        Returns:
            For each batch its columns: ids under the name of the id_column, else "row", the places of the images; the
            output under its name, as `reveal` has it (several under theirs, or as logits_0, logits_1); with
            errors="mask", "failed".

        Raises:
            IcmError: Whatever `reveal` raises.

        Examples:
            >>> for batch in model.predict(np.zeros((3, 4), np.float32), owner="bob", output="label").iter_batches():
            ...     print(batch["row"], batch["label"].shape)
            [0 1 2] (3,)
        """
        for columns in self._batches(to):
            yield self._request.spread(columns)

    def _shown_by(self, steps: AbstractContextManager[Progress]) -> Prediction:
        """The same prediction, whose progress is counted there."""
        return Prediction(replace(self._request, shown=steps))

    def _batches(self, to: str | None) -> Iterator[dict[str, NDArray[Any]]]:
        self.failed = np.zeros(0, np.int64)

        def spend(spent: Spent) -> None:
            self.spent = spent

        for answer in self._request.run(to, spend):
            if answer.failed.any():
                self.failed = np.concatenate([self.failed, answer.batch.rows[answer.failed]])
            yield self._request.columns(answer)

    def preprocess(self, batches: int | None = None, to: str | None = None) -> None:
        """Have the randomness of batches dealt ahead of time, so that predicting them takes the online phase alone.

        Loads the weights where they are not yet. Batches smaller than the model's `batch_size` are dealt for as they
        run. What is dealt ahead serves later predictions of the same model, owner, recipient and output, too.

        Args:
            batches: For how many, over all lanes; None: for all full ones of these images.
            to: The party or owner who will receive the results; None: this process.

        Raises:
            InputError: The number of images is not known, and no number of batches given.
            OwnerError: No such recipient.
            SessionError: The session is closed; `StockError`: a disk is full.
            FaultError: A worker fails.

        Examples:
            >>> prediction = model.predict(np.zeros((3, 4), np.float32), owner="bob")
            >>> prediction.preprocess(to="bob")
            >>> prediction.reveal(to="bob").shape
            (3, 2)
        """
        self._request.preprocess(batches, to)

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
        return self._request.explain(to)

    def check(self, to: str | None = None) -> None:
        """Raise what `reveal(to)` would raise before anything is shared, the images' own faults left out.

        Args:
            to: The party or owner who would receive the result; None: this process.

        Raises:
            OwnerError: No such recipient.
            SessionError: The session is closed, or has lost all its lanes.

        Examples:
            >>> model.predict(np.zeros((3, 4), np.float32), owner="bob").check(to="bob")
        """
        self._request.check(to)

    @classmethod
    def reveal_together(cls, items: Sequence[Prediction], to: str | None = None) -> tuple[Any, ...]:
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
