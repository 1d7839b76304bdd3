"""One of two branches, value by value."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.products import Product
from icm_ray.program.build import Value

__all__ = ["Choose"]


class Choose(Layer, frozen=True, kw_only=True, tag="choose"):
    """a where the condition is 1, b where it is 0: b + c (a - b), of three values of one shape: c, a, b."""

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        self.arity(len(inputs) == 3, inputs)
        self.need(inputs[0] == inputs[1] == inputs[2], inputs[2])
        return inputs[0]

    def lower(self, program: NetworkBuild) -> Value:
        condition, *branches = self.inputs
        for name in branches:
            program.settled(name)
        a, b = program.aligned(branches)
        away = program.add(linear.Subtract(), a, b)
        op, truth = Product(Elementwise()), program.values[condition]
        raw = op.infer(truth.type, away.type)
        if raw.f > b.type.f:  # zeros and ones that a constant has multiplied
            op = replace(op, epilogue=program.epilogue(raw, relu=False, f=b.type.f))
            program.round(self.name, b.type.f)
        chosen = program.add(op, truth, away)
        width = max(a.type.width, b.type.width)
        return program.add(linear.AssumeWidth(width), program.add(linear.Add(), b, chosen))
