"""Translations of what rounds to whole multiples of public numbers, and of what it leaves over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import scaled
from analytics.nn.torch_ops.functions import FUNCTIONS
from icm_ray.network.layers import Add, Relu, Rounded
from icm_ray.network.layers.rounded import LARGEST_DIVISOR, LEAST_DIVISOR

__all__ = ["ROUNDINGS"]

aten = torch.ops.aten


def _rounded(build: GraphBuilder, wire: Wire, part: str, divisor: float = 1.0) -> Wire:
    return build.emit(Rounded, wire, shape=wire.shape, part=part, divisor=divisor)


def _sides(build: GraphBuilder, wire: Wire, part: str, divisor: float = 1.0) -> Wire:
    """An odd function: of the size, with the sign of the value."""
    above = build.emit(Relu, wire, shape=wire.shape)
    below = build.emit(Add, above, scaled(build, wire, -1.0), shape=wire.shape)  # max(-x, 0)
    parts = [_rounded(build, side, part, divisor) for side in (above, below)]
    return build.emit(Add, parts[0], scaled(build, parts[1], -1.0), shape=wire.shape)


def _divisor(call: Call) -> tuple[float, float]:
    """The size of the divisor, and its sign."""
    given = call["other"]
    if isinstance(given, Wire | torch.Tensor):
        raise Refused("its divisor is private; a number of the network's code is supported (x % 3, x // 0.5)")
    divisor = float(given)
    if not LEAST_DIVISOR <= abs(divisor) < LARGEST_DIVISOR:
        raise Refused(f"it divides by {divisor}; sizes from 2^-10 to 2^20 are supported")
    return abs(divisor), math.copysign(1.0, divisor)


def _floor(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    return wire if wire.whole else _rounded(build, wire, "floor")


def _ceil(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    return wire if wire.whole else scaled(build, _rounded(build, scaled(build, wire, -1.0), "floor"), -1.0)


def _trunc(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    return wire if wire.whole else _sides(build, wire, "floor")


def _frac(build: GraphBuilder, call: Call) -> Wire:
    return _sides(build, call.wire("self"), "remainder")


def _nearest(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    if call.get("decimals", 0):
        raise Refused("it rounds to decimals; multiply, round and divide in the network's code")
    return wire if wire.whole else _rounded(build, wire, "nearest")


def _remainder(build: GraphBuilder, call: Call) -> Wire:
    """With the sign of the divisor."""
    divisor, sign = _divisor(call)
    return scaled(build, _rounded(build, scaled(build, call.wire("self"), sign), "remainder", divisor), sign)


def _fmod(build: GraphBuilder, call: Call) -> Wire:
    """With the sign of the value."""
    return _sides(build, call.wire("self"), "remainder", _divisor(call)[0])


def _floor_divided(build: GraphBuilder, call: Call) -> Wire:
    divisor, sign = _divisor(call)
    return _rounded(build, scaled(build, call.wire("self"), sign), "floor", divisor)


def _divided(build: GraphBuilder, call: Call) -> Any:
    mode = call["rounding_mode"]
    if mode is None:
        return FUNCTIONS[aten.div.Tensor](build, call)
    if mode == "floor":
        return _floor_divided(build, call)
    divisor, sign = _divisor(call)
    return scaled(build, _sides(build, call.wire("self"), "floor", divisor), sign)


ROUNDINGS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.floor.default: _floor,
        aten.ceil.default: _ceil,
        aten.trunc.default: _trunc,
        aten.fix.default: _trunc,
        aten.frac.default: _frac,
        aten.round.default: _nearest,
        aten.round.decimals: _nearest,
        aten.remainder.Scalar: _remainder,
        aten.remainder.Tensor: _remainder,
        aten.fmod.Scalar: _fmod,
        aten.fmod.Tensor: _fmod,
        aten.floor_divide.default: _floor_divided,
        aten.floor_divide.Scalar: _floor_divided,
        aten.div.Tensor_mode: _divided,
        aten.div.Scalar_mode: _divided,
    }
)
