"""What a network's values are like: measured by its owner, in float64, on samples of its own or on random ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analytics.nn.analysis import bits_of
from analytics.nn.duration import multiplications
from analytics.nn.intake import Intake
from analytics.nn.layers import rules_of
from analytics.nn.reference import tensors, walk
from analytics.nn.sources.find import source_of
from analytics.nn.sources.source import Source
from analytics.nn.weighted import WeightedGraph
from icm_ray.errors import ShapeError
from icm_ray.network.graph import Graph
from icm_ray.network.layer import INPUT, Shape
from icm_ray.network.scheme import Scheme

__all__ = ["Extent", "Samples", "limits", "measured", "random_samples"]

_BATCH = 16  # samples that are computed together
_MOST_WORK = 4e9  # multiplications that random samples may cost
_LEAST = -4  # the logarithm of the smallest bound: smaller ones save nothing

Array = NDArray[np.float64]


class Samples:
    """Images that the model's owner measures its network on: its own, or random ones. Private; read once.

    given: whatever `SecureModel.predict` takes as images, or None. inputs: the logarithm of the declared bound. intake:
    what becomes of images before the network. own: whether they were given. Errors: those of images, here for the first
    of them.
    """

    def __init__(self, given: Any, graph: Graph, inputs: int, intake: Intake) -> None:
        self.own = given is not None
        self._count = _few(graph)
        self._kept: list[Array] = []
        if given is None:
            self._coming: Iterator[Array] = iter((random_samples(graph.input_shape, inputs, self._count),))
        else:
            self._coming = _prepared(source_of(given, graph.input_shape), Scheme(0, inputs), intake)
            self._more()
            if not self._kept:
                raise ShapeError("calibrate: there are no samples")

    def __repr__(self) -> str:
        return "<samples>"

    def all(self) -> Iterator[Array]:
        """Every batch, as float64 (n, *shape)."""
        yield from self._kept
        for batch in self._coming:
            self._keep(batch)
            yield batch

    def few(self) -> list[Array]:
        """As many as are within a limit of work: 2 to 16."""
        self._more()
        extra = min(self._missing, 0)
        *first, last = self._kept
        return [*first, last[: len(last) + extra]]

    def _more(self) -> None:
        while self._missing > 0 and (batch := next(self._coming, None)) is not None:
            self._keep(batch)

    @property
    def _missing(self) -> int:
        return self._count - sum(map(len, self._kept))

    def _keep(self, batch: Array) -> None:
        if self._missing > 0:
            self._kept.append(batch)


def _prepared(source: Source, scheme: Scheme, intake: Intake) -> Iterator[Array]:
    first = 0
    for block in source.blocks(_BATCH):
        intake.look(block.images, scheme, first)
        numbers = intake.prepared(block.images).astype(np.float64)
        for start in range(0, len(numbers), _BATCH):
            yield numbers[start : start + _BATCH]
        first += len(numbers)


def _few(graph: Graph) -> int:
    """How many random samples are within a limit of work: 2 to 16."""
    return int(min(max(_MOST_WORK / max(multiplications(graph), 1.0), 2), _BATCH))


def random_samples(shape: Shape, inputs: int, count: int) -> Array:
    """(count, *shape) within the declared bound: noise, noise around a level, coarse patterns and constants in turn.

    The same for everybody, so that a model has the same public numbers whenever it is made.
    """
    source = np.random.default_rng(shape)
    x = source.uniform(-1.0, 1.0, (count, *shape))
    for place in range(count):
        if place % 4 == 1:
            x[place] = 0.5 * (x[place] + source.uniform(-1.0, 1.0, (*shape[:1], *[1] * (len(shape) - 1))))
        elif place % 4 == 2:  # coarse: what convolutions answer to most
            blocks = [-(-size // 4) for size in shape[1:]]
            pattern = source.uniform(-1.0, 1.0, (*shape[:1], *blocks))
            for axis in range(1, len(shape)):
                pattern = pattern.repeat(4, axis=axis)
            x[place] = pattern[tuple(slice(size) for size in shape)]
        elif place % 4 == 3:
            x[place] = source.choice([-1.0, 1.0], (*shape[:1], *[1] * (len(shape) - 1)))
    return np.ldexp(x, inputs)


@dataclass(frozen=True, slots=True)
class Extent:
    """Of a layer's value in all samples: the least and the largest number, and the least magnitude."""

    low: float = math.inf
    high: float = -math.inf
    least: float = math.inf

    @property
    def most(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))

    def with_(self, value: torch.Tensor) -> Extent:
        """And these numbers; infinite where one is none."""
        if bool(value.isnan().any()):
            return Extent(-math.inf, math.inf, 0.0)
        low, high = min(self.low, float(value.min())), max(self.high, float(value.max()))
        return Extent(low, high, min(self.least, float(value.abs().min())))


def limits(found: Mapping[str, Extent], margin: float) -> dict[str, int]:
    """The logarithm of a bound for every layer's value: the largest magnitude of any sample times the margin."""
    return {name: max(bits_of(value.most * margin), _LEAST) for name, value in found.items() if name != INPUT}


def measured(network: WeightedGraph, batches: Iterable[Array]) -> dict[str, Extent]:
    """What every layer's values are like in the samples."""
    weights, found = tensors(network), dict.fromkeys((INPUT, *network.graph.by_name), Extent())
    for batch in batches:
        steps = walk(
            network.graph,
            torch.from_numpy(np.array(batch)),
            lambda node, inputs: rules_of(node).evaluate(node, inputs, weights),
        )
        for name, value in steps:
            found[name] = found[name].with_(value)
    return found
