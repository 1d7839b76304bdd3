"""Translations of arithmetic: sums and products of activations, with one another and with constants."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.comparisons import opposite, shut
from analytics.nn.torch_ops.constants import affine, of_sample, scaled, spread
from analytics.nn.torch_ops.minus_infinity import MINUS_INFINITY, ONLY_SOFTMAX, added
from icm_ray.network.layers import Add, Multiply

__all__ = ["POINTWISE", "by", "multiplied", "summed", "times"]

aten = torch.ops.aten


def summed(build: GraphBuilder, call: Call, left: Any, right: Any) -> Wire:
    """left + right, each a wire or a constant, at least one a wire."""
    masks = [spread(build, x.shut, call.shape) for x in (left, right) if isinstance(x, Wire) and x.shut is not None]
    return shut(build, _summed(build, call, left, right), masks)


def _summed(build: GraphBuilder, call: Call, left: Any, right: Any) -> Wire:
    if isinstance(left, Wire) and isinstance(right, Wire):
        parts = [spread(build, wire, call.shape) for wire in (left, right)]
        return build.emit(Add, *parts, shape=call.shape)
    wire, constant = (left, right) if isinstance(left, Wire) else (right, left)
    return added(build, spread(build, wire, call.shape), of_sample(constant, len(call.shape)))


def multiplied(build: GraphBuilder, left: Wire, right: Wire) -> Wire:
    """left times right, whose axes of size 1 are repeated."""
    if len(left.shape) != len(right.shape):
        raise Refused(f"it broadcasts {left.shape} and {right.shape}; both must have as many axes")
    shape = np.broadcast_shapes(left.shape, right.shape)
    return build.emit(Multiply, left, right, shape=shape)


def times(build: GraphBuilder, value: Any, factor: float) -> Any:
    """A wire or a constant times a number of the network's code."""
    if isinstance(value, Wire) and value.shut is not None and factor != 1:
        raise Refused(ONLY_SOFTMAX)
    return scaled(build, value, factor) if isinstance(value, Wire) else value * factor


def _add(build: GraphBuilder, call: Call) -> Wire:
    return summed(build, call, call["self"], times(build, call["other"], call.get("alpha", 1)))


def _sub(build: GraphBuilder, call: Call) -> Wire:
    if _is_one(call["self"]) and isinstance(call["other"], Wire) and call["other"].bit and call.get("alpha", 1) == 1:
        return opposite(build, call["other"])
    return summed(build, call, call["self"], times(build, call["other"], -call.get("alpha", 1)))


def _is_one(value: Any) -> bool:
    return isinstance(value, int | float) and value == 1


def _rsub(build: GraphBuilder, call: Call) -> Wire:
    if _is_one(call["other"]) and isinstance(call["self"], Wire) and call["self"].bit and call.get("alpha", 1) == 1:
        return opposite(build, call["self"])
    return summed(build, call, call["other"], times(build, call["self"], -call.get("alpha", 1)))


def _neg(build: GraphBuilder, call: Call) -> Wire:
    return scaled(build, call.wire("self"), -1.0)


def _mul(build: GraphBuilder, call: Call) -> Wire:
    left, right = call["self"], call["other"]
    if isinstance(left, Wire) and isinstance(right, Wire):
        return multiplied(build, left, right)
    wire, constant = (left, right) if isinstance(left, Wire) else (right, left)
    return by(build, call, wire, constant)


def by(build: GraphBuilder, call: Call, wire: Wire, constant: Any) -> Wire:
    """The wire times a number of the network's code, or a private constant; a mask times minus infinity, or nearly."""
    if wire.bit and not isinstance(constant, torch.Tensor) and constant <= MINUS_INFINITY:
        return shut(build, scaled(build, wire, 0.0), [wire])
    if isinstance(constant, torch.Tensor):
        return affine(build, spread(build, wire, call.shape), scale=of_sample(constant, len(call.shape)))
    return scaled(build, wire, constant)


def _square(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    return multiplied(build, wire, wire)


def _plus_product(build: GraphBuilder, call: Call) -> Wire:
    left, right, factor = call["tensor1"], call["tensor2"], call["value"]
    if not isinstance(left, Wire) and not isinstance(right, Wire):
        return summed(build, call, call["self"], left * right * factor)
    product = _mul(build, Call({"self": left, "other": right}, call.full_shape))
    return summed(build, call, call["self"], scaled(build, product, factor))


def _between(build: GraphBuilder, call: Call) -> Wire:
    """start + weight (end - start)."""
    start, end, weight = call["self"], call["end"], call["weight"]
    away = summed(build, call, end, times(build, start, -1.0))
    return summed(build, call, start, _mul(build, Call({"self": away, "other": weight}, call.full_shape)))


POINTWISE: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.add.Tensor: _add,
        aten.add.Scalar: _add,
        aten.sub.Tensor: _sub,
        aten.sub.Scalar: _sub,
        aten.subtract.Tensor: _sub,
        aten.subtract.Scalar: _sub,
        aten.rsub.Scalar: _rsub,
        aten.rsub.Tensor: _rsub,
        aten.neg.default: _neg,
        aten.negative.default: _neg,
        aten.mul.Tensor: _mul,
        aten.mul.Scalar: _mul,
        aten.multiply.Tensor: _mul,
        aten.multiply.Scalar: _mul,
        aten.square.default: _square,
        aten.addcmul.default: _plus_product,
        aten.lerp.Scalar: _between,
        aten.lerp.Tensor: _between,
    }
)
