"""Functions of positive values by way of their power of two: reciprocal, reciprocal square root, logarithm.

For 2^low <= x <= 2^high the bits [x >= 2^j], low < j < high, give shares of s = 2^-e with x s in [1, 2], and of any
function of e; a polynomial on [1, 2] does the rest:  1 / x = s P(x s),  x^(-1/2) = s^(1/2) Q(x s),
log x = L(x s) + e log 2.
Opened: what comparisons, products and piecewise polynomials open: uniform words.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache

import numpy as np

from icm_ray.errors import BoundError
from icm_ray.functions.approximations import Cells, Real, polynomials
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Scale
from icm_ray.ops.products import Epilogue, Product, Truncate
from icm_ray.ops.smooth import Piecewise
from icm_ray.program.build import Builder, Value

__all__ = ["logarithm", "negative_power", "reciprocal", "relative_error", "rsqrt"]

_CELLS = Cells(cell_log=-5, cell_bits=6, degree=2, low_bits=24, sum_bits=56, word=64, result_log=0)
_RESULT_BITS = 24
_SLACK = 2.0**-6
"""x s may lie outside of [1, 2] by this much, for inputs with an error of their own."""


@cache
def _mantissa(power: float, f: int) -> Piecewise:
    """(v + 3/2)^power for v in [-1/2, 1/2], of values with f fractional bits."""
    least = 1 - 2.0**-4  # no cell that is used reaches below

    def function(v: Real) -> Real:
        return np.asarray(np.maximum(v + 1.5, least) ** power)

    slope, curvature = -power * least ** (power - 1), power * (power - 1) * least ** (power - 2)
    return polynomials(function, _CELLS, f, _RESULT_BITS, (-0.5 - _SLACK, 0.5 + _SLACK), slope, curvature)


@cache
def _log_mantissa(f: int) -> Piecewise:
    """log(v + 3/2) for v in [-1/2, 1/2], of values with f fractional bits."""
    least = 1 - 2.0**-4

    def function(v: Real) -> Real:
        return np.asarray(np.log(np.maximum(v + 1.5, least)))

    return polynomials(function, _CELLS, f, _RESULT_BITS, (-0.5 - _SLACK, 0.5 + _SLACK), 1 / least, 1 / least**2)


def _steps(builder: Builder, bits: list[Value], first: int, steps: list[int], f: int, width: int) -> Value:
    """first + sum of bits times steps, integers in units of 2^-f; exact."""
    if not bits:
        raise BoundError("a range of less than a power of two")
    total = builder.add(Scale(steps[0], f), bits[0])
    for bit, step in zip(bits[1:], steps[1:], strict=True):
        total = builder.add(AssumeWidth(width), builder.add(Add(), total, builder.add(Scale(step, f), bit)))
    return builder.add(AssumeWidth(width), builder.add(AddPublic(first), total))


def _product(builder: Builder, x: Value, y: Value, f: int, bound: int) -> Value:
    """x y, below 2^bound, with f fractional bits."""
    op = Product(Elementwise(), bound=bound)
    raw = op.infer(x.type, y.type)
    if raw.f <= f:
        return builder.add(Scale(1 << (f - raw.f), f - raw.f), builder.add(op, x, y))
    return builder.add(Product(Elementwise(), Epilogue(shift=raw.f - f, width=raw.width + 1), bound), x, y)


def _reduced(builder: Builder, x: Value, low: int, high: int) -> tuple[list[Value], Value, Value]:
    """For 2^low <= x <= 2^high: the bits [x >= 2^j], s = 2^-e, and x s - 3/2 in [-1/2, 1/2]."""
    if not low < high - 1 <= 40 or low < -x.type.f:
        raise BoundError(f"a range from 2^{low} to 2^{high} of values with {x.type.f} fractional bits", bound=high)
    x = builder.add(AssumeWidth(x.type.f + high + 2, 0.0), x)
    edges = range(low + 1, high)
    wide = max(x.type.width, x.type.f + high) + 1
    compare = [AtLeast(1 << (j + x.type.f), wide) for j in edges]
    bits = [builder.add(op, x) for op in compare]
    # s in units of 2^-(high - 1): 2^(high - 1 - low), less 2^(high - 1 - j) for every j reached
    scale = _steps(
        builder, bits, 1 << (high - 1 - low), [-(1 << (high - 1 - j)) for j in edges], high - 1, high - low + 1
    )
    v = builder.add(Product(Elementwise(), bound=2), x, scale)  # in [1, 2], or a little outside
    v = builder.add(AddPublic(-(3 << (v.type.f - 1))), v)
    return bits, scale, builder.add(AssumeWidth(v.type.f + 1), v)


def _powers(
    builder: Builder, x: Value, low: int, high: int, power: float, factor: Callable[[int], float], f: int
) -> Value:
    """x^power for 2^low <= x <= 2^high; factor(e) = 2^(power e)."""
    bits, scale, v = _reduced(builder, x, low, high)
    mantissa = builder.add(_mantissa(power, v.type.f), v)
    largest = factor(low)
    bits_above = max(0, int(np.ceil(np.log2(largest))))
    f_outer = min(f + 8, 59 - _RESULT_BITS - bits_above)
    values = [round(factor(e) * 2**f_outer) for e in range(low, high)]
    steps = [after - before for before, after in itertools.pairwise(values)]
    width = max(values).bit_length() + 1
    outer = scale if power == -1.0 else _steps(builder, bits, values[0], steps, f_outer, width)
    result = _product(builder, mantissa, outer, f, bits_above + 1)
    rounding = 0.0 if power == -1.0 else 2.0 ** -(f_outer + 1)
    # the derivative is power x^(power - 1): at most |power| 2^(low (power - 1)), a little more below 2^low
    slope = -power * largest * 2.0**-low * (1 + 4 * _SLACK)
    error = largest * mantissa.type.error + rounding * 1.01 + 2.0**-f + slope * x.type.error
    return builder.add(AssumeWidth(f + bits_above + 2, error), result)


def reciprocal(builder: Builder, x: Value, low: int, high: int, f: int | None = None) -> Value:
    """1 / x for 2^low <= x <= 2^high, which is the caller's to ensure; f fractional bits, those of x by default.

    Error: below 2^-low (1e-5 + 2^-low error of x) + 2^-f. Rounds: 9 and those of the comparisons' trees.
    """
    return _powers(builder, x, low, high, -1.0, lambda e: 2.0**-e, x.type.f if f is None else f)


def rsqrt(builder: Builder, x: Value, low: int, high: int, f: int | None = None, gain: float = 1.0) -> Value:
    """gain x^(-1/2) for 2^low <= x <= 2^high, which is the caller's to ensure; f fractional bits, x's by default.

    Error: below gain 2^(-low/2) (1e-5 + 2^(-low-1) error of x) + 2^-f. Rounds as for `reciprocal`.
    """
    return _powers(builder, x, low, high, -0.5, lambda e: gain * 2.0 ** (-0.5 * e), x.type.f if f is None else f)


def negative_power(builder: Builder, x: Value, low: int, high: int, power: float, f: int) -> Value:
    """x^power, -1 <= power < 0, for 2^low <= x <= 2^high, which is the caller's to ensure; f fractional bits.

    Error: below 2^(power low) (1e-5 + 2^-low error of x) + 2^-f. Rounds as for `reciprocal`.
    """
    return _powers(builder, x, low, high, power, lambda e: 2.0 ** (power * e), f)


def logarithm(builder: Builder, x: Value, low: int, high: int, f: int | None = None) -> Value:
    """log x for 2^low <= x <= 2^high, which is the caller's to ensure; f fractional bits, those of x by default.

    Error: below 1e-5 + 2^-low error of x + 2^-f. Rounds: 7 and those of the comparisons' trees.
    """
    f = x.type.f if f is None else f
    bits, _, v = _reduced(builder, x, low, high)
    mantissa = builder.add(_log_mantissa(v.type.f), v)
    step, reach = round(math.log(2) * 2**_RESULT_BITS), max(abs(low), abs(high)) + 1
    width = (reach * step).bit_length() + 2
    whole = _steps(builder, bits, low * step, [step] * len(bits), _RESULT_BITS, width)
    total = builder.add(AssumeWidth(width), builder.add(Add(), mantissa, whole))
    if f < _RESULT_BITS:
        total = builder.add(Truncate(Epilogue(shift=_RESULT_BITS - f, width=total.type.width + 1)), total)
    elif f > _RESULT_BITS:
        total = builder.add(Scale(1 << (f - _RESULT_BITS), f - _RESULT_BITS), total)
    rounding = reach * 2.0 ** -(_RESULT_BITS + 1) + 2.0**-f
    error = mantissa.type.error + rounding + 2.0**-low * (1 + 4 * _SLACK) * x.type.error
    return builder.add(AssumeWidth(total.type.width, error), total)


def relative_error(power: float, f: int, high: int) -> float:
    """Of the power of an exact x of f fractional bits, before the result's own rounding."""
    return _mantissa(power, f + high - 1).error * float(2.0**-power)
