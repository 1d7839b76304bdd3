"""Whole numbers as one-hot rows: what looks up a private token in a table of embeddings."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import compare, linear, products
from icm_ray.program.build import Value

__all__ = ["OneHot"]

_MOST = 1 << 17


class OneHot(Layer, frozen=True, kw_only=True, tag="one_hot"):
    """A last axis of `classes` places: 1 at place x, 0 elsewhere; others count as the first or the last."""

    classes: int

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need(2 <= self.classes <= _MOST, source)
        return (*source, self.classes)

    def lower(self, program: NetworkBuild) -> Value:
        """With c_j = [x >= j]: 1 - c_1, c_1 - c_2, ..., c_(k-1); x without its fractional bits, which are zeros."""
        x, f = program.value(self), program.value(self).type.f
        if f > 0:
            x = program.add(products.Truncate(products.Epilogue(shift=f, width=max(x.type.width + 1, f + 2))), x)
        last, steps = len(self.shape), self.classes - 1
        column = program.add(linear.Reshape((*x.type.shape, 1)), x)
        wide = program.add(linear.Expand((*x.type.shape, steps)), column)
        away = program.add(linear.AddLast(tuple(-step for step in range(1, self.classes))), wide)
        reached = program.add(compare.AtLeast(0, away.type.width), away)
        none = ((0, 0),) * last
        before = program.add(linear.Pad((*none, (1, 0))), reached)
        before = program.add(linear.AddLast((1, *(0,) * steps)), before)
        after = program.add(linear.Pad((*none, (0, 1))), reached)
        return program.add(linear.AssumeWidth(2), program.add(linear.Subtract(), before, after))
