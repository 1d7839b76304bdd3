"""Exact sums by cell of third and fourth powers, and of products of two columns, as `exact_sums` has those of squares.

A term is +-m 2^p with m of two, three or four words, cut into pieces below 2^32 as there, so digits stay as small.

of doubles         m        p              digits, at least
x y                2^106    p_x + p_y      134
x^3                2^159    3 p <= 6135    200: 63 bits for the number of terms among them
x^4                2^212    4 p <= 8180    266

Integers have p = 0: x y fills 4 digits, x^3 fills 6, x^4 fills 8.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.exact_sums import magnitude, mantissa, square
from icm_ray.ring.kernel import compiled, kernel

__all__ = ["add_double_powers_at", "add_double_products_at", "add_powers_at", "add_products_at"]

_LOW = np.uint64(0xFFFF_FFFF)
_HALF = np.uint64(32)


@compiled
def _product(a, b):  # type: ignore[no-untyped-def]
    """(high, low) words of a b."""
    left = (a >> _HALF) * (b & _LOW)
    right = (a & _LOW) * (b >> _HALF)
    carried = ((a & _LOW) * (b & _LOW) >> _HALF) + (left & _LOW) + (right & _LOW)
    return (a >> _HALF) * (b >> _HALF) + (left >> _HALF) + (right >> _HALF) + (carried >> _HALF), a * b


@compiled
def _cube(m):  # type: ignore[no-untyped-def]
    """Words of m^3, the lowest first: (h 2^64 + l) m = h m 2^64 + l m, where m^2 = h 2^64 + l."""
    high, low = square(m)
    middle, first = _product(low, m)
    top, second = _product(high, m)
    second += middle
    return first, second, top + np.uint64(second < middle)


@compiled
def _fourth(m):  # type: ignore[no-untyped-def]
    """Words of m^4, the lowest first: h^2 2^128 + 2 h l 2^64 + l^2, where m^2 = h 2^64 + l."""
    one = np.uint64(1)
    high, low = square(m)
    second, first = square(low)
    cross_high, cross_low = _product(high, low)
    fourth, third = square(high)
    doubled = cross_low << one
    second += doubled
    carried = np.uint64(second < doubled)
    doubled = (cross_high << one) | (cross_low >> np.uint64(63))
    third += doubled
    more = np.uint64(third < doubled)
    third += carried
    more += np.uint64(third < carried)
    return first, second, third, fourth + (cross_high >> np.uint64(63)) + more


@compiled
def _add_word(word, left, s, sign, digits, i):  # type: ignore[no-untyped-def]
    """Add a word's two pieces, shifted by s < 32, to digits i and i + 1; left: the half word below. Returns the upper
    half, of which s bits are still to be added, to digit i + 2.
    """
    low = word & _LOW
    high = word >> _HALF
    digits[i] += (np.int64(((low << s) & _LOW) | (left >> (_HALF - s))) ^ sign) - sign
    digits[i + 1] += (np.int64(((high << s) & _LOW) | (low >> (_HALF - s))) ^ sign) - sign
    return high


@compiled
def _add_power(m, p, power, sign, digits):  # type: ignore[no-untyped-def]
    """Add sign (0 or -1) m^power 2^p, power 3 or 4."""
    s = p & np.uint64(31)
    i = np.int64(p >> np.uint64(5))
    none = np.uint64(0)
    if power == 3:
        first, second, third = _cube(m)
        left = _add_word(first, none, s, sign, digits, i)
        left = _add_word(second, left, s, sign, digits, i + 2)
        left = _add_word(third, left, s, sign, digits, i + 4)
        i += 6
    else:
        first, second, third, fourth = _fourth(m)
        left = _add_word(first, none, s, sign, digits, i)
        left = _add_word(second, left, s, sign, digits, i + 2)
        left = _add_word(third, left, s, sign, digits, i + 4)
        left = _add_word(fourth, left, s, sign, digits, i + 6)
        i += 8
    digits[i] += (np.int64(left >> (_HALF - s)) ^ sign) - sign


@compiled
def _add_product(a, b, p, sign, digits):  # type: ignore[no-untyped-def]
    """Add sign (0 or -1) a b 2^p."""
    s = p & np.uint64(31)
    i = np.int64(p >> np.uint64(5))
    high, low = _product(a, b)
    left = _add_word(low, np.uint64(0), s, sign, digits, i)
    left = _add_word(high, left, s, sign, digits, i + 2)
    digits[i + 4] += (np.int64(left >> (_HALF - s)) ^ sign) - sign


@kernel
def add_double_powers_at(values, cells, power, digits):  # type: ignore[no-untyped-def]
    """Add x^power of finite doubles, given as their bits uint64 (rows,), to digits (cells, D), of 2^-(1074 power)."""
    for row in range(values.size):
        m, p = mantissa(values[row])
        sign = np.int64(values[row]) >> 63 if power == 3 else np.int64(0)
        _add_power(m, p * np.uint64(power), power, sign, digits[cells[row]])


@kernel
def add_powers_at(values, cells, power, digits):  # type: ignore[no-untyped-def]
    """Add x^power of int64 or uint64 (rows,) to digits (cells, D): D > 2 power."""
    for row in range(values.size):
        sign = np.int64(-1) if power == 3 and values[row] < 0 else np.int64(0)
        _add_power(magnitude(values[row]), np.uint64(0), power, sign, digits[cells[row]])


@kernel
def add_double_products_at(values, others, cells, digits):  # type: ignore[no-untyped-def]
    """Add x y of finite doubles, given as their bits uint64 (rows,), to digits (cells, D), of 2^-2148."""
    for row in range(values.size):
        m, p = mantissa(values[row])
        n, q = mantissa(others[row])
        sign = np.int64(values[row] ^ others[row]) >> 63
        _add_product(m, n, p + q, sign, digits[cells[row]])


@kernel
def add_products_at(values, others, cells, digits):  # type: ignore[no-untyped-def]
    """Add x y of int64 or uint64 (rows,), each of either, to digits (cells, D): D > 4."""
    for row in range(values.size):
        sign = np.int64(-1) if (values[row] < 0) != (others[row] < 0) else np.int64(0)
        _add_product(magnitude(values[row]), magnitude(others[row]), np.uint64(0), sign, digits[cells[row]])
