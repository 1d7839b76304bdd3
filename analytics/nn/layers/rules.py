"""What the owner of the weights works out for one layer: its values, their range, and how far rounding can go."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import numpy as np
import torch

from icm_ray.network.layer import Layer
from icm_ray.network.model import Lowered
from icm_ray.network.scheme import Scheme

__all__ = ["MARGIN", "Deviation", "Incoming", "LayerRules", "Range", "Tensor", "Tensors", "coded"]

Tensor: TypeAlias = torch.Tensor
Tensors: TypeAlias = Mapping[str, torch.Tensor]
MARGIN = 1 + 1e-9  # over the rounding of float64

L = TypeVar("L", bound=Layer)


def coded(x: Tensor, bits: int) -> Tensor:
    """What fixed point with `bits` fractional bits makes of x."""
    return torch.from_numpy(np.ldexp(np.rint(np.ldexp(x.numpy(), bits)), -bits))


@dataclass(frozen=True, slots=True)
class Range:
    """The lowest and highest value that each cell can have, (1, *shape)."""

    low: Tensor
    high: Tensor

    @property
    def magnitude(self) -> Tensor:
        return torch.maximum(self.low.abs(), self.high.abs())

    @property
    def length(self) -> float:
        """The largest Euclidean norm."""
        return float(self.magnitude.norm())


@dataclass(frozen=True, slots=True)
class Deviation:
    """Bounds on the difference to real arithmetic: of every cell (1, *shape), and of the Euclidean norm."""

    cells: Tensor
    length: float

    def tight(self) -> Deviation:
        """Each norm bounds the other."""
        length = min(self.length, float(self.cells.norm()) * MARGIN)
        return Deviation(self.cells.clamp(max=length), length)

    def rounded(self, unit: float) -> Deviation:
        """After divisions whose rounding units add up to `unit`."""
        return Deviation(self.cells + unit, self.length + unit * math.sqrt(self.cells.numel())).tight()


@dataclass(frozen=True, slots=True)
class Incoming:
    """What is known of one input: its difference to real arithmetic, its range, its largest norm."""

    deviation: Deviation
    range: Range
    length: float


class LayerRules(ABC, Generic[L]):
    """The faces of one kind of layer that need tensors. By default: monotone in every cell, and cells only move."""

    @abstractmethod
    def evaluate(self, layer: L, inputs: Sequence[Tensor], weights: Tensors) -> Tensor:
        """The layer on a batch of each input, in float64."""

    def simulate(self, layer: L, inputs: Sequence[Tensor], weights: Tensors, lowered: Lowered) -> Tensor:
        """The layer with the numbers that the ring has, before its rounding; `weights` are the ring's."""
        return self.evaluate(layer, inputs, weights)

    def interval(self, layer: L, inputs: Sequence[Range], weights: Tensors, scheme: Scheme) -> Range:
        """The range of the result, before its rounding."""
        lows, highs = [source.low for source in inputs], [source.high for source in inputs]
        return Range(self.evaluate(layer, lows, weights), self.evaluate(layer, highs, weights))

    def deviate(
        self, layer: L, inputs: Sequence[Incoming], weights: Tensors, lowered: Lowered
    ) -> tuple[Deviation, float]:
        """The difference of the result to real arithmetic, before its rounding, and the largest norm of the result."""
        cells = self.evaluate(layer, [source.deviation.cells for source in inputs], weights)
        length = math.hypot(*(source.deviation.length for source in inputs))
        return Deviation(cells, length), math.hypot(*(source.length for source in inputs))
