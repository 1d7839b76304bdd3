"""Counts of order keys below the values of one digit, by cell: what an owner answers in a search for a rank."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ProgramError
from icm_ray.query.key_digits import KeyDigits
from icm_ray.ring import cells as kernels
from icm_ray.ring.array import RingArray

__all__ = ["KeyCounts"]

_MOST_LEFT = 62
"""Bits behind a digit: so that the ends of 64-bit integers lie between two of its values."""


class KeyCounts:
    """For each row of prefixes and each cell: how many keys lie below each value of the next digit but 0.

    Memory: 8 bytes for each of these.
    """

    def __init__(self, digits: KeyDigits, cells: int, name: str) -> None:
        """Errors: `ProgramError` (prefixes that are not of so many cells, digits beyond the keys)."""
        fits = 0 <= digits.left <= _MOST_LEFT and digits.prefixes
        if not fits or any(len(row) != cells for row in digits.prefixes):
            raise ProgramError(f"{name}: digits of keys that are not there", name=name)
        self._digits, self._cells = digits, cells
        shape = len(digits.prefixes), cells
        self._below = np.zeros(shape, np.int64)
        self._counts = np.zeros((*shape, 1 << digits.size), np.int64)
        self._ranges: dict[np.dtype[Any], _Ranges] = {}

    def add(self, values: NDArray[Any], cells: NDArray[np.int64] | None) -> None:
        """Count values (rows,), int64, uint64 or float64, of their cells (rows,), or of the only one."""
        keys = kernels.keys_of(values.view(np.int64)) if values.dtype.kind == "f" else values
        if keys.dtype not in self._ranges:
            self._ranges[keys.dtype] = _Ranges(self._digits, self._cells, keys.dtype)
        ranges, left = self._ranges[keys.dtype], np.uint64(self._digits.left)
        if cells is None:
            kernels.count_keys(keys, ranges.lows, ranges.firsts, ranges.beyond, left, self._below, self._counts)
        else:
            kernels.count_keys_at(
                keys, cells, ranges.lows, ranges.firsts, ranges.beyond, left, self._below, self._counts
            )

    def words(self) -> RingArray:
        """The counts (rows, cells, thresholds)."""
        reached = np.cumsum(self._counts[..., :-1], axis=-1)
        below: NDArray[np.int64] = self._below[..., None] + reached
        return below.view(np.uint64)


class _Ranges:
    """Where the keys that begin with the digits before lie among the numbers of a dtype.

    lows: (rows, cells), the least of them, in the dtype. firsts: the value of the digit at `lows`. beyond: whether all
    numbers of the dtype are below.
    """

    def __init__(self, digits: KeyDigits, cells: int, dtype: np.dtype[Any]) -> None:
        shape = len(digits.prefixes), cells
        self.lows, self.beyond = np.zeros(shape, dtype), np.zeros(shape, np.bool_)
        self.firsts = np.zeros(shape, np.uint64)
        ends, past = np.iinfo(dtype), 1 << digits.size
        for row in range(shape[0]):
            for cell in range(cells):
                low = digits.low(row, cell)
                first = min(max(low, int(ends.min)), int(ends.max))
                self.lows[row, cell], self.beyond[row, cell] = first, low > ends.max
                self.firsts[row, cell] = min(max(first - low, 0) >> digits.left, past)
