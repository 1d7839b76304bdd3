"""Translations of activation functions: piecewise linear ones, smooth ones, and those along an axis."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import affine, held, lifted, of_sample, scaled, spread
from analytics.nn.torch_ops.pointwise import multiplied
from icm_ray.network.layers import Add, Bent, Elu, Maximum, Relu, Smooth, Softmax
from icm_ray.network.layers.bent import LARGEST

__all__ = ["ACTIVATIONS", "larger_exponential", "rectified", "smooth", "softmax"]

aten = torch.ops.aten
_SELU = {"alpha": 1.6732632423543772848170429916717, "scale": 1.0507009873554804934193349852946}


def _bent(build: GraphBuilder, wire: Wire, offset: float, slope: float, *bends: tuple[float, float]) -> Wire:
    numbers = (offset, slope, *(number for bend in bends for number in bend))
    if not all(abs(number) < LARGEST for number in numbers):
        raise Refused("its numbers are not finite, or 2^20 and more")
    return build.emit(Bent, wire, shape=wire.shape, offset=float(offset), slope=float(slope), bends=bends)


def _relu(build: GraphBuilder, call: Call) -> Wire:
    return rectified(build, call.wire("self"))


def rectified(build: GraphBuilder, wire: Wire) -> Wire:
    """max(x, 0)."""
    return build.emit(Relu, wire, shape=wire.shape)


def _clamped(build: GraphBuilder, wire: Wire, low: Any, high: Any) -> Wire:
    if low is not None and high is not None and low > high:
        raise Refused(f"its lower limit {low} is above its upper one {high}")
    if low is None and high is None:
        return wire
    if low == 0:  # a ReLU is finished with the product before it
        wire, low = rectified(build, wire), None
        if high is None:
            return wire
    if low is None:
        return _bent(build, wire, 0.0, 1.0, (float(high), -1.0))
    upper = () if high is None else ((float(high), -1.0),)
    return _bent(build, wire, low, 0.0, (float(low), 1.0), *upper)


def _clamp(build: GraphBuilder, call: Call) -> Wire:
    low, high = call.get("min"), call.get("max")
    if not any(isinstance(edge, Wire | torch.Tensor) for edge in (low, high)):
        return _clamped(build, call.wire("self"), low, high)
    made = call.wire("self")  # the upper limit counts where they cross, as torch has it
    if low is not None:
        made = _extreme(build, call, made, low)
    if high is not None:
        made = scaled(build, _extreme(build, call, scaled(build, made, -1.0), _negative(build, high)), -1.0)
    return made


def _negative(build: GraphBuilder, value: Any) -> Any:
    return scaled(build, value, -1.0) if isinstance(value, Wire) else -value


def _hardtanh(build: GraphBuilder, call: Call) -> Wire:
    return _clamped(build, call.wire("self"), call["min_val"], call["max_val"])


def _relu6(build: GraphBuilder, call: Call) -> Wire:
    return _clamped(build, call.wire("self"), 0, 6)


def _leaky(build: GraphBuilder, call: Call) -> Wire:
    slope = call["negative_slope"]
    return _bent(build, call.wire("self"), 0.0, slope, (0.0, 1.0 - slope))


def _random_slope(build: GraphBuilder, call: Call) -> Wire:
    if call["training"]:
        raise Refused("its slopes are drawn although the network is in eval mode; pass training=self.training")
    slope = (call["lower"] + call["upper"]) / 2
    return _bent(build, call.wire("self"), 0.0, slope, (0.0, 1.0 - slope))


def _gated(build: GraphBuilder, call: Call) -> Wire:
    """The first half of an axis times the sigmoid of the second."""
    wire = call.wire("self")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    half = wire.shape[axis] // 2
    first, second = (build.cut(wire, axis, start, start + half) for start in (0, half))
    return multiplied(build, first, smooth(build, second, "sigmoid"))


def _prelu(build: GraphBuilder, call: Call) -> Wire:
    """max(x, 0) + a min(x, 0), a private and one for each channel or for all."""
    wire, slopes = call.wire("self"), call.constant("weight").double()
    rank = len(wire.shape)
    if slopes.ndim <= 1:
        slopes = slopes.reshape(-1, *[1] * (rank - 1)) if rank else slopes.reshape(())
    above = rectified(build, wire)
    below = build.emit(Add, wire, scaled(build, above, -1.0), shape=wire.shape)
    return build.emit(Add, above, affine(build, below, scale=of_sample(slopes, rank)), shape=wire.shape)


def _abs(build: GraphBuilder, call: Call) -> Wire:
    return _bent(build, call.wire("self"), 0.0, -1.0, (0.0, 2.0))


def _soft_shrink(build: GraphBuilder, call: Call) -> Wire:
    edge = float(call["lambd"])
    return _bent(build, call.wire("self"), edge, 1.0, (-edge, -1.0), (edge, 1.0))


def _hard_sigmoid(build: GraphBuilder, call: Call) -> Wire:
    return _bent(build, call.wire("self"), 0.0, 0.0, (-3.0, 1 / 6), (3.0, -1 / 6))


def _hard_swish(build: GraphBuilder, call: Call) -> Wire:
    return multiplied(build, call.wire("self"), _hard_sigmoid(build, call))


def _larger(build: GraphBuilder, call: Call) -> Wire:
    return _extreme(build, call, call["self"], call["other"])


def _smaller(build: GraphBuilder, call: Call) -> Wire:
    negated = [_negative(build, x) for x in (call["self"], call["other"])]
    return scaled(build, _extreme(build, call, *negated), -1.0)


def _extreme(build: GraphBuilder, call: Call, left: Any, right: Any) -> Wire:
    if isinstance(left, Wire) and isinstance(right, Wire):
        return build.emit(Maximum, *(spread(build, wire, call.shape) for wire in (left, right)), shape=call.shape)
    wire, constant = (left, right) if isinstance(left, Wire) else (right, left)
    edge = of_sample(constant, len(call.shape))  # max(x, c) = c + max(x - c, 0)
    above = rectified(build, affine(build, spread(build, wire, call.shape), shift=-edge))
    return affine(build, above, shift=edge)


def smooth(build: GraphBuilder, wire: Wire, function: str) -> Wire:
    """One of the functions that `Smooth` knows."""
    return build.emit(Smooth, wire, shape=wire.shape, function=function)


def _sigmoid(build: GraphBuilder, call: Call) -> Wire:
    return smooth(build, call.wire("self"), "sigmoid")


def _tanh(build: GraphBuilder, call: Call) -> Wire:
    return smooth(build, call.wire("self"), "tanh")


def _erf(build: GraphBuilder, call: Call) -> Wire:
    return smooth(build, call.wire("self"), "erf")


def _erfc(build: GraphBuilder, call: Call) -> Wire:
    return lifted(build, scaled(build, _erf(build, call), -1.0), 1.0)


def _gelu(build: GraphBuilder, call: Call) -> Wire:
    return smooth(build, call.wire("self"), "gelu_tanh" if call["approximate"] == "tanh" else "gelu")


def _silu(build: GraphBuilder, call: Call) -> Wire:
    return multiplied(build, call.wire("self"), _sigmoid(build, call))


def _softplus(build: GraphBuilder, call: Call) -> Wire:
    beta = float(call["beta"])
    if beta <= 0:
        raise Refused(f"a softplus with beta {beta} is not supported; it must be positive")
    return scaled(build, smooth(build, scaled(build, call.wire("self"), beta), "softplus"), 1 / beta)


def _log_sigmoid(build: GraphBuilder, call: Call) -> Wire:
    return scaled(build, smooth(build, scaled(build, call.wire("self"), -1.0), "softplus"), -1.0)


def larger_exponential(build: GraphBuilder, left: Wire, right: Wire, base: float = math.e) -> Wire:
    """log(e^a + e^b) = a + softplus(b - a), or that of another base."""
    away = build.emit(Add, right, scaled(build, left, -1.0), shape=left.shape)
    more = scaled(build, smooth(build, scaled(build, away, math.log(base)), "softplus"), 1 / math.log(base))
    return build.emit(Add, left, more, shape=left.shape)


def _log_add_exp(base: float) -> Translation:
    def translate(build: GraphBuilder, call: Call) -> Wire:
        given = (call["self"], call["other"])
        like = spread(build, next(item for item in given if isinstance(item, Wire)), call.shape)
        left, right = (
            spread(build, item, call.shape) if isinstance(item, Wire) else held(build, like, item, call.shape)
            for item in given
        )
        return larger_exponential(build, left, right, base)

    return translate


def _mish(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    return multiplied(build, wire, smooth(build, smooth(build, wire, "softplus"), "tanh"))


def _elu(build: GraphBuilder, call: Call) -> Wire:
    inner = float(call.get("input_scale", 1))
    if inner <= 0:
        raise Refused("an ELU's numbers must be positive")
    wire = scaled(build, call.wire("self"), inner)
    return _exponential(build, wire, call["alpha"] * inner, call.get("scale", 1) / inner)


def _celu(build: GraphBuilder, call: Call) -> Wire:
    alpha = float(call["alpha"])
    if alpha <= 0:
        raise Refused("an ELU's numbers must be positive")
    return _exponential(build, scaled(build, call.wire("self"), 1 / alpha), 1, alpha)


def _selu(build: GraphBuilder, call: Call) -> Wire:
    return _exponential(build, call.wire("self"), _SELU["alpha"], _SELU["scale"])


def _exponential(build: GraphBuilder, wire: Wire, alpha: float, scale: float) -> Wire:
    if alpha <= 0 or scale <= 0:
        raise Refused("an ELU's numbers must be positive")
    return build.emit(Elu, wire, shape=wire.shape, alpha=float(alpha), scale=float(scale))


def softmax(
    build: GraphBuilder, wire: Wire, *, log: bool = False, closed: tuple[int, ...] = (), shut: Wire | None = None
) -> Wire:
    """Along the last axis. closed: public places that take no part; shut: 1 in private ones."""
    least = 3 if log or closed or shut is not None else 2
    if wire.shape[-1] < least:
        raise Refused(f"it is along an axis of {wire.shape[-1]}; {least} or more are supported")
    columns = wire.shape[-1]
    if closed and max(Counter(place // columns for place in closed).values()) == columns:
        raise Refused("its mask leaves nothing of a row")
    sources = (wire,) if shut is None else (wire, spread(build, shut, wire.shape))
    return build.emit(Softmax, *sources, shape=wire.shape, log=log, closed=closed)


def _softmax(build: GraphBuilder, call: Call) -> Wire:
    return _along(build, call, log=False)


def _log_softmax(build: GraphBuilder, call: Call) -> Wire:
    return _along(build, call, log=True)


def _along(build: GraphBuilder, call: Call, *, log: bool) -> Wire:
    wire = call.wire("self")
    axis = call.axis(call["dim"], len(wire.shape) + 1)
    closed, shut, wire = wire.closed, wire.shut, replace(wire, closed=(), shut=None)
    if closed and (log or axis != len(wire.shape) - 1):
        raise Refused("its mask closes places of another axis")
    order = (*(k for k in range(len(wire.shape)) if k != axis), axis)
    back = tuple(order.index(k) for k in range(len(order)))
    mask = None if shut is None else build.permute(spread(build, shut, wire.shape), order)
    return build.permute(softmax(build, build.permute(wire, order), log=log, closed=closed, shut=mask), back)


ACTIVATIONS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.relu.default: _relu,
        aten.relu6.default: _relu6,
        aten.hardtanh.default: _hardtanh,
        aten.clamp.default: _clamp,
        aten.clamp.Tensor: _clamp,
        aten.clamp_min.default: _clamp,
        aten.clamp_max.default: _clamp,
        aten.clamp_min.Tensor: _clamp,
        aten.clamp_max.Tensor: _clamp,
        aten.leaky_relu.default: _leaky,
        aten.rrelu.default: _random_slope,
        aten.glu.default: _gated,
        aten.prelu.default: _prelu,
        aten._prelu_kernel.default: _prelu,
        aten.abs.default: _abs,
        aten.softshrink.default: _soft_shrink,
        aten.hardsigmoid.default: _hard_sigmoid,
        aten.hardswish.default: _hard_swish,
        aten.maximum.default: _larger,
        aten.max.other: _larger,
        aten.fmax.default: _larger,
        aten.minimum.default: _smaller,
        aten.min.other: _smaller,
        aten.fmin.default: _smaller,
        aten.sigmoid.default: _sigmoid,
        aten.tanh.default: _tanh,
        aten.erf.default: _erf,
        aten.special_erf.default: _erf,
        aten.erfc.default: _erfc,
        aten.special_erfc.default: _erfc,
        aten.gelu.default: _gelu,
        aten.silu.default: _silu,
        aten.mish.default: _mish,
        aten.softplus.default: _softplus,
        aten.log_sigmoid.default: _log_sigmoid,
        aten.logaddexp.default: _log_add_exp(math.e),
        aten.logaddexp2.default: _log_add_exp(2.0),
        aten.elu.default: _elu,
        aten.celu.default: _celu,
        aten.selu.default: _selu,
        aten.softmax.int: _softmax,
        aten._softmax.default: _softmax,
        aten.log_softmax.int: _log_softmax,
        aten._log_softmax.default: _log_softmax,
    }
)
