"""Counts of values between edges, which compare exactly: numpy.histogram's, integers beyond 2^53 too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ProgramError
from icm_ray.ring import cells as kernels
from icm_ray.ring.array import RingArray

__all__ = ["Bins", "Edge", "bins_of"]

Edge = int | float

_FEW = 4  # thresholds in a cell that are worth a search for each value, where steps are coins for a processor
_ROWS = 1 << 16
_GRID_CELLS = 16  # for each threshold: few share a cell where edges are about equally spaced


class Bins:
    """The values of each bin: [a, b) between two edges, the last one closed."""

    def __init__(self, edges: Sequence[Edge], name: str) -> None:
        """Errors: `ProgramError` (edges that are not two or more finite numbers in order)."""
        if len(edges) < 2 or not all(map(math.isfinite, edges)) or any(a > b for a, b in pairwise(edges)):
            raise ProgramError(f"{name}: a histogram needs two or more finite edges in order", name=name)
        self._edges = edges
        self._counts = np.zeros(len(edges) + 1, np.int64)
        self._grids: dict[np.dtype[Any], _Grid] = {}

    def add(self, values: NDArray[Any], _cells: NDArray[np.int64] | None) -> None:
        """Count values (rows,), int64, uint64 or float64; all of them are of the only cell."""
        if values.dtype not in self._grids:
            self._grids[values.dtype] = _Grid(_thresholds(self._edges, values.dtype))
        self._grids[values.dtype].count(values, self._counts)

    def words(self) -> RingArray:
        """The counts (bins,)."""
        return self._counts[1:-1].view(np.uint64).copy()


class _Grid:
    """Ascending thresholds, and equal cells in which to look for the ones around a value."""

    def __init__(self, thresholds: NDArray[Any]) -> None:
        self._thresholds = thresholds
        self._grid = np.zeros(_GRID_CELLS * thresholds.size + 1, np.int64)
        if not thresholds.size:
            return
        largest = np.finfo(np.float64).max
        self._low, high = (0.5 * min(float(end), largest) for end in (thresholds[0], thresholds[-1]))
        scale = (self._grid.size - 1) / (high - self._low) if high > self._low else 0.0
        self._scale = scale if math.isfinite(scale) else 0.0
        kernels.grid_of(thresholds, self._low, self._scale, self._grid)
        self._crowded = int(np.diff(self._grid).max()) > _FEW

    def count(self, values: NDArray[Any], counts: NDArray[np.int64]) -> None:
        """Add values that reach k thresholds to counts[k]."""
        if not self._thresholds.size:
            return
        if self._crowded:
            for start in range(0, values.size, _ROWS):
                below = np.sort(values[start : start + _ROWS]).searchsorted(self._thresholds)
                rows = min(_ROWS, values.size - start)
                counts[: below.size + 1] += np.diff(below, prepend=0, append=rows)
        else:
            kernels.count_bins(values, self._thresholds, self._low, self._scale, self._grid, counts)


def _thresholds(edges: Sequence[Edge], dtype: np.dtype[Any]) -> NDArray[Any]:
    """What a value of `dtype` reaches where it reaches an edge, for the last one where it is beyond it; exactly.

    Those that no value of the dtype reaches, which come last, are left out.
    """
    if dtype.kind != "f":
        ends = np.iinfo(dtype)
        reached = [*map(math.ceil, edges[:-1]), math.floor(edges[-1]) + 1]
        return np.array([max(threshold, int(ends.min)) for threshold in reached if threshold <= ends.max], dtype)
    doubles = [float(edge) for edge in edges]
    pairs = zip(doubles, edges, strict=True)
    lower = [near if near >= edge else math.nextafter(near, math.inf) for near, edge in pairs]
    last = doubles[-1] if doubles[-1] <= edges[-1] else math.nextafter(doubles[-1], -math.inf)
    return np.array([*lower[:-1], math.nextafter(last, math.inf)], dtype)


def bins_of(values: NDArray[Any], edges: Sequence[Edge]) -> NDArray[np.int64]:
    """The bin of each value (rows,), bool, int64, uint64 or float64; -1 where it is in none."""
    if values.dtype == np.bool_:
        values = values.astype(np.int64)
    reached = _thresholds(edges, values.dtype).searchsorted(values, side="right").astype(np.int64)
    reached[reached == len(edges)] = 0  # beyond the last
    found: NDArray[np.int64] = reached - 1
    return found
