"""Magnitudes by cell: their exact sum, and the two largest, as words that shares of other owners are compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.owner.exact import ExactSums
from icm_ray.query.contributions import contribution_words
from icm_ray.ring import cells as kernels
from icm_ray.ring.array import RingArray
from icm_ray.ring.wide import to_signed

__all__ = ["Magnitudes", "sizes_of"]

_FRACTION = 52


class Magnitudes:
    """The words of `icm_ray.query.contributions` of each cell; zeros where it has no values."""

    def __init__(self, floats: bool, cells: int) -> None:
        self._floats, self._cells = floats, cells
        self._sums = ExactSums(1, floats, cells)
        self._largest, self._second = np.zeros(cells, np.uint64), np.zeros(cells, np.uint64)

    def add(self, values: NDArray[Any], cells: NDArray[np.int64] | None) -> None:
        """Take values (rows,), int64, uint64 or float64, of their cells (rows,), or of the only one; not empty."""
        sizes = sizes_of(values)
        self._sums.add(sizes, cells)
        if cells is None:
            ends = [*self._largest, *self._second, *_ends(_ordered(sizes))]
            self._second[0], self._largest[0] = sorted(ends)[-2:]
        else:
            kernels.two_largest_at(_ordered(sizes), cells, self._largest, self._second)

    def words(self) -> RingArray:
        """(7, cells)."""
        totals = to_signed(self._sums.words())
        ends = zip(self._largest.tolist(), self._second.tolist(), strict=True)
        found = [
            contribution_words(total, self._number(largest), self._number(second))
            for total, (largest, second) in zip(totals, ends, strict=True)
        ]
        return np.array(found, np.uint64).T.copy()

    def _number(self, ordered: int) -> int:
        """In units of 1, or of 2^-1074 of doubles, whose bits are given."""
        if not self._floats:
            return ordered
        exponent, fraction = ordered >> _FRACTION, ordered & ((1 << _FRACTION) - 1)
        return fraction if not exponent else (fraction | 1 << _FRACTION) << (exponent - 1)


def sizes_of(values: NDArray[Any]) -> NDArray[Any]:
    """Magnitudes: float64, or uint64, for that of the least int64 is no int64."""
    if values.dtype.kind == "f":
        sizes: NDArray[Any] = np.abs(values)
    else:
        words = values.view(np.uint64)
        sizes = np.where(values < 0, np.uint64(0) - words, words) if values.dtype.kind == "i" else words.copy()
    sizes.flags.writeable = False
    return sizes


def _ordered(sizes: NDArray[Any]) -> NDArray[np.uint64]:
    """Whole numbers in the order of magnitudes: themselves, or the bits of doubles that have no sign."""
    return sizes.view(np.uint64)


def _ends(sizes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The two largest, or the only one."""
    return np.partition(sizes, -2)[-2:] if sizes.size > 1 else sizes
