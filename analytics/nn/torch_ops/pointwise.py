"""Translations of what acts on each value by itself: ReLU, sums, and products with constants."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from icm_ray.network.layers import Add, Affine, Relu, Scale

__all__ = ["POINTWISE"]

aten = torch.ops.aten


def _relu(build: GraphBuilder, call: Call) -> Wire:
    return build.emit(Relu, call.wire("self"), shape=call.shape)


def _clamp(build: GraphBuilder, call: Call) -> Wire:
    if call["min"] != 0 or call.get("max") is not None:
        raise Refused("of clamps, only max(x, 0) is supported: train with ReLU in its place")
    return _relu(build, call)


def _scaled(build: GraphBuilder, wire: Wire, factor: float) -> Wire:
    return wire if factor == 1.0 else build.emit(Scale, wire, shape=wire.shape, factor=float(factor))


def _channels(build: GraphBuilder, wire: Wire, call: Call, constant: Any) -> torch.Tensor:
    """A number or tensor as one value for each channel."""
    if call.full_shape != (build.batch, *wire.shape):
        raise Refused(f"it broadcasts {wire.shape} to {call.shape}; only the constant may be broadcast")
    if not wire.shape:
        raise Refused("its values have no channel axis; keep one, as x[:, :1] does")
    tensor = torch.as_tensor(constant, dtype=torch.float64)
    shape = (1,) * (len(call.full_shape) - tensor.ndim) + tuple(tensor.shape)
    if any(size != 1 for axis, size in enumerate(shape) if axis != 1):
        raise Refused(f"its constant of shape {tuple(tensor.shape)} is not one value for each channel")
    return tensor.reshape(-1).expand(wire.shape[0])


def _sum(build: GraphBuilder, call: Call, left: Any, right: Any) -> Wire:
    """left + right, each a wire or a constant, at least one a wire."""
    if isinstance(left, Wire) and isinstance(right, Wire):
        if left.shape != right.shape:
            raise Refused(f"it adds values of shapes {left.shape} and {right.shape}; they must be equal")
        return build.emit(Add, left, right, shape=call.shape)
    wire, constant = (left, right) if isinstance(left, Wire) else (right, left)
    shift = _channels(build, wire, call, constant)
    return build.emit(Affine, wire, shape=call.shape, scale=None, shift=shift)


def _times(build: GraphBuilder, value: Any, factor: float) -> Any:
    return _scaled(build, value, factor) if isinstance(value, Wire) else value * factor


def _add(build: GraphBuilder, call: Call) -> Wire:
    return _sum(build, call, call["self"], _times(build, call["other"], call.get("alpha", 1)))


def _sub(build: GraphBuilder, call: Call) -> Wire:
    return _sum(build, call, call["self"], _times(build, call["other"], -call.get("alpha", 1)))


def _rsub(build: GraphBuilder, call: Call) -> Wire:
    return _sum(build, call, call["other"], _times(build, call["self"], -call.get("alpha", 1)))


def _neg(build: GraphBuilder, call: Call) -> Wire:
    return _scaled(build, call.wire("self"), -1.0)


def _mul(build: GraphBuilder, call: Call) -> Wire:
    left, right = call["self"], call["other"]
    if isinstance(left, Wire) and isinstance(right, Wire):
        raise Refused("a product of two private activations is not supported; only constants may multiply")
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
        scale = _channels(build, wire, call, constant)
        return build.emit(Affine, wire, shape=call.shape, scale=scale, shift=None)
    return _scaled(build, wire, constant)


POINTWISE: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.relu.default: _relu,
        aten.clamp.default: _clamp,
        aten.clamp_min.default: _clamp,
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
    }
)
