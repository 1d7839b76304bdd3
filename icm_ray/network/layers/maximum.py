"""The larger of two branches, value by value."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear, products
from icm_ray.program.build import Value

__all__ = ["Maximum"]


class Maximum(Layer, frozen=True, kw_only=True, tag="maximum"):
    """max(a, b) = b + max(a - b, 0), of two values of one shape."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        self.arity(len(inputs) == 2, inputs)
        self.need(inputs[0] == inputs[1], inputs[1])
        return inputs[0]

    def lower(self, program: NetworkBuild) -> Value:
        for name in self.inputs:
            program.settled(name)
        a, b = program.aligned(self.inputs)
        away = program.add(linear.Subtract(), a, b)
        above = program.add(products.Relu(products.Epilogue(0, True, away.type.width)), away)
        width = max(a.type.width, b.type.width)
        return program.add(linear.AssumeWidth(width), program.add(linear.Add(), b, above))
