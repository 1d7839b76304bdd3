"""Exact results as doubles, each rounded once."""

from __future__ import annotations

import math
from fractions import Fraction

__all__ = ["DOUBLE", "TINIEST", "nearest", "quotient", "root"]

DOUBLE = 2.0**-52
"""Relative error of giving a result as a double."""
TINIEST = 2.0**-1074
"""Absolute error where the double is subnormal."""


def nearest(exact: Fraction) -> float:
    """The nearest double; infinite where none is as large, as numpy has it."""
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def quotient(numerator: int, denominator: int) -> float:
    """The nearest double to a quotient of integers, as `nearest`: Python rounds that once."""
    try:
        return numerator / denominator
    except OverflowError:
        return math.inf if (numerator > 0) == (denominator > 0) else -math.inf


def root(exact: Fraction) -> float:
    """The square root of a number from 0 on."""
    if not exact:
        return 0.0
    numerator, denominator = exact.as_integer_ratio()
    shift = max(denominator.bit_length() - numerator.bit_length(), 0) // 2 + 64
    return nearest(Fraction(math.isqrt((numerator << 2 * shift) // denominator), 1 << shift))
