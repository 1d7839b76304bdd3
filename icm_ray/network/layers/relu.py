"""ReLU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import products
from icm_ray.program.build import Value

__all__ = ["Relu"]


class Relu(Layer, frozen=True, kw_only=True, tag="relu"):
    """y = max(x, 0)."""

    rectifies: ClassVar[bool] = True

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.only(inputs)

    def lower(self, program: NetworkBuild) -> Value:
        """Nothing more where the product before has it."""
        y = program.value(self)
        if self.inputs[0] not in program.fused:
            epilogue = program.epilogue(y.type, relu=True, f=program.relu_bits(self.name))
            y = program.add(products.Relu(epilogue), y)
            if epilogue.shift:
                program.round(self.name, y.type.f)
        return y
