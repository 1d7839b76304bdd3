"""Kernels of wide rings Z_2^(64 L): sums and products of numbers whose limbs, the last axis, are little-endian words.

A carry is a comparison's result, added; nothing branches on words. Arrays are (n, L) and contiguous. A product of words
has two words; it is made of four products of their halves.
"""

from __future__ import annotations

import numpy as np

from icm_ray.ring.kernel import compiled, kernel

__all__ = ["add", "add_product", "add_rows", "subtract", "widen"]

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFF_FFFF)
_ONE = np.uint64(1)
_TOP = np.uint64(63)
_OFFSET = np.uint64(1 << 62)


@compiled
def _words_of(x, y):  # type: ignore[no-untyped-def]
    """(high, low) word of x y."""
    x_low, x_high, y_low, y_high = x & _LOW, x >> _HALF, y & _LOW, y >> _HALF
    low, middle = x_low * y_low, x_high * y_low
    middle += low >> _HALF
    other = x_low * y_high + (middle & _LOW)
    return x_high * y_high + (middle >> _HALF) + (other >> _HALF), (other << _HALF) | (low & _LOW)


@kernel
def add(x, y, out):  # type: ignore[no-untyped-def]
    """out = x + y; out may be x or y."""
    for e in range(x.shape[0]):
        carry = np.uint64(0)
        for i in range(x.shape[1]):
            word = x[e, i] + carry
            carry = np.uint64(word < carry)
            total = word + y[e, i]
            carry += np.uint64(total < word)
            out[e, i] = total


@kernel
def subtract(x, y, out):  # type: ignore[no-untyped-def]
    """out = x - y; out may be x or y."""
    for e in range(x.shape[0]):
        borrow = np.uint64(0)
        for i in range(x.shape[1]):
            word = x[e, i]
            rest = word - borrow
            borrow = np.uint64(rest > word)
            total = rest - y[e, i]
            borrow += np.uint64(total > rest)
            out[e, i] = total


@kernel
def add_rows(x, total):  # type: ignore[no-untyped-def]
    """Add all rows of x to total (1, L)."""
    for e in range(x.shape[0]):
        carry = np.uint64(0)
        for i in range(x.shape[1]):
            word = x[e, i] + carry
            carry = np.uint64(word < carry)
            found = total[0, i] + word
            carry += np.uint64(found < word)
            total[0, i] = found


@kernel
def add_product(x, y, out):  # type: ignore[no-untyped-def]
    """Add x y to out, row by row; y (1, L) serves all rows."""
    limbs = x.shape[1]
    for e in range(x.shape[0]):
        row = e if y.shape[0] > 1 else 0
        for i in range(limbs):
            factor, carry = x[e, i], np.uint64(0)
            for j in range(limbs - i):
                high, low = _words_of(factor, y[row, j])
                low += carry
                high += np.uint64(low < carry)
                low += out[e, i + j]
                high += np.uint64(low < out[e, i + j])
                out[e, i + j] = low
                carry = high


@kernel
def widen(y_hat, t, first, out):  # type: ignore[no-untyped-def]
    """Take out (n, L), the shares of low63(r), from opened words y^ (n,) = x + 2^62 + r; out becomes shares of x.

    t (n, L): shares of msb(r). x = c - rho + (m + (1 - 2 m) t) 2^63 - 2^62, with m, c the top bit and the rest of y^.
    """
    for e in range(y_hat.size):
        sign = np.uint64(0) - (y_hat[e] >> _TOP)  # all ones where m is 1: then t is taken away
        negate, low, borrow = sign & _ONE, np.uint64(0), np.uint64(0)
        for i in range(out.shape[1]):
            shifted = (t[e, i] << _TOP) | (low >> _ONE)
            low = t[e, i]
            word = (shifted ^ sign) + negate
            negate = np.uint64(word < negate)
            total = word - borrow
            borrow = np.uint64(total > word)
            rest = total - out[e, i]
            borrow += np.uint64(rest > total)
            out[e, i] = rest
        if first:
            word = y_hat[e] - _OFFSET
            fill = np.uint64(0) - np.uint64(word > y_hat[e])
            carry = np.uint64(0)
            for i in range(out.shape[1]):
                total = out[e, i] + carry
                carry = np.uint64(total < carry)
                found = total + word
                carry += np.uint64(found < total)
                out[e, i] = found
                word = fill
