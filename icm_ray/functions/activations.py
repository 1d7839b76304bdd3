"""Smooth functions as programs: sigmoid, tanh, erf, GELU, softplus, exp of negatives; each with a
stated error bound.

The bound is `Value.type.error`: it holds for every input, wherever it lies, and counts the input's own error. Inputs
have 4 to 24 fractional bits, results as many; values whose declared width fits the domain of a fit save the comparisons
with its edges (then 2 rounds; else 4). Opened: uniform words alone
(`protocols.fourier`, `protocols.clamped`).
"""

from __future__ import annotations

import math
from functools import cache

import msgspec
import numpy as np

from icm_ray.errors import BoundError
from icm_ray.functions.approximations import FourierSum, Function, Real, fourier_sum
from icm_ray.ops.linear import AddPublic, AssumeWidth
from icm_ray.ops.smooth import DomainEdges, ExpNegative, Periodic
from icm_ray.program.build import Builder, Value

__all__ = ["erf", "exp_negative", "gelu", "sigmoid", "softplus", "tanh"]

_MOST_BITS = 24
_ODD = (1, 3, 5, 7, 9, 11, 13)
_SIGMOID = FourierSum(period_log=5, harmonics=_ODD, even=False, dealt_bits=14, public_bits=16, word=32)
_TANH = FourierSum(period_log=4, harmonics=_ODD, even=False, dealt_bits=13, public_bits=16, word=32)
_ERF = FourierSum(period_log=4, harmonics=_ODD, even=False, dealt_bits=20, public_bits=20, word=64)
_GELU = FourierSum(
    period_log=4, harmonics=(1, 2, 3, 4, 5, 6, 7), even=True, dealt_bits=20, public_bits=20, word=64, linear=0.5
)
_SOFTPLUS = FourierSum(
    period_log=5, harmonics=(1, 2, 3, 4, 5, 6, 7, 8, 9), even=True, dealt_bits=20, public_bits=20, word=64, linear=0.5
)


def _fractional_bits(x: Value, what: str) -> int:
    if not 4 <= x.type.f <= _MOST_BITS:
        raise BoundError(f"{what} of values with 4 to {_MOST_BITS} fractional bits, not {x.type.f}", bound=_MOST_BITS)
    return x.type.f


def _edges(x: Value, low: float, high: float | None, margin: int) -> DomainEdges:
    """Edges in plain units, whole multiples of 2^-margin, for the width of x; the coin decides one such unit below."""
    drop, lower = x.type.f - margin, round(low * 2**margin)
    upper = None if high is None else round(high * 2**margin)
    reach = max(abs(lower), abs(upper or 0)) + 1
    width = max(x.type.width, (reach << drop).bit_length() + 1) + 1
    return DomainEdges(width=width, drop=drop, low=lower, high=upper)


def _half_tanh(x: Real) -> Real:
    return np.asarray(0.5 * np.tanh(x / 2))


@cache
def _step(fit: FourierSum, height: int, f: int) -> tuple[Periodic, float, int]:
    """height tanh(height x / 2) / 2 (height 1: sigmoid - 1/2, 2: tanh) less its lower limit.

    Also its error beyond the edges, and the limit in units of 2^-f. The limits are half-way between the function at
    the edge and at infinity, so that both are off by half of that.
    """
    slope, curvature = height**2 / 4, 0.1 * height**3
    limits = (0.5 * height, 8.25 / height, 8.125 / height)
    return _limited(lambda x: height * _half_tanh(height * x), limits, fit, f, slope, curvature)


def _limited(
    function: Function, limits: tuple[float, float, float], fit: FourierSum, f: int, slope: float, curvature: float
) -> tuple[Periodic, float, int]:
    """What `_step` returns, of an odd function; limits: the upper one, where it is taken for sure, and maybe."""
    limit, reach, certain = limits
    tail = limit - float(function(np.array(certain)))
    lower = round((0.5 * tail - limit) * 2**f)
    op = fourier_sum(
        function,
        fit,
        f,
        reach,
        offset=-lower * 2.0**-f,
        result_log=round(2 * limit) - 1,
        slope=slope,
        curvature=curvature,
    )
    return op, 0.5 * tail + 2.0 ** -(f + 1), lower


def _stepped(
    builder: Builder, x: Value, step: tuple[Periodic, float, int], edge: float, margin: int, middle: int = 0
) -> Value:
    """The function of `_limited`, with its limits beyond the edge, plus `middle`, in units of 2^-f."""
    op, beyond, lower = step
    if 2 ** (x.type.width - 1) > op.reach:
        edges = msgspec.structs.replace(_edges(x, -edge + 2.0**-margin, edge, margin), above=-2 * lower)
        op = msgspec.structs.replace(op, edges=edges, error=max(op.error, beyond))
    return builder.add(AssumeWidth(x.type.f + 2), builder.add(AddPublic(lower + middle), builder.add(op, x)))


def sigmoid(builder: Builder, x: Value) -> Value:
    """1 / (1 + e^-x) for any x: a sum of seven sines to 8.25, its limits beyond.

    Error: below 2.2e-4 at 16 fractional bits. 56 bytes are dealt for the sum, about 60 for the comparisons.
    """
    f = _fractional_bits(x, "sigmoid")
    return _stepped(builder, x, _step(_SIGMOID, 1, f), 8.25, 3, middle=1 << (f - 1))


def tanh(builder: Builder, x: Value) -> Value:
    """The hyperbolic tangent of any x: as `sigmoid`, of which it is twice the odd part at 2 x; to 4.125.

    Error: below 4e-4 at 16 fractional bits. Bytes as for `sigmoid`.
    """
    return _stepped(builder, x, _step(_TANH, 2, _fractional_bits(x, "tanh")), 8.25 / 2, 4)


def _error_function(x: Real) -> Real:
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x))


@cache
def _erf_step(f: int) -> tuple[Periodic, float, int]:
    # its second derivative, 4 x exp(-x^2) / sqrt(pi), is 0.97 at most
    return _limited(_error_function, (1.0, 3.5, 3.375), _ERF, f, 1.13, 0.97)


def erf(builder: Builder, x: Value) -> Value:
    """The error function of any x: a sum of seven sines to 3.5, -1 and 1 beyond.

    Error: below 5e-5 at 16 fractional bits. 112 bytes are dealt for the sum, about 60 for the comparisons.
    """
    return _stepped(builder, x, _erf_step(_fractional_bits(x, "erf")), 3.5, 3)


def _ramp(builder: Builder, x: Value, op: Periodic, edge: float, beyond: float) -> Value:
    """What is 0 below and x above, and op between: up to `edge` either way, where it is off by `beyond` at most."""
    if 2 ** (x.type.width - 1) > op.reach:
        edges = msgspec.structs.replace(_edges(x, 2.0**-3 - edge, edge, 3), follows=True)
        op = msgspec.structs.replace(op, edges=edges, error=max(op.error, beyond))
    result = builder.add(op, x)
    return builder.add(AssumeWidth(max(x.type.width, x.type.f + 1) + 1), result)


def _erf_part(x: Real) -> Real:
    return np.asarray(0.5 * x * np.vectorize(math.erf)(x / math.sqrt(2)))


@cache
def _gelu_op(f: int) -> Periodic:
    # d^2/dx^2 of x erf(x / sqrt 2) / 2 is (2 - x^2) phi(x): at most 0.8
    return fourier_sum(_erf_part, _GELU, f, 4.5, offset=0.0, result_log=3, slope=1.13, curvature=0.8)


def gelu(builder: Builder, x: Value) -> Value:
    """x Phi(x) for any x, the exact GELU (with erf, not its tanh approximation): 0 and x beyond 4.5.

    Error: below 1.1e-4 at 16 fractional bits. 112 bytes are dealt for the sum, about 80 for the comparisons.
    """
    beyond = 4.375 * 0.5 * math.erfc(4.375 / math.sqrt(2))
    return _ramp(builder, x, _gelu_op(_fractional_bits(x, "GELU")), 4.5, beyond)


def _softplus_part(x: Real) -> Real:
    return np.asarray(np.logaddexp(x / 2, -x / 2))


@cache
def _softplus_op(f: int) -> Periodic:
    # log(1 + e^x) = x / 2 + log(2 cosh(x / 2)), whose second derivative is at most 1 / 4
    return fourier_sum(_softplus_part, _SOFTPLUS, f, 10.5, offset=0.0, result_log=4, slope=1.0, curvature=0.25)


def softplus(builder: Builder, x: Value) -> Value:
    """log(1 + e^x) for any x: 0 and x beyond 10.5.

    Error: below 2.4e-4 at 16 fractional bits. 144 bytes are dealt for the sum, about 80 for the comparisons.
    """
    return _ramp(builder, x, _softplus_op(_fractional_bits(x, "softplus")), 10.5, math.log1p(math.exp(-10.375)))


def exp_negative(builder: Builder, x: Value, f: int | None = None) -> Value:
    """e^x for x <= 0, which is the caller's to ensure; `f`: fractional bits of the result, those of x by default.

    Exact powers on eight cells 2 wide, no polynomial; 0 below -13.875 (e^-13.875 is 2^-20). Error: below 2^-f +
    1e-6. 64 bytes are dealt for the powers, about 45 for the comparison.
    """
    f_x = _fractional_bits(x, "exp")
    result = f_x if f is None else f
    beyond = _edges(x, -13.875, None, 3) if 2 ** (x.type.width - 1) > 14 << f_x else None
    cut = math.exp(-13.875) if beyond is not None else 0.0
    op = ExpNegative(f_x + 1, 3, 28, 28, f=result, word=64, error=max(2.0**-result + 2.0**-22, cut), edges=beyond)
    return builder.add(op, x)
