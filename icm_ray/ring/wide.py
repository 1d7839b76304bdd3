"""The wide ring Z_2^256, for the few numbers that owners aggregate themselves.

A double is a dyadic rational: with 64 fractional bits, sums and sums of squares of owner-held columns, and the
product that a variance needs, are exact far beyond a double's precision, whatever the column's scale. These are
handfuls of numbers, so Python's integers are fast enough. Elements are four little-endian uint64 limbs, the last axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["BITS", "LIMBS", "from_integers", "to_integers", "to_signed"]

LIMBS = 4
BITS = 64 * LIMBS
_MODULUS = 1 << BITS


def from_integers(values: Iterable[int]) -> NDArray[np.uint64]:
    """Limbs (n, 4) of integers, modulo 2^256."""
    raw = b"".join((value % _MODULUS).to_bytes(8 * LIMBS, "little") for value in values)
    return np.frombuffer(raw, np.uint64).reshape(-1, LIMBS).copy()


def to_integers(limbs: NDArray[np.uint64]) -> list[int]:
    """The integers in [0, 2^256) of limbs (n, 4)."""
    raw = np.ascontiguousarray(limbs).tobytes()
    size = 8 * LIMBS
    return [int.from_bytes(raw[start : start + size], "little") for start in range(0, len(raw), size)]


def to_signed(values: Sequence[int]) -> list[int]:
    """The same integers as two's complement numbers."""
    return [value - _MODULUS if value >> (BITS - 1) else value for value in values]
