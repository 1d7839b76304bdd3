"""Predictions on mock pictures: invented answers in the form of real ones. No model makes them: weights are private."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.mock_results import SAID, of_mock
from analytics.nn.batches import Batches
from analytics.nn.prediction_run import Answered
from analytics.nn.request import PredictionRequest
from analytics.nn.sources.source import Block
from analytics.nn.spent import Spent
from icm_ray.errors import PolicyError
from icm_ray.instance.models import OfferedModel
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import encode
from icm_ray.ring.prg import derive_key

__all__ = ["MockImages", "MockRequest"]

_LARGEST: Final = 4.0
"""Of invented logits."""


@dataclass(frozen=True, slots=True)
class MockImages:
    """Blocks of nothing, (n, 0): answers are invented. count: how many images there would be."""

    count: int
    at_hand: bool = False

    def blocks(self, size: int) -> Iterator[Block]:
        for start in range(0, self.count, size):
            yield Block(np.zeros((min(size, self.count - start), 0)))


@dataclass(frozen=True, slots=True)
class MockRequest(PredictionRequest):
    """offer: what the model may be asked for; None: anything. names: whose model and which, whose pictures and which:
    others have other answers.
    """

    offer: OfferedModel | None = None
    names: tuple[str, ...] = ()

    def check(self, to: str | None) -> None:
        self.recipient(to)
        if self.offer is not None and self.wanted.output not in self.offer.opens:
            owner, model, *_ = self.names
            allowed = ", ".join(self.offer.outputs)
            raise PolicyError(f"{owner} refuses: its model {model!r} says {allowed}, and no {self.wanted.output}")

    def preprocess(self, batches: int | None, to: str | None) -> None:
        """Nothing is dealt ahead, for nothing is computed."""
        self.check(to)

    def run(self, to: str | None, spend: Callable[[Spent], None]) -> Iterator[Answered]:
        self.check(to)
        began, done = perf_counter(), 0
        batches = Batches(self.source.blocks(self.size), self.skip)
        while (batch := batches.take(self.size)) is not None:
            done += len(batch.rows)
            if self.progress is not None:
                self.progress(done, self.source.count)
            yield Answered(batch, self._words(batch.number, len(batch.rows)), np.zeros(len(batch.rows), np.bool_))
        spend(Spent(seconds=perf_counter() - began))

    def _words(self, number: int, count: int) -> RingArray:
        """What a batch's answers would be opened as: they follow from logits that are drawn."""
        shape = (count, *self.model.result.shape)
        drawn = derive_key(b"mock pictures", *self.names).words(0, number, int(np.prod(shape))).reshape(shape)
        logits = (drawn / 2.0**63 - 1) * _LARGEST
        wanted = self.wanted
        if wanted.name in {"logits", "probabilities"}:
            numbers = logits if wanted.name == "logits" else _probabilities(logits)
            return encode(numbers, wanted.kind.f, 62 - wanted.kind.f)
        if wanted.output == "above":
            return (logits >= wanted.threshold).astype(np.uint64)
        largest_first = np.argsort(-logits, axis=1, kind="stable")
        return (largest_first[:, 0] if wanted.output == "label" else largest_first[:, : wanted.k]).astype(np.uint64)

    def spread(self, columns: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = of_mock(columns)
        return found

    def shaped(self, rows: NDArray[Any]) -> Any:
        return of_mock(rows)

    def explain(self, to: str | None) -> str:
        told = PredictionRequest.explain(self, to)  # a class with slots is made anew: super() has no way to it
        return f"{SAID}: nobody is asked, no weight is used, answers are drawn. Of real ones:\n{told}"


def _probabilities(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(logits)
    found: NDArray[np.float64] = powers / (1 + powers if logits.shape[1] == 1 else powers.sum(axis=1, keepdims=True))
    return found
