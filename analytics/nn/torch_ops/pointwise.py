"""Translations of arithmetic: sums and products of activations, with one another and with constants."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import affine, of_sample, scaled, spread
from icm_ray.network.layers import Add, Multiply

__all__ = ["POINTWISE", "multiplied", "summed"]

aten = torch.ops.aten


def summed(build: GraphBuilder, call: Call, left: Any, right: Any) -> Wire:
    """left + right, each a wire or a constant, at least one a wire."""
    if isinstance(left, Wire) and isinstance(right, Wire):
        parts = [spread(build, wire, call.shape) for wire in (left, right)]
        return build.emit(Add, *parts, shape=call.shape)
    wire, constant = (left, right) if isinstance(left, Wire) else (right, left)
    return affine(build, spread(build, wire, call.shape), shift=of_sample(constant, len(call.shape)))


def multiplied(build: GraphBuilder, left: Wire, right: Wire) -> Wire:
    """left times right, whose axes of size 1 are repeated."""
    if len(left.shape) != len(right.shape):
        raise Refused(f"it broadcasts {left.shape} and {right.shape}; both must have as many axes")
    shape = np.broadcast_shapes(left.shape, right.shape)
    return build.emit(Multiply, left, right, shape=shape)


def _times(build: GraphBuilder, value: Any, factor: float) -> Any:
    return scaled(build, value, factor) if isinstance(value, Wire) else value * factor


def _add(build: GraphBuilder, call: Call) -> Wire:
    return summed(build, call, call["self"], _times(build, call["other"], call.get("alpha", 1)))


def _sub(build: GraphBuilder, call: Call) -> Wire:
    return summed(build, call, call["self"], _times(build, call["other"], -call.get("alpha", 1)))


def _rsub(build: GraphBuilder, call: Call) -> Wire:
    return summed(build, call, call["other"], _times(build, call["self"], -call.get("alpha", 1)))


def _neg(build: GraphBuilder, call: Call) -> Wire:
    return scaled(build, call.wire("self"), -1.0)


def _mul(build: GraphBuilder, call: Call) -> Wire:
    left, right = call["self"], call["other"]
    if isinstance(left, Wire) and isinstance(right, Wire):
        return multiplied(build, left, right)
    wire, constant = (left, right) if isinstance(left, Wire) else (right, left)
    return _by(build, call, wire, constant)


def _div(build: GraphBuilder, call: Call) -> Wire:
    if call.get("rounding_mode") is not None:
        raise Refused("a division that rounds is not supported")
    if not isinstance(call["self"], Wire) or isinstance(call["other"], Wire):
        raise Refused("a division by a private activation is not supported; only constants may divide")
    divisor = torch.as_tensor(call["other"], dtype=torch.float64)
    inverse = 1.0 / divisor  # a zero among private values is found as an infinite weight
    if isinstance(call["other"], torch.Tensor):
        return _by(build, call, call["self"], inverse)
    if not divisor.item():
        raise Refused("it divides by zero")
    return _by(build, call, call["self"], inverse.item())


def _by(build: GraphBuilder, call: Call, wire: Wire, constant: Any) -> Wire:
    if isinstance(constant, torch.Tensor):
        return affine(build, spread(build, wire, call.shape), scale=of_sample(constant, len(call.shape)))
    return scaled(build, wire, constant)


def _square(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    return multiplied(build, wire, wire)


def _power(build: GraphBuilder, call: Call) -> Wire:
    wire, exponent = call.wire("self"), call["exponent"]
    if exponent not in {1, 2, 3, 4}:
        raise Refused(f"of powers, those with exponents 1 to 4 are supported, not {exponent}")
    if exponent == 1:
        return wire
    square = multiplied(build, wire, wire)
    return square if exponent == 2 else multiplied(build, square, wire if exponent == 3 else square)


POINTWISE: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.add.Tensor: _add,
        aten.add.Scalar: _add,
        aten.sub.Tensor: _sub,
        aten.sub.Scalar: _sub,
        aten.rsub.Scalar: _rsub,
        aten.rsub.Tensor: _rsub,
        aten.neg.default: _neg,
        aten.mul.Tensor: _mul,
        aten.mul.Scalar: _mul,
        aten.div.Tensor: _div,
        aten.div.Scalar: _div,
        aten.div.Tensor_mode: _div,
        aten.square.default: _square,
        aten.pow.Tensor_Scalar: _power,
    }
)
