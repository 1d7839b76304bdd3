"""Flattening."""

from __future__ import annotations

import math
from collections.abc import Sequence

from icm_ray.network.layer import Shape
from icm_ray.network.layers.reshape import Reshape

__all__ = ["Flatten"]


class Flatten(Reshape, frozen=True, kw_only=True, tag="flatten"):
    """Row-major order, one axis."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return (math.prod(self.only(inputs)),)
