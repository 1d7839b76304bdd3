"""Products of two private values: what elementwise and matrix products have in common."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace

from icm_ray.errors import ProgramError
from icm_ray.network.layer import Layer, NetworkBuild
from icm_ray.ops.forms import Form
from icm_ray.ops.products import Product
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.build import Value

__all__ = ["PrivateProduct"]


class PrivateProduct(Layer, frozen=True, kw_only=True):
    """a b in one form or another, of the layer's two inputs, which may be the same."""

    widens: ClassVar[bool] = True

    def form(self) -> Form:
        """How it multiplies."""
        raise ProgramError(f"node {self.name!r} is of an unknown kind, {type(self).__name__}")

    def lower(self, program: NetworkBuild) -> Value:
        """One product, truncated in the same opening, and rectified where a ReLU follows.

        Both factors are truncated to the scheme's f before where the product would not fit the ring else.
        """
        op = Product(self.form(), bound=program.scheme.layers.get(self.name))
        a, b = (program.settled(name) for name in self.inputs)
        growth = op.form.growth(a.type.shape, b.type.shape).bit_length()
        width = a.type.width + b.type.width + growth
        if op.bound is not None:
            width = min(width, a.type.f + b.type.f + op.bound + 1)
        if width > FULL_WIDTH - 1:
            for name in self.inputs:
                program.settled(name, 0)
            a, b = (program.values[name] for name in self.inputs)
        raw, relu = op.infer(a.type, b.type), program.relu_behind(self.name)
        if relu is not None:
            op = replace(op, epilogue=program.epilogue(raw, relu=True, f=program.relu_bits(relu.name)))
            program.fused.add(self.name)
        elif raw.f > program.scheme.f:
            op = replace(op, epilogue=program.epilogue(raw, relu=False))
        y = program.add(op, a, b)
        if y.type.f < raw.f:
            program.round(self.name, y.type.f)
        return y
