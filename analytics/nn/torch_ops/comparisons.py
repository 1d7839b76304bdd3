"""Translations of comparisons, of logic with what they say, and of choices by it.

What a comparison says is private, as what it compares: 0 or 1 on shares.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch

from analytics.nn.torch_ops.building import Call, GraphBuilder, Refused, Translation, Wire
from analytics.nn.torch_ops.constants import affine, held, of_sample, scaled, spread
from analytics.nn.torch_ops.minus_infinity import MINUS_INFINITY, ONLY_SOFTMAX, closes
from analytics.nn.torch_ops.pools import reduced_axes, summed_over
from icm_ray.network.layers import Add, AtLeast, Bent, Choose, Multiply

__all__ = ["COMPARISONS", "chosen", "nonzero", "opposite", "shut"]

aten = torch.ops.aten


def opposite(build: GraphBuilder, wire: Wire) -> Wire:
    """1 - x, for zeros and ones."""
    made = build.emit(Bent, wire, shape=wire.shape, offset=1.0, slope=-1.0, bends=())
    return replace(made, truth=wire.truth, bit=True)


def _bit(wire: Wire) -> Wire:
    return replace(wire, bit=True)


def _reached(build: GraphBuilder, wire: Wire, at: float, *, strict: bool, whole: bool) -> Wire:
    if whole:  # half-way between two whole numbers
        at, strict = (math.floor(at) + 0.5, False) if strict else (math.ceil(at) - 0.5, False)
    return _bit(build.emit(AtLeast, wire, shape=wire.shape, at=at, strict=strict, whole=whole))


def _compared(name: str) -> Translation:
    def translate(build: GraphBuilder, call: Call) -> Any:
        left, right, word = call["self"], call["other"], name
        if not isinstance(left, Wire):
            left, right, word = right, left, _TURNED[name]
        whole = _whole(left)
        wire, at = spread(build, left, call.shape), 0.0
        if isinstance(right, Wire):
            other = scaled(build, spread(build, right, call.shape), -1.0)
            wire, whole = build.emit(Add, wire, other, shape=call.shape), whole and _whole(right)
        elif isinstance(right, torch.Tensor):
            constant = of_sample(right, len(call.shape))
            whole = whole and bool((constant == constant.round()).all())
            wire = affine(build, wire, shift=-constant)
        else:
            at = float(right)
            if not math.isfinite(at):  # all values are, so that it is known
                return torch.full(call.full_shape, bool(_PLAIN[word](0.0, at)))
        return _of_difference(build, wire, at, word, whole)

    return translate


def _whole(wire: Wire) -> bool:
    return wire.whole or wire.truth or wire.bit


def _of_difference(build: GraphBuilder, wire: Wire, at: float, word: str, whole: bool) -> Wire:
    if word in {"gt", "ge"}:
        return _reached(build, wire, at, strict=word == "gt", whole=whole)
    if word in {"lt", "le"}:
        return _reached(build, scaled(build, wire, -1.0), -at, strict=word == "lt", whole=whole)
    reached, passed = (_reached(build, wire, at, strict=strict, whole=whole) for strict in (False, True))
    equal = _bit(build.emit(Add, reached, scaled(build, passed, -1.0), shape=wire.shape))
    return equal if word == "eq" else opposite(build, equal)


_PLAIN: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
)
_TURNED = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge", "eq": "eq", "ne": "ne"}


def nonzero(build: GraphBuilder, wire: Wire) -> Wire:
    """1 where a value is not zero."""
    return wire if wire.truth or wire.bit else _of_difference(build, wire, 0.0, "ne", wire.whole)


def _logic(both: Callable[[GraphBuilder, Wire, Wire], Wire], word: str) -> Translation:
    def translate(build: GraphBuilder, call: Call) -> Wire:
        left, right = call["self"], call["other"]
        wires = [spread(build, nonzero(build, x), call.shape) for x in (left, right) if isinstance(x, Wire)]
        if len(wires) == 2:
            return _bit(both(build, *wires))
        (constant,) = (x for x in (left, right) if not isinstance(x, Wire))
        known = of_sample(torch.as_tensor(constant) != 0, len(call.shape))
        scale, shift = {"and": (known, None), "or": (1 - known, known), "xor": (1 - 2 * known, known)}[word]
        return _bit(affine(build, wires[0], scale=scale, shift=shift))

    return translate


def _and(build: GraphBuilder, a: Wire, b: Wire) -> Wire:
    return build.emit(Multiply, a, b, shape=a.shape)


def _or(build: GraphBuilder, a: Wire, b: Wire) -> Wire:
    return _reached(build, build.emit(Add, a, b, shape=a.shape), 1.0, strict=False, whole=True)


def _xor(build: GraphBuilder, a: Wire, b: Wire) -> Wire:
    away = build.emit(Add, a, scaled(build, b, -1.0), shape=a.shape)
    return build.emit(Multiply, away, away, shape=a.shape)


def _not(build: GraphBuilder, call: Call) -> Wire:
    return opposite(build, nonzero(build, call.wire("self")))


def _only_truth(translation: Translation) -> Translation:
    """Of bitwise operations: on whole numbers they are others."""

    def translate(build: GraphBuilder, call: Call) -> Wire:
        if any(not wire.truth for wire in call.wires()):
            raise Refused("it works on the bits of whole numbers; only truth values are supported")
        made: Wire = translation(build, call)
        return made

    return translate


def _any(build: GraphBuilder, call: Call) -> Wire:
    return _counted(build, call, every=False)


def _all(build: GraphBuilder, call: Call) -> Wire:
    return _counted(build, call, every=True)


def _counted(build: GraphBuilder, call: Call, *, every: bool) -> Wire:
    wire = nonzero(build, call.wire("self"))
    axes = reduced_axes(call, wire)[1]
    least = math.prod(wire.shape[axis] for axis in axes) if every else 1
    made = _reached(build, summed_over(build, wire, axes), float(least), strict=False, whole=True)
    return _bit(build.reshape(made, call.shape))


def chosen(build: GraphBuilder, condition: Wire, left: Any, right: Any, shape: tuple[int, ...]) -> Wire:
    """left where a private condition is 1, right where it is 0; numbers as good as minus infinity shut places."""
    condition = spread(build, condition, shape)
    if any(isinstance(x, Wire) and x.closed and not closes(x) for x in (left, right)):
        raise Refused(ONLY_SOFTMAX)
    if _shuts(left) and isinstance(right, Wire):
        return _shutting(build, spread(build, right, shape), condition)
    if _shuts(right) and isinstance(left, Wire):
        return _shutting(build, spread(build, left, shape), opposite(build, condition))
    if _shuts(left) or _shuts(right):
        base = held(build, condition, 0.0 if _shuts(left) and _shuts(right) else right if _shuts(left) else left, shape)
        return _shutting(build, base, condition if _shuts(left) else opposite(build, condition))
    branches = [
        spread(build, x, shape) if isinstance(x, Wire) else held(build, condition, x, shape) for x in (left, right)
    ]
    return build.emit(Choose, condition, *branches, shape=shape)


def _shuts(value: Any) -> bool:
    if isinstance(value, Wire):
        return closes(value)
    if isinstance(value, torch.Tensor) and not value.numel():
        return False
    return bool((torch.as_tensor(value, dtype=torch.float64) <= MINUS_INFINITY).all())


def _shutting(build: GraphBuilder, wire: Wire, mask: Wire) -> Wire:
    masks = [mask] if wire.shut is None else [spread(build, wire.shut, mask.shape), mask]
    return shut(build, replace(wire, shut=None), masks)


def shut(build: GraphBuilder, wire: Wire, masks: Sequence[Wire]) -> Wire:
    """The wire with minus infinity in the places of any of these masks."""
    if not masks:
        return wire
    first, *others = masks
    for mask in others:
        first = _or(build, first, mask)
    return replace(wire, shut=replace(first, truth=False, bit=True))


def _sign(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    above = _of_difference(build, wire, 0.0, "gt", wire.whole)
    below = scaled(build, _of_difference(build, wire, 0.0, "lt", wire.whole), -1.0)
    return build.emit(Add, above, below, shape=wire.shape)


def _below_zero(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    return _of_difference(build, wire, 0.0, "lt", _whole(wire))


def _with_the_sign(build: GraphBuilder, call: Call) -> Wire:
    """The size of one, the sign of the other: of zero it is plus."""
    wire = spread(build, call.wire("self"), call.shape)
    size = build.emit(Bent, wire, shape=wire.shape, offset=0.0, slope=-1.0, bends=((0.0, 2.0),))
    if not isinstance(call["other"], Wire):
        signs = torch.copysign(torch.ones(1, dtype=torch.float64), torch.as_tensor(call["other"]).double())
        return affine(build, size, scale=of_sample(signs, len(call.shape)))
    below = _of_difference(build, spread(build, call["other"], call.shape), 0.0, "lt", whole=False)
    return build.emit(Choose, below, scaled(build, size, -1.0), size, shape=call.shape)


def _never(_build: GraphBuilder, call: Call) -> torch.Tensor:
    return torch.zeros(call.full_shape, dtype=torch.bool)  # all numbers are finite


def _step(build: GraphBuilder, call: Call) -> Wire:
    """1 above zero, 0 below, a constant at zero."""
    wire, values = call.wire("self"), call.constant("values")
    above = _of_difference(build, wire, 0.0, "gt", wire.whole)
    at_zero = _of_difference(build, wire, 0.0, "eq", wire.whole)
    rest = affine(build, spread(build, at_zero, call.shape), scale=of_sample(values, len(call.shape)))
    return build.emit(Add, spread(build, above, call.shape), rest, shape=call.shape)


def _threshold(build: GraphBuilder, call: Call) -> Wire:
    wire = call.wire("self")
    above = _of_difference(build, wire, float(call["threshold"]), "gt", whole=False)
    return chosen(build, above, wire, float(call["value"]), wire.shape)


def _hard_shrink(build: GraphBuilder, call: Call) -> Wire:
    """x where its size is above a number, else 0."""
    wire, edge = call.wire("self"), float(call["lambd"])
    size = build.emit(Bent, wire, shape=wire.shape, offset=0.0, slope=-1.0, bends=((0.0, 2.0),))
    return chosen(build, _of_difference(build, size, edge, "gt", whole=False), wire, 0.0, wire.shape)


COMPARISONS: Mapping[Any, Translation] = MappingProxyType(
    {
        **{getattr(getattr(aten, name), kind): _compared(name) for name in _TURNED for kind in ("Scalar", "Tensor")},
        aten.logical_and.default: _logic(_and, "and"),
        aten.logical_or.default: _logic(_or, "or"),
        aten.logical_xor.default: _logic(_xor, "xor"),
        aten.logical_not.default: _not,
        aten.bitwise_and.Tensor: _only_truth(_logic(_and, "and")),
        aten.bitwise_or.Tensor: _only_truth(_logic(_or, "or")),
        aten.bitwise_xor.Tensor: _only_truth(_logic(_xor, "xor")),
        aten.bitwise_not.default: _only_truth(_not),
        aten.__and__.Tensor: _only_truth(_logic(_and, "and")),
        aten.__or__.Tensor: _only_truth(_logic(_or, "or")),
        aten.__xor__.Tensor: _only_truth(_logic(_xor, "xor")),
        aten.any.dim: _any,
        aten.any.dims: _any,
        aten.all.dim: _all,
        aten.all.dims: _all,
        aten.sign.default: _sign,
        aten.signbit.default: _below_zero,
        aten.copysign.Tensor: _with_the_sign,
        aten.copysign.Scalar: _with_the_sign,
        aten.isnan.default: _never,
        aten.isinf.default: _never,
        aten.heaviside.default: _step,
        aten.threshold.default: _threshold,
        aten.hardshrink.default: _hard_shrink,
    }
)
