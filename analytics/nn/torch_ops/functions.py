"""Translations of quotients, powers, exponentials, logarithms, and of what is made of these: variances, norms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from analytics.nn.torch_ops.activations import softmax
from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.comparisons import nonzero
from analytics.nn.torch_ops.constants import affine, lifted, of_sample, scaled, spread
from analytics.nn.torch_ops.pointwise import by, multiplied
from analytics.nn.torch_ops.pools import amax, amin, averaged, reduced_axes, summed_over
from icm_ray.network.layers import Add, Bent, Exponential, Logarithm, Normalise, Power, Quotient
from icm_ray.network.layers.normalise import LEAST_EPSILON

__all__ = ["FUNCTIONS"]

aten = torch.ops.aten
_MOST_POWER = 16


def powered(build: GraphBuilder, wire: Wire, exponent: float) -> Wire:
    """Products of the value with itself, and for the rest a root or a reciprocal."""
    if not math.isfinite(exponent) or abs(exponent) > _MOST_POWER:
        raise Refused(f"of powers, those with exponents from -{_MOST_POWER} to {_MOST_POWER} are supported")
    if exponent == 0:
        return lifted(build, scaled(build, wire, 0.0), 1.0)
    if exponent < -1:
        inverse = _one(build, wire, -1.0)
        if exponent == round(exponent):
            return powered(build, inverse, -exponent)
        whole = powered(build, inverse, float(math.floor(-exponent)))
        return multiplied(build, whole, _one(build, wire, exponent % -1))
    count = math.floor(exponent)
    if exponent == count:
        return _one(build, wire, -1.0) if count < 0 else _repeated(build, wire, count)
    if exponent < 0:
        return _one(build, wire, exponent)
    root = _one(build, wire, exponent - count)
    return multiplied(build, _repeated(build, wire, count), root) if count else root


def _one(build: GraphBuilder, wire: Wire, exponent: float) -> Wire:
    return build.emit(Power, wire, shape=wire.shape, exponent=float(exponent))


def _repeated(build: GraphBuilder, wire: Wire, count: int) -> Wire:
    """The wire to a whole power, one or more."""
    made: Wire | None = None
    while True:
        if count % 2:
            made = wire if made is None else multiplied(build, made, wire)
        count //= 2
        if not count:
            return wire if made is None else made
        wire = multiplied(build, wire, wire)


def _pow(build: GraphBuilder, call: Call) -> Wire:
    exponent = call["exponent"]
    if isinstance(exponent, Wire):
        raise Refused("its exponent depends on the private input; only constants may be exponents of activations")
    if isinstance(exponent, torch.Tensor):
        if exponent.numel() != 1:
            raise Refused("its exponents are many; one for all values is supported")
        exponent = exponent.item()
    return powered(build, spread(build, call.wire("self"), call.shape), float(exponent))


def _of_base(build: GraphBuilder, call: Call) -> Wire:
    """b^x = e^(x log b)."""
    base = float(torch.as_tensor(call["self"]).double().item())
    if base <= 0:
        raise Refused(f"powers of {base} are not supported; bases above zero are")
    return _exponential(build, scaled(build, call.wire("exponent"), math.log(base)))


def _exponential(build: GraphBuilder, wire: Wire) -> Wire:
    return build.emit(Exponential, wire, shape=wire.shape)


def _exp(build: GraphBuilder, call: Call) -> Wire:
    return _exponential(build, call.wire("self"))


def _exp2(build: GraphBuilder, call: Call) -> Wire:
    return _exponential(build, scaled(build, call.wire("self"), math.log(2)))


def _exp_less_one(build: GraphBuilder, call: Call) -> Wire:
    return lifted(build, _exp(build, call), -1.0)


def _log(base: float = math.e, lift: float = 0.0) -> Translation:
    def translate(build: GraphBuilder, call: Call) -> Wire:
        wire = lifted(build, call.wire("self"), lift)
        made = build.emit(Logarithm, wire, shape=wire.shape)
        return scaled(build, made, 1 / math.log(base))

    return translate


def _fixed_power(exponent: float) -> Translation:
    def translate(build: GraphBuilder, call: Call) -> Wire:
        return powered(build, call.wire("self"), exponent)

    return translate


def quotient(build: GraphBuilder, left: Wire, right: Wire) -> Wire:
    """left / right, whose axes of size 1 are repeated."""
    if len(left.shape) != len(right.shape):
        raise Refused(f"it broadcasts {left.shape} and {right.shape}; both must have as many axes")
    return build.emit(Quotient, left, right, shape=np.broadcast_shapes(left.shape, right.shape))


def _div(build: GraphBuilder, call: Call) -> Wire:
    left, right = call["self"], call["other"]
    if isinstance(right, Wire):
        if isinstance(left, Wire):
            return quotient(build, left, right)
        return by(build, call, _one(build, right, -1.0), left)
    divisor = torch.as_tensor(right, dtype=torch.float64)
    inverse = 1.0 / divisor  # a zero among private values is found as an infinite weight
    if isinstance(right, torch.Tensor):
        return by(build, call, left, inverse)
    if not divisor.item():
        raise Refused("it divides by zero")
    return by(build, call, left, inverse.item())


def _log_sum_exp(build: GraphBuilder, call: Call) -> Wire:
    """x_0 - log softmax(x)_0, the places that it names in one row."""
    wire = call.wire("self")
    kept, named = reduced_axes(call, wire)
    count = math.prod(wire.shape[axis] for axis in named)
    if count < 3:
        raise Refused(f"it is over {count} values; three or more are supported")
    front = tuple(wire.shape[axis] for axis in kept)
    rows = build.reshape(build.permute(wire, (*kept, *named)), (*front, count))
    logs = softmax(build, rows, log=True)
    first = build.cut(rows, len(front), 0, 1)
    away = scaled(build, build.cut(logs, len(front), 0, 1), -1.0)
    return build.reshape(build.emit(Add, first, away, shape=first.shape), call.shape)


def _variance(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    _, named = reduced_axes(call, wire)
    count = math.prod(wire.shape[axis] for axis in named)
    given = call.get("correction", 1 if call.get("unbiased", True) else 0)
    correction = 1 if given is None else given
    if count <= correction:
        raise Refused(f"it is the variance of {count} values, with a correction of {correction}")
    mean = build.expand(averaged(build, wire, named), wire.shape)
    away = build.emit(Add, wire, scaled(build, mean, -1.0), shape=wire.shape)
    squares = averaged(build, multiplied(build, away, away), named, divisor=count - correction)
    return build.reshape(squares, call.shape)


def _deviation(build: GraphBuilder, call: Call) -> Wire:
    return powered(build, _variance(build, call), 0.5)


def _variance_and_mean(build: GraphBuilder, call: Call) -> tuple[Wire, Wire]:
    wire = call.wire("self")
    _, named = reduced_axes(call, wire)
    return _variance(build, call), build.reshape(averaged(build, wire, named), call.shape)


def _deviation_and_mean(build: GraphBuilder, call: Call) -> tuple[Wire, Wire]:
    variance, mean = _variance_and_mean(build, call)
    return powered(build, variance, 0.5), mean


def _norm(build: GraphBuilder, call: Call) -> Wire:
    wire, order = call.wire("self" if "self" in call.arguments else "x"), call.get("ord", call.get("p", 2))
    _, named = reduced_axes(call, wire)
    if order == 2:
        squares = summed_over(build, multiplied(build, wire, wire), named)
        return build.reshape(powered(build, squares, 0.5), call.shape)
    if order == 0:
        return build.reshape(summed_over(build, nonzero(build, wire), named), call.shape)
    if order < 1 and not math.isinf(order):
        raise Refused(f"of norms, those of order 0, of 1 and above, and of minus infinity are supported, not {order}")
    sizes = _size(build, wire)
    if math.isinf(order):
        extreme = amax if order > 0 else amin
        return extreme(build, Call({**call.arguments, "self": sizes}, call.full_shape))
    made = summed_over(build, powered(build, sizes, order), named)
    return build.reshape(powered(build, made, 1 / order), call.shape)


def _size(build: GraphBuilder, wire: Wire) -> Wire:
    """|x|."""
    return build.emit(Bent, wire, shape=wire.shape, offset=0.0, slope=-1.0, bends=((0.0, 2.0),))


def _hypotenuse(build: GraphBuilder, call: Call) -> Wire:
    sides = [spread(build, call.wire(name), call.shape) for name in ("self", "other")]
    squares = build.emit(Add, *(multiplied(build, side, side) for side in sides), shape=call.shape)
    return powered(build, squares, 0.5)


def _times_power_of_two(build: GraphBuilder, call: Call) -> Wire:
    return by(build, call, call.wire("self"), torch.exp2(call.constant("other").double()))


def _cosine(build: GraphBuilder, call: Call) -> Wire:
    """The sum of products of rows of length 1."""
    rank = max(len(x.shape) + isinstance(x, Wire) for x in (call["x1"], call["x2"]))
    axis = call.axis(call["dim"], rank)
    constants = [x for x in (call["x1"], call["x2"]) if isinstance(x, torch.Tensor)]
    if constants:
        (wire,) = call.wires()
        whole = of_sample(constants[0], rank - 1)
        unit = whole / whole.norm(dim=axis, keepdim=True).clamp(min=call["eps"])
        shape = np.broadcast_shapes(wire.shape, tuple(unit.shape))
        made = affine(build, spread(build, _unit(build, wire, axis, call["eps"]), shape), scale=unit)
        return build.reshape(summed_over(build, made, (axis,)), call.shape)
    rows = [_unit(build, wire, axis, call["eps"]) for wire in (call["x1"], call["x2"])]
    return build.reshape(summed_over(build, multiplied(build, *rows), (axis,)), call.shape)


def _unit(build: GraphBuilder, wire: Wire, axis: int, eps: float) -> Wire:
    """Over its length along an axis, which is no less than eps."""
    size = wire.shape[axis]
    if size < 3 or eps * eps / size > LEAST_EPSILON:
        length = powered(build, summed_over(build, multiplied(build, wire, wire), (axis,)), 0.5)
        least = build.emit(Bent, length, shape=length.shape, offset=float(eps), slope=0.0, bends=((float(eps), 1.0),))
        return quotient(build, wire, least)
    order = (*(k for k in range(len(wire.shape)) if k != axis), axis)
    back = tuple(order.index(k) for k in range(len(order)))
    moved = build.permute(wire, order)
    made = build.emit(Normalise, moved, shape=moved.shape, epsilon=eps * eps / size, centred=False)
    return scaled(build, build.permute(made, back), 1 / math.sqrt(size))


def _distances(build: GraphBuilder, call: Call) -> Wire:
    """Of each row of one matrix to each of another, of order 1 or 2."""
    left, right, order = call["x1"], call["x2"], call["p"]
    if order not in {1, 2}:
        raise Refused(f"of distances, those of order 1 and 2 are supported, not {order}")
    if isinstance(left, Wire) and isinstance(right, torch.Tensor):
        return build.reshape(_length(build, _from_constants(build, left, right), order), call.shape)
    if not isinstance(left, Wire) or not isinstance(right, Wire):
        raise Refused("its first input is a constant; give the constant as the second, and transpose what is made")
    if min(len(left.shape), len(right.shape)) < 2:
        raise Refused("it compares the rows of a batch, which may not be mixed; rows of a sample need an axis more")
    if left.shape[:-2] != right.shape[:-2]:
        raise Refused(f"it broadcasts {left.shape} and {right.shape}; expand them before")
    front, (rows, size), columns = left.shape[:-2], left.shape[-2:], right.shape[-2]
    whole = (*front, rows, columns, size)
    one = build.expand(build.reshape(left, (*front, rows, 1, size)), whole)
    other = build.expand(build.reshape(right, (*front, 1, columns, size)), whole)
    away = build.emit(Add, one, scaled(build, other, -1.0), shape=whole)
    return build.reshape(_length(build, away, order), call.shape)


def _from_constants(build: GraphBuilder, wire: Wire, constant: torch.Tensor) -> Wire:
    """Each row less each row of a constant, along the last axis; a sample of one axis is a row."""
    *front, size = wire.shape
    rows = constant.double() if not front else of_sample(constant, len(wire.shape))
    if rows.ndim != max(len(wire.shape), 2) or rows.shape[-1] != size or (not front and constant.ndim != 2):
        raise Refused(f"it has {tuple(constant.shape)} constants for activations {wire.shape}")
    count = rows.shape[-2]
    wide = build.expand(build.reshape(wire, (*front, 1, size)), (*front, count, size))
    return affine(build, wide, shift=-rows.reshape(*rows.shape[:-2], *((1,) if front else ()), count, size))


def _length(build: GraphBuilder, wire: Wire, order: float) -> Wire:
    """Of order 1 or 2, along the last axis."""
    last = (len(wire.shape) - 1,)
    if order == 1:
        return summed_over(build, _size(build, wire), last)
    return powered(build, summed_over(build, multiplied(build, wire, wire), last), 0.5)


def _plus_quotient(build: GraphBuilder, call: Call) -> Wire:
    left, right = call.wire("tensor1"), call.wire("tensor2")
    made = scaled(build, quotient(build, left, right), float(call["value"]))
    return build.emit(Add, spread(build, call.wire("self"), call.shape), made, shape=call.shape)


FUNCTIONS: Mapping[Any, Translation] = MappingProxyType(
    {
        aten.div.Tensor: _div,
        aten.div.Scalar: _div,
        aten.addcdiv.default: _plus_quotient,
        aten.reciprocal.default: _fixed_power(-1.0),
        aten.sqrt.default: _fixed_power(0.5),
        aten.rsqrt.default: _fixed_power(-0.5),
        aten.pow.Tensor_Scalar: _pow,
        aten.pow.Tensor_Tensor: _pow,
        aten.pow.Scalar: _of_base,
        aten.exp.default: _exp,
        aten.exp2.default: _exp2,
        aten.expm1.default: _exp_less_one,
        aten.log.default: _log(),
        aten.log2.default: _log(2.0),
        aten.log10.default: _log(10.0),
        aten.log1p.default: _log(lift=1.0),
        aten.logsumexp.default: _log_sum_exp,
        aten.var.correction: _variance,
        aten.var.dim: _variance,
        aten.std.correction: _deviation,
        aten.std.dim: _deviation,
        aten.var_mean.correction: _variance_and_mean,
        aten.var_mean.dim: _variance_and_mean,
        aten.std_mean.correction: _deviation_and_mean,
        aten.std_mean.dim: _deviation_and_mean,
        aten.linalg_vector_norm.default: _norm,
        aten.norm.ScalarOpt_dim: _norm,
        aten.cosine_similarity.default: _cosine,
        aten.cdist.default: _distances,
        aten.hypot.default: _hypotenuse,
        aten.ldexp.Tensor: _times_power_of_two,
    }
)
