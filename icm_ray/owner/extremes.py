"""Least and largest values by cell, as order keys (`ring.fixed`): integers themselves, doubles in IEEE's order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring import cells as kernels
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import NOTHING, words_of_key, words_of_keys

__all__ = ["Extremes"]

_Ends = NDArray[np.int64] | NDArray[np.uint64]


class Extremes:
    """The least (or the largest) value of each cell; NOTHING (or -NOTHING) where a cell has none.

    No dtype holds all keys: those of int64 and of doubles are kept apart from those of uint64.
    """

    def __init__(self, least: bool, cells: int) -> None:
        self._least, self._cells = least, cells
        self._ends: dict[np.dtype[Any], tuple[_Ends, NDArray[np.bool_]]] = {}

    def add(self, values: NDArray[Any], cells: NDArray[np.int64] | None) -> None:
        """Take values (rows,), int64, uint64 or float64, of their cells (rows,), or of the only one; not empty."""
        keys = values.dtype.kind == "f"
        plain = values.view(np.int64) if keys else values
        ends, seen = self._of(plain.dtype)
        if cells is not None:
            self._take(keys)(plain, cells, ends, seen)
            return
        end_of = np.min if self._least else np.max
        ends[0] = end_of([ends[0], end_of(kernels.key_ends(plain) if keys else plain)])
        seen[0] = True

    def words(self) -> RingArray:
        """The keys in two words, (2, cells)."""
        words = np.repeat(words_of_key(NOTHING if self._least else -NOTHING), self._cells, axis=1)
        signed, unsigned = (self._ends.get(np.dtype(dtype)) for dtype in (np.int64, np.uint64))
        if signed is not None:
            np.copyto(words, words_of_keys(signed[0]), where=signed[1])
        if unsigned is not None:
            ends, seen = unsigned
            if signed is not None:  # where both are there, those below zero come before all others
                reached = (signed[0] < 0) | (signed[0].astype(np.uint64) < ends)
                seen = seen & (~signed[1] | (reached != self._least))
            np.copyto(words, words_of_keys(ends), where=seen)
        return words

    def _take(self, keys: bool) -> Any:
        if self._least:
            return kernels.least_key_at if keys else kernels.least_at
        return kernels.largest_key_at if keys else kernels.largest_at

    def _of(self, dtype: np.dtype[Any]) -> tuple[_Ends, NDArray[np.bool_]]:
        if dtype not in self._ends:
            limits = np.iinfo(dtype)
            ends = np.full(self._cells, limits.max if self._least else limits.min, dtype)
            self._ends[dtype] = ends, np.zeros(self._cells, np.bool_)
        return self._ends[dtype]
