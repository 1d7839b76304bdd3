"""Exact sums of doubles, vectorised: every double is an integer multiple of 2^-1074, and so the sums are integers.

A block is cut into digits: x = sum_i q_i 2^(u_i), the q_i integers of few bits that a double holds (Rump's error-free
extraction). With b bits and 2^16 rows every partial sum of q_i stays below 2^(b+16), of q_i q_j below 2^(2b+16): under
2^53 each addition is exact in any order, fused or not, so numpy's pairwise sum and BLAS give the integer itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring.wide import GRID

__all__ = ["squares", "squares_of_integers", "total", "total_of_integers"]

_BLOCK = 1 << 16
_SUM_BITS = 37  # 37 + 16 = 53
_SQUARE_BITS = 18  # 2 18 + 16 = 52

Doubles = NDArray[np.float64]


def _blocks(values: NDArray[np.generic]) -> Iterator[NDArray[np.generic]]:
    for start in range(0, values.size, _BLOCK):
        yield values[start : start + _BLOCK]


def _scaled(values: Doubles, exponent: int) -> Doubles:
    """values 2^exponent; the product is much faster, but takes a power that is a normal double."""
    scaled: Doubles = values * 2.0**exponent if abs(exponent) < 1000 else np.ldexp(values, exponent)
    return scaled


def _digits(block: Doubles, bits: int) -> Iterator[tuple[Doubles, int]]:
    """(q, u): block = sum q 2^u, every |q| < 2^bits an integer. Exact: q 2^u is the leading bits of what is left."""
    rest = block
    while (largest := max(float(rest.max()), -float(rest.min()))) > 0.0:
        unit = int(np.frexp(largest)[1]) - bits
        digits = np.trunc(_scaled(rest, -unit))
        yield digits, unit
        rest = rest - _scaled(digits, unit)


def _on_grid(whole: int, exponent: int) -> int:
    """whole 2^exponent, known to be an integer."""
    return whole << exponent if exponent >= 0 else whole >> -exponent


def total(values: Doubles) -> int:
    """The sum of finite doubles (rows,), in units of 2^-GRID, exactly."""
    result = 0
    for block in _blocks(values):
        for digits, unit in _digits(block, _SUM_BITS):  # type: ignore[arg-type]
            result += _on_grid(int(digits.sum()), unit + GRID)
    return result


def squares(values: Doubles) -> int:
    """The sum of squares of finite doubles (rows,), in units of 2^-(2 GRID), exactly."""
    result = 0
    for block in _blocks(values):
        cut = list(_digits(block, _SQUARE_BITS))  # type: ignore[arg-type]
        if not cut:
            continue
        rows = np.stack([digits for digits, _ in cut])
        products = rows @ rows.T  # x^2 = sum_ij q_i q_j 2^(u_i + u_j)
        for i, (_, first) in enumerate(cut):
            for j, (_, second) in enumerate(cut[: i + 1]):
                whole = int(products[i, j])
                result += _on_grid(whole if i == j else 2 * whole, first + second + 2 * GRID)
    return result


def total_of_integers(values: NDArray[np.integer]) -> int:
    """The sum of 64-bit integers (rows,), exactly: high and low halves apart, each far from int64's ends."""
    shift, low, result = values.dtype.type(32), values.dtype.type(0xFFFF_FFFF), 0
    for block in _blocks(values):
        result += (int((block >> shift).sum()) << 32) + int((block & low).sum())  # type: ignore[operator]
    return result


def squares_of_integers(values: NDArray[np.integer]) -> int:
    """The sum of squares of 64-bit integers (rows,), exactly: v = sum_i p_i 2^(22 i), two or three p_i a value."""
    result = 0
    for block in _blocks(values):
        pieces = _pieces(block)  # type: ignore[arg-type]
        for i, first in enumerate(pieces):
            for j, second in enumerate(pieces[: i + 1]):
                result += int(first @ second) << (22 * (i + j) + (i != j))
    return result


def _pieces(block: NDArray[np.integer]) -> list[NDArray[np.int64]]:
    """22 bits each, the last one with the sign: |p| <= 2^22, so that 2^16 products of two stay below 2^61."""
    shift, low = block.dtype.type(22), block.dtype.type(0x3F_FFFF)
    pieces, rest = [], block
    for _ in range(1 if max(int(block.max()), -int(block.min())) < 1 << 44 else 2):
        pieces.append((rest & low).astype(np.int64, copy=False))
        rest = rest >> shift
    return [*pieces, rest.astype(np.int64, copy=False)]
