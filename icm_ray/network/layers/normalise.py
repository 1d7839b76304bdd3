"""Normalisation of rows, before weights and biases: layer, group and instance norm, and the root mean square's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from icm_ray.errors import BoundError
from icm_ray.functions.row_functions import layer_norm
from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Builder, Value

__all__ = ["LEAST_EPSILON", "Normalise", "normalised"]

LEAST_EPSILON: Final = 2.0**-20
"""Smaller ones are raised to it: the range from the least to the largest variance has to fit the ring."""
_LARGEST_RAISED: Final = 2.0**-14
"""... or up to this, where values may be large."""
_SPAN = 36
_USUAL = 8  # rounding units that a result is off by where variances are about 1


class Normalise(Layer, frozen=True, kw_only=True, tag="normalise"):
    """(x - mean) / sqrt(variance + epsilon) along the last axis; not `centred`: x / sqrt(mean of x^2 + epsilon)."""

    epsilon: float
    centred: bool = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(source) >= 1 and source[-1] >= 3, source)
        self.need(math.isfinite(self.epsilon) and 0 <= self.epsilon < 2**10, source)
        return source

    def lower(self, program: NetworkBuild) -> Value:
        x = program.settled(self.inputs[0], 0)
        y = normalised(program.builder, program.add(linear.AssumeWidth(x.type.width, 0.0), x), self)
        program.off(self.name, y.type.error, _USUAL * 2.0**-x.type.f + _epsilon(self, x) - self.epsilon)
        return y


def normalised(builder: Builder, x: Value, layer: Normalise) -> Value:
    """The layer on an exact value; the result's error counts a raised epsilon.

    Raises `BoundError` where variances of a value as wide as x have too many powers of two between them.
    """
    epsilon = _epsilon(layer, x)
    low = math.floor(math.log2(epsilon))
    high = max(math.ceil(math.log2(x.type.magnitude**2 + epsilon)), low + 2)
    if high - low > _SPAN:
        raise BoundError(
            f"variances from 2^{low} to 2^{high}: {high - low} powers of two, of which {_SPAN} fit; "
            "declare a smaller bound",
            bound=high,
        )
    y = layer_norm(builder, x, low, high, epsilon=epsilon, centred=layer.centred)
    # sqrt(v / (v + e)) - sqrt(v / (v + e')) for e < e' is largest, and below 1, where v is small
    raised = math.sqrt(layer.shape[-1]) if epsilon > layer.epsilon else 0.0
    return builder.add(linear.AssumeWidth(y.type.width, y.type.error + raised), y)


def _epsilon(layer: Normalise, x: Value) -> float:
    """The layer's own, or a larger one that the ring has room for beside the variances of values as wide as x."""
    room = 2.0 ** (math.ceil(2 * math.log2(x.type.magnitude)) + 1 - _SPAN)
    return max(layer.epsilon, LEAST_EPSILON, min(room, _LARGEST_RAISED))
