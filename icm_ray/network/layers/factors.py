"""Public factors: values times a number that is written in the network's code."""

from __future__ import annotations

import math
from collections.abc import Iterable

from icm_ray.network.layer import NetworkBuild
from icm_ray.ops import linear
from icm_ray.program.build import Value

__all__ = ["EXTRA_BITS", "coded", "factor_bits", "factor_error", "factor_taken", "times"]

EXTRA_BITS = 20
"""Fractional bits of a public factor that is no power of two."""


def times(program: NetworkBuild, x: Value, factor: float, *, exact: bool = True) -> Value:
    """x times a positive factor. Powers of two are exact and leave the ring elements alone; otherwise f grows by 20.

    exact=False: f grows by 20 whatever the factor is, so that several results can be joined.
    """
    mantissa, exponent = math.frexp(factor)
    if exact and mantissa == 0.5:
        power = exponent - 1
        return program.add(linear.Rescale(-power) if power < 0 else linear.Scale(2**power), x)
    return program.add(linear.Scale(round(factor * 2**EXTRA_BITS), EXTRA_BITS), x)


def factor_taken(factor: float, *, exact: bool = True) -> float:
    """The factor that `times` takes for `factor`, which is not below zero."""
    power = exact and math.frexp(factor)[0] == 0.5
    return factor if power else round(factor * 2**EXTRA_BITS) / 2**EXTRA_BITS


def factor_error(factor: float, *, exact: bool = True) -> float:
    """By how much the factor that `times` takes differs from `factor`."""
    return abs(factor_taken(factor, exact=exact) - factor)


def factor_bits(factors: Iterable[float]) -> int:
    """Fractional bits for public factors: as few as make all of them exact, 20 at most."""
    denominators = (abs(factor).as_integer_ratio()[1].bit_length() - 1 for factor in factors)
    return min(max(denominators, default=0), EXTRA_BITS)


def coded(factor: float, bits: int) -> int:
    """A factor in units of 2^-bits."""
    return round(math.ldexp(factor, bits))
