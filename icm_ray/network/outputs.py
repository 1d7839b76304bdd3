"""What is opened of a network's results: the results themselves, or what follows from them on shares."""

from __future__ import annotations

import math
from typing import Final, Literal, TypeAlias

from icm_ray.errors import InputError, UnsupportedError
from icm_ray.functions.activations import sigmoid
from icm_ray.functions.order import largest
from icm_ray.functions.row_functions import softmax
from icm_ray.ops import compare, linear
from icm_ray.ops.products import Epilogue, Truncate
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value

__all__ = ["Output", "add_output", "order_rounding"]

Output: TypeAlias = Literal["logits", "label", "probabilities", "top_k", "above"]

_SMOOTH_BITS = 16
"""Fractional bits of what sigmoid and softmax take."""
_ORDER_BITS = 24
"""... and of what is put in order where the ring has no room for more: what was found is moved below all others."""
_ORDER_WIDTH = 60
_MOST_ORDERED: Final = 1 << 22
"""Of top_k, k times the classes: a few numbers that somebody sent must not keep a member busy for long."""


def add_output(builder: Builder, result: Value, error: float, output: Output, k: int, threshold: float) -> Value:
    """What is to be opened of `result` (n, *shape), whose cells are off by `error` at most.

    logits: the result. label: the index of the largest (n,), the first of equals. top_k: the indices of the `k` largest
    (n, k), the largest first. probabilities: softmax of the classes, or sigmoid of a single one. above: 0 or 1, whether
    a cell is `threshold` or more.
    Raises `UnsupportedError` where the result has no single axis of classes, `InputError` for a k or a threshold that
    cannot be (k times the classes is 2^22 at most), `BoundError` where the values do not fit the ring.
    """
    if output == "label":
        return builder.add(compare.ArgMax(result.type.width + 1), _classes(result, "a label"))
    if output == "top_k":
        return _top_k(builder, _classes(result, "top_k"), k)
    stated = builder.add(linear.AssumeWidth(result.type.width, error), result)
    if output == "probabilities":
        return _probabilities(builder, _classes(stated, "a probability"))
    return _above(builder, stated, threshold) if output == "above" else stated


def _classes(result: Value, what: str) -> Value:
    if len(result.type.shape) != 2:
        raise UnsupportedError(f"{what} needs one axis of classes; the network makes {result.type.shape[1:]}")
    return result


def _above(builder: Builder, x: Value, threshold: float) -> Value:
    if not math.isfinite(threshold):
        raise InputError(f"a threshold is a finite number, not {threshold!r}")
    within = min(max(threshold, -x.type.magnitude), x.type.magnitude)  # which no value reaches: the answer is the same
    return builder.add(compare.AtLeast(math.ceil(math.ldexp(within, x.type.f)), x.type.width + 1), x)


def order_rounding(result: ValueType) -> float:
    """By how much top_k rounds a result's cells before they are compared."""
    return 2.0**-_ORDER_BITS if result.width > _ORDER_WIDTH and result.f > _ORDER_BITS else 0.0


def _rounded(builder: Builder, x: Value, f: int) -> Value:
    shift = x.type.f - f
    return builder.add(Truncate(Epilogue(shift=shift, width=x.type.width + 1)), x) if shift > 0 else x


def _probabilities(builder: Builder, x: Value) -> Value:
    x = _rounded(builder, x, _SMOOTH_BITS)
    images, classes = x.type.shape
    if classes > 2:
        return softmax(builder, x)
    if classes == 1:
        return sigmoid(builder, x)
    # e^b / (e^a + e^b) is the sigmoid of b - a
    first, second = (builder.add(linear.Slice(((0, images, 1), (at, at + 1, 1))), x) for at in range(2))
    later = sigmoid(builder, builder.add(linear.Subtract(), second, first))
    negative = builder.add(linear.Scale(-1), later)
    earlier = builder.add(linear.AddPublic(1 << later.type.f), negative)
    return builder.add(linear.Concatenate(1), earlier, later)


def _top_k(builder: Builder, x: Value, k: int) -> Value:
    classes = x.type.shape[1]
    if not 1 <= k <= classes:
        raise InputError(f"top_k of {classes} classes: k is 1 to {classes}, not {k}")
    if k * classes > _MOST_ORDERED:
        raise InputError(f"top_k of {classes} classes: k is {max(_MOST_ORDERED // classes, 1)} at most, not {k}")
    if order_rounding(x.type):
        x = _rounded(builder, x, _ORDER_BITS)
    return largest(builder, x, k, values=False).places
