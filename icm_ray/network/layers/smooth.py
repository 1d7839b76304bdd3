"""Smooth functions of one value: sigmoid, tanh, erf, GELU, softplus, sine, cosine, arctangent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from icm_ray.functions.activations import erf, gelu, sigmoid, softplus, tanh
from icm_ray.functions.arctangent import arctangent
from icm_ray.functions.waves import cosine, sine
from icm_ray.network.layer import Layer, NetworkBuild, Shape
from icm_ray.ops import linear
from icm_ray.program.build import Builder, Value

__all__ = ["FUNCTION_BITS", "Function", "Smooth", "exact"]

Function: TypeAlias = Literal["sigmoid", "tanh", "erf", "gelu", "gelu_tanh", "softplus", "sin", "cos", "atan"]

FUNCTION_BITS: Final = 24
"""The most fractional bits that functions take."""
_TANH_GELU = 4.8e-4  # what GELU's tanh approximation differs from GELU by, at most

_FUNCTIONS: Mapping[str, Callable[[Builder, Value], Value]] = MappingProxyType(
    {
        "sigmoid": sigmoid,
        "tanh": tanh,
        "erf": erf,
        "gelu": gelu,
        "gelu_tanh": gelu,
        "softplus": softplus,
        "sin": sine,
        "cos": cosine,
        "atan": arctangent,
    }
)


class Smooth(Layer, frozen=True, kw_only=True, tag="smooth"):
    """y = function(x), from a fit on its domain and its limits beyond, with a stated error."""

    function: Function

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        return self.only(inputs)

    def lower(self, program: NetworkBuild) -> Value:
        x = exact(program, self)
        y = _FUNCTIONS[self.function](program.builder, x)
        program.off(self.name, y.type.error + (_TANH_GELU if self.function == "gelu_tanh" else 0.0))
        return y


def exact(program: NetworkBuild, layer: Layer) -> Value:
    """A layer's first input with as few fractional bits as functions take, as if it were exact: then the error of
    what they return is their own.
    """
    x = program.settled(layer.inputs[0], max(min(FUNCTION_BITS - program.scheme.f, 8), 0))
    return program.add(linear.AssumeWidth(x.type.width, 0.0), x)
