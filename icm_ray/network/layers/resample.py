"""Public weighted sums along one axis: interpolation, and pools whose windows vary in size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import ClassVar, TypeAlias

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.network.layers.factors import coded, factor_bits
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Resample", "Tap"]

Tap: TypeAlias = tuple[tuple[int, ...], tuple[float, ...]]


class Resample(Layer, frozen=True, kw_only=True, tag="resample"):
    """Place k of `axis` is the sum of weights[k] x[indices[k]] over all taps (indices, weights), which are public."""

    axis: int
    taps: tuple[Tap, ...]

    homogeneous: ClassVar[bool] = True

    @property
    def bits(self) -> int:
        """Fractional bits of the weights."""
        return factor_bits(weight for _, weights in self.taps for weight in weights)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(0 <= self.axis < len(source) and len(self.taps) > 0, source)
        count = len(self.taps[0][0])
        for indices, weights in self.taps:
            self.need(len(indices) == len(weights) == count > 0, source)
            self.need(min(indices) >= 0 and max(indices) < source[self.axis], source)
            self.need(all(math.isfinite(weight) and abs(weight) < 2**10 for weight in weights), source)
        return (*source[: self.axis], count, *source[self.axis + 1 :])

    def lower(self, program: NetworkBuild) -> Value:
        """The axis last, each tap's places times its weights, their sum, the axis back in its place."""
        x = program.settled(self.inputs[0])
        last, axis = len(self.shape), self.axis + 1
        order = (*(k for k in range(last + 1) if k != axis), axis)
        if axis != last:
            x = program.add(linear.Permute(order), x)
        bits = self.bits
        parts = [
            program.add(
                linear.ScaleLast(tuple(coded(weight, bits) for weight in weights), bits),
                program.add(linear.Take(last, indices), x),
            )
            for indices, weights in self.taps
        ]
        y = reduce(lambda total, part: program.add(linear.Add(), total, part), parts)
        most = max(sum(abs(coded(weight, bits)) for weight in column) for column in zip(*self.weights(), strict=True))
        y = program.add(linear.AssumeWidth(x.type.width + max(most - 1, 0).bit_length()), y)
        if axis != last:
            y = program.add(linear.Permute(tuple(order.index(k) for k in range(last + 1))), y)
        return y

    def weights(self) -> tuple[tuple[float, ...], ...]:
        """The weights of each tap."""
        return tuple(weights for _, weights in self.taps)
