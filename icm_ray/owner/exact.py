"""Exact sums by cell of integers and doubles, whatever their scale, in limbs of `ring.wide`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring import exact_sums as kernels
from icm_ray.ring.array import RingArray
from icm_ray.ring.wide import LIMBS_OF_DOUBLES, LIMBS_OF_INTEGERS

__all__ = ["ExactSums"]

_KERNELS = {
    (False, 1): (kernels.add_integers, kernels.add_integers_at),
    (False, 2): (kernels.add_squares, kernels.add_squares_at),
    (True, 1): (kernels.add_doubles, kernels.add_doubles_at),
    (True, 2): (kernels.add_double_squares, kernels.add_double_squares_at),
}
_LIMBS_OF_A_SUM = 34  # 2^63 doubles below 2^1024, in units of 2^-1074: 2161 bits


class ExactSums:
    """Sums of x^power by cell, power 1 or 2: integers, in units of 2^-(GRID power) where x are doubles.

    Memory: of integers 64 bytes a cell, of doubles 544, and of their squares 1072.
    """

    def __init__(self, power: int, floats: bool, cells: int, most_terms: int = kernels.MOST_TERMS) -> None:
        self._limbs = LIMBS_OF_DOUBLES if floats else LIMBS_OF_INTEGERS
        self._floats = floats
        self._add, self._add_at = _KERNELS[floats, power]
        self._digits = np.zeros((cells, 2 * (_LIMBS_OF_A_SUM if floats and power == 1 else self._limbs)), np.int64)
        self._most_terms, self._terms = most_terms, 0

    def add(self, values: NDArray[Any], cells: NDArray[np.int64] | None) -> None:
        """Add values (rows,), int64 or uint64, or float64, to their cells (rows,), or to the only one."""
        words = values.view(np.uint64) if self._floats else values
        start = 0
        while start < words.size:
            if self._terms == self._most_terms:
                self._carry()
            stop = min(words.size, start + self._most_terms - self._terms)
            if cells is None:
                self._add(words[start:stop], self._digits)
            else:
                self._add_at(words[start:stop], cells[start:stop], self._digits)
            self._terms += stop - start
            start = stop

    def words(self) -> RingArray:
        """The sums, two's complement limbs (cells, limbs)."""
        self._carry()
        digits = self._digits.view(np.uint64)
        limbs = np.empty((len(digits), self._limbs), np.uint64)
        held = digits.shape[1] // 2
        np.bitwise_or(digits[:, ::2], digits[:, 1::2] << np.uint64(32), out=limbs[:, :held])
        limbs[:, held:] = -(limbs[:, held - 1 : held] >> np.uint64(63))  # the sign
        return limbs

    def _carry(self) -> None:
        kernels.carry(self._digits)
        self._terms = 0
