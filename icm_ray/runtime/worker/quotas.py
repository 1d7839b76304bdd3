"""How many images a model may still predict on: counted by the worker of its owner, whatever the driver counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from icm_ray.errors import PolicyError
from icm_ray.network.programs import ModelQuestion, PredictionQuestion, WeightLoad

__all__ = ["Quotas"]


class Quotas:
    """Of the models of `name`, in its worker of one lane, for as long as the worker lives.

    An image counts when its batch begins, however that ends. The first quota of an account stands.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._accounts: dict[tuple[str, str], str] = {}  # of a loaded model, by fingerprint and version
        self._limits: dict[str, Mapping[str, int]] = {}
        self._used: dict[str, Counter[str]] = {}
        self._checked: WeightLoad | PredictionQuestion | None = None

    def check(self, question: ModelQuestion) -> None:
        """Raise `PolicyError` where the images are more than are left."""
        self._checked = question if question.owner == self._name else None
        if self._checked is None or not isinstance(question, PredictionQuestion):
            return
        left = self._left(question)
        if left is not None and question.count > left:
            raise PolicyError(
                f"{self._name} refuses: {left} images are left of its quota for {question.images} in this lane, "
                f"a prediction on {question.count} is asked for",
                party=self._name,
                owner=question.images,
                left=left,
            )

    def _left(self, question: PredictionQuestion) -> int | None:
        """None where nothing is counted."""
        account = self._accounts.get((question.model.fingerprint, question.version))
        if account is None or question.images not in self._limits[account]:
            return None
        return self._limits[account][question.images] - self._used[account][question.images]

    def drop(self) -> None:
        """What was checked last does not begin: some member refused."""
        self._checked = None

    def commit(self) -> None:
        """What was checked last begins."""
        question, self._checked = self._checked, None
        if question is None:
            return
        key = question.model.fingerprint, question.version
        if isinstance(question, WeightLoad):
            if question.quota:
                self._accounts[key] = question.account
                self._limits.setdefault(question.account, question.quota)
                self._used.setdefault(question.account, Counter())
        elif self._left(question) is not None:
            self._used[self._accounts[key]][question.images] += question.count
