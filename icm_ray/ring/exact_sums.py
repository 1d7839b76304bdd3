"""Exact sums by cell: superaccumulators, which have a digit for every bit that a term can have.

A sum is digits d_i of 2^32, the last axis of int64 (cells, digits): sum_i d_i 2^(32 i), each digit with a sign of its
own. A term +-m 2^p is cut into pieces below 2^32, which are added where they belong (i = p >> 5, and above), so that
no carry is waited for: k terms onto digits below 2^32 keep them below (k + 1) 2^32. `carry` must come before
MOST_TERMS of them have come; then digits are in [0, 2^32), the last one has the sign, and k counts from 0 again.

A finite double is +-m 2^(p - 1074), m < 2^53, 0 <= p <= 2045, and p = 0 where it is subnormal: three pieces, five of
its square. Integers have p = 0. Source: Neal, arXiv:1505.05571, whose small accumulators these are.
Arrays are contiguous; cells (rows,) are in [0, cells), which callers check.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.kernel import compiled, kernel

__all__ = [
    "MOST_TERMS", "add_double_squares", "add_double_squares_at", "add_doubles", "add_doubles_at", "add_integers",
    "add_integers_at", "add_squares", "add_squares_at", "carry", "magnitude", "mantissa", "square",
]  # fmt: skip

MOST_TERMS = 1 << 30
"""Terms that come between two calls of `carry`, at the most."""

_LOW = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)
_FRACTION = np.uint64((1 << 52) - 1)
_EXPONENT = np.uint64(0x7FF)


@compiled
def mantissa(bits):  # type: ignore[no-untyped-def]
    """(m, p) of a finite double's bits: |x| = m 2^(p - 1074)."""
    exponent = (bits >> np.uint64(52)) & _EXPONENT
    normal = np.uint64(exponent != np.uint64(0))
    return (bits & _FRACTION) | (normal << np.uint64(52)), exponent - normal


@compiled
def square(m):  # type: ignore[no-untyped-def]
    """(high, low) words of m^2."""
    a = m >> _HALF
    b = m & _LOW
    middle = a * b
    low = m * m
    carried = (b * b >> _HALF) + ((middle & _LOW) << np.uint64(1))
    return a * a + ((middle >> _HALF) << np.uint64(1)) + (carried >> _HALF), low


@compiled
def _add_double(bits, digits):  # type: ignore[no-untyped-def]
    m, p = mantissa(bits)
    s = p & np.uint64(31)
    i = np.int64(p >> np.uint64(5))
    sign = np.int64(bits) >> 63
    low = np.int64((m << s) & _LOW)
    rest = m >> (_HALF - s)
    digits[i] += (low ^ sign) - sign
    digits[i + 1] += (np.int64(rest & _LOW) ^ sign) - sign
    digits[i + 2] += (np.int64(rest >> _HALF) ^ sign) - sign


@compiled
def _add_double_square(bits, digits):  # type: ignore[no-untyped-def]
    m, p = mantissa(bits)
    high, low = square(m)
    p <<= np.uint64(1)
    s = p & np.uint64(31)
    i = np.int64(p >> np.uint64(5))
    first = low << s
    second = (high << s) | ((low >> _HALF) >> (_HALF - s))
    digits[i] += np.int64(first & _LOW)
    digits[i + 1] += np.int64(first >> _HALF)
    digits[i + 2] += np.int64(second & _LOW)
    digits[i + 3] += np.int64(second >> _HALF)
    digits[i + 4] += np.int64((high >> _HALF) >> (_HALF - s))


@kernel
def add_doubles(values, digits):  # type: ignore[no-untyped-def]
    """Add finite doubles, given as their bits uint64 (rows,), to digits (1, D), of 2^-1074: D >= 68."""
    for row in range(values.size):
        _add_double(values[row], digits[0])


@kernel
def add_doubles_at(values, cells, digits):  # type: ignore[no-untyped-def]
    """The same, to digits (cells, D)."""
    for row in range(values.size):
        _add_double(values[row], digits[cells[row]])


@kernel
def add_double_squares(values, digits):  # type: ignore[no-untyped-def]
    """Add squares of finite doubles, given as their bits, to digits (1, D), of 2^-2148: D >= 134."""
    for row in range(values.size):
        _add_double_square(values[row], digits[0])


@kernel
def add_double_squares_at(values, cells, digits):  # type: ignore[no-untyped-def]
    """The same, to digits (cells, D)."""
    for row in range(values.size):
        _add_double_square(values[row], digits[cells[row]])


@kernel
def add_integers(values, digits):  # type: ignore[no-untyped-def]
    """Add int64 or uint64 (rows,) to digits (1, D)."""
    low = np.int64(0)
    high = np.int64(0)
    for row in range(values.size):
        low += np.int64(np.uint64(values[row]) & _LOW)
        high += np.int64(values[row] >> values.dtype.type(32))
    digits[0, 0] += low
    digits[0, 1] += high


@kernel
def add_integers_at(values, cells, digits):  # type: ignore[no-untyped-def]
    """The same, to digits (cells, D)."""
    for row in range(values.size):
        cell = cells[row]
        digits[cell, 0] += np.int64(np.uint64(values[row]) & _LOW)
        digits[cell, 1] += np.int64(values[row] >> values.dtype.type(32))


@compiled
def magnitude(value):  # type: ignore[no-untyped-def]
    """|x| of an int64 or uint64."""
    word = np.uint64(value)
    return np.uint64(0) - word if value < 0 else word


@kernel
def add_squares(values, digits):  # type: ignore[no-untyped-def]
    """Add squares of int64 or uint64 (rows,) to digits (1, D)."""
    first = np.int64(0)
    second = np.int64(0)
    third = np.int64(0)
    fourth = np.int64(0)
    for row in range(values.size):
        high, low = square(magnitude(values[row]))
        first += np.int64(low & _LOW)
        second += np.int64(low >> _HALF)
        third += np.int64(high & _LOW)
        fourth += np.int64(high >> _HALF)
    digits[0, 0] += first
    digits[0, 1] += second
    digits[0, 2] += third
    digits[0, 3] += fourth


@kernel
def add_squares_at(values, cells, digits):  # type: ignore[no-untyped-def]
    """The same, to digits (cells, D)."""
    for row in range(values.size):
        cell = cells[row]
        high, low = square(magnitude(values[row]))
        digits[cell, 0] += np.int64(low & _LOW)
        digits[cell, 1] += np.int64(low >> _HALF)
        digits[cell, 2] += np.int64(high & _LOW)
        digits[cell, 3] += np.int64(high >> _HALF)


@kernel
def carry(digits):  # type: ignore[no-untyped-def]
    """Digits (cells, D) of the same sums in [0, 2^32), the last ones with the sign."""
    last = digits.shape[1] - 1
    for cell in range(digits.shape[0]):
        carried = np.int64(0)
        for i in range(last):
            carried += digits[cell, i]
            digits[cell, i] = carried & np.int64(0xFFFF_FFFF)
            carried >>= np.int64(32)
        digits[cell, last] += carried
