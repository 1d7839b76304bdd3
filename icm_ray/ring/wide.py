"""Wide rings Z_2^(64 L): what owners aggregate themselves stays exact there, whatever a column's scale.

Four limbs hold every sum, sum of squares and N S2 - S1^2 of 64-bit integers (f = 0). A double is a multiple of 2^-1074
below 2^1024, a product of two of them a multiple of 2^-2148 below 2^2048: 67 limbs hold the same for every finite
double, over 2^45 rows. What is of degree d in the values (a sum of their d-th powers, and N^(d - 1) times it) has
d (2098 + 45) bits of doubles, d (64 + 45) of integers, and a few for its sign and for terms that are added up: 6 and
101 limbs for d = 3, 7 (of 4 * 64 bits, over 2^45 rows) and 135 for d = 4. L follows from a column's kind and what is
asked, never from its values. These are handfuls of numbers, so Python's integers are fast enough. Elements are L
little-endian uint64 limbs, the last axis.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["GRID", "LIMBS_OF_DOUBLES", "LIMBS_OF_INTEGERS", "from_integers", "limbs_of", "to_integers", "to_signed"]

GRID = 1074
"""Doubles are multiples of 2^-GRID, their squares of 2^-(2 GRID)."""
LIMBS_OF_INTEGERS = 4
LIMBS_OF_DOUBLES = 67
_LIMBS = {2: (LIMBS_OF_INTEGERS, LIMBS_OF_DOUBLES), 3: (6, 101), 4: (7, 135)}


def limbs_of(floats: bool, degree: int = 2) -> int:
    """Limbs of what is of that degree, 2 to 4, in doubles, or in 64-bit integers."""
    return _LIMBS[degree][floats]


def from_integers(values: Iterable[int], limbs: int) -> NDArray[np.uint64]:
    """Limbs (n, limbs) of integers, modulo 2^(64 limbs)."""
    low = (1 << 64 * limbs) - 1
    raw = b"".join((value & low).to_bytes(8 * limbs, "little") for value in values)
    return np.frombuffer(raw, np.uint64).reshape(-1, limbs).copy()


def to_integers(words: NDArray[np.uint64]) -> list[int]:
    """The integers in [0, 2^(64 L)) of limbs (..., L), flat."""
    return _read(words, signed=False)


def to_signed(words: NDArray[np.uint64]) -> list[int]:
    """The two's complement integers of limbs (..., L), flat."""
    return _read(words, signed=True)


def _read(words: NDArray[np.uint64], *, signed: bool) -> list[int]:
    raw = np.ascontiguousarray(words).tobytes()
    size = 8 * words.shape[-1]
    return [int.from_bytes(raw[start : start + size], "little", signed=signed) for start in range(0, len(raw), size)]
