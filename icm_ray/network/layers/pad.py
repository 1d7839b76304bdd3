"""Padding with zeros."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Pair, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["Pad"]


class Pad(Layer, frozen=True, kw_only=True, tag="pad"):
    """Zeros: pads[axis] = (before, after), one pair for each axis."""

    pads: tuple[Pair, ...]

    homogeneous: ClassVar[bool] = True
    carries: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(len(self.pads) == len(source) and all(min(pair) >= 0 for pair in self.pads), source)
        return tuple(size + sum(pair) for size, pair in zip(source, self.pads, strict=True))

    def lower(self, program: NetworkBuild) -> Value:
        return program.add(linear.Pad(((0, 0), *self.pads)), program.value(self))
