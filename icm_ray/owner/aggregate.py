"""Aggregates that an owner computes over its own rows: exact, whatever the column's scale.

Sums and sums of squares are integers in wide rings: of integers in units of 1, of doubles in units of 2^-1074 and
2^-2148, of which every finite double and its square are multiples (`owner.exact`, `ring.wide`). Nothing is rounded, so
the parts of several partitions and owners add up to what one of them would have found for all rows, and N S2 - S1^2 is
never negative, and zero for rows that are all equal.

The least or largest value is an order key (`ring.fixed`): an integer itself, or a double's place in IEEE's total order,
where -0.0 comes before 0.0. That is the zero which numpy finds where its answer does not depend on the order of rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError, OwnerError, ProgramError
from icm_ray.owner import exact
from icm_ray.ring import wide
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import key_of_float, words_of_key

__all__ = ["KINDS", "aggregate"]

Numbers = NDArray[np.generic]
Parts = Iterable[Iterable[Numbers]]
Edge = int | float

KINDS = ("sum", "squares", "min", "max", "histogram")
_BLOCK = 1 << 16


def aggregate(kind: str, edges: Sequence[Edge], parts: Parts, name: str, floats: bool = False) -> RingArray:
    """The words of an aggregate over partitions; `parts`: for each the blocks (rows,) of a column of finite numbers.

    Blocks are of bool, int64 and uint64, or of float64. floats: whether the column's kind, as owners agree on it, is
    "float"; integers are taken as doubles then where that is exact. Shapes and units: `query.tasks.Aggregate`.
    `name`: for errors.
    Errors: `OwnerError` (least or largest of no rows), `ColumnError` (numbers that are not of the column's kind),
    `ProgramError` (an unknown kind, or edges out of order).
    """
    blocks = (_of_kind(block, floats, name) for part in parts for block in part if block.size)
    if kind == "sum":
        return _moment(blocks, 1, floats)
    if kind == "squares":
        return _moment(blocks, 2, floats)
    if kind in {"min", "max"}:
        return words_of_key(_extreme(kind, blocks, name))
    if kind == "histogram":
        return _histogram(edges, blocks, name)
    raise ProgramError(f"{name}: an owner aggregates {', '.join(KINDS)}, not {kind!r}")


def _of_kind(block: Numbers, floats: bool, name: str) -> Numbers:
    """The block in float64, or in int64 or uint64."""
    if not floats:
        if block.dtype.kind == "f":
            raise ColumnError(f"{name}: fractional numbers in a column that is agreed to hold integers", column=name)
        return block.astype(np.int64 if block.dtype.kind == "b" else block.dtype, copy=False)
    doubles = block.astype(np.float64, copy=False)
    if block.dtype.kind in "iu" and max(int(block.max()), -int(block.min())) > 1 << 53:
        raise ColumnError(f"{name}: integers beyond 2^53 in a column that is agreed to hold floats", column=name)
    return doubles


# --- sums ---------------------------------------------------------------------------------------------------------


def _moment(blocks: Iterator[Any], power: int, floats: bool) -> RingArray:
    """The sum of x^power, in units of 2^-(GRID power) for doubles."""
    if floats:
        of_doubles = exact.total if power == 1 else exact.squares
        return wide.from_integers([sum(of_doubles(block) for block in blocks)], wide.LIMBS_OF_DOUBLES)
    of_integers = exact.total_of_integers if power == 1 else exact.squares_of_integers
    return wide.from_integers([sum(of_integers(block) for block in blocks)], wide.LIMBS_OF_INTEGERS)


# --- order and counts ---------------------------------------------------------------------------------------------


def _extreme(kind: str, blocks: Iterator[Numbers], name: str) -> int:
    """The order key of the least or largest value."""
    found = [_end(block, kind) for block in blocks]
    if not found:
        raise OwnerError(f"{name}: no rows, so no {kind}", name=name)
    return min(found) if kind == "min" else max(found)


def _end(block: Numbers, kind: str) -> int:
    end = (block.min() if kind == "min" else block.max()).item()
    if not isinstance(end, float):
        return int(end)
    if not end:  # numpy may give either zero
        negative = np.signbit(block[block == 0.0])
        end = -0.0 if (negative.any() if kind == "min" else negative.all()) else 0.0
    return key_of_float(end)


def _histogram(edges: Sequence[Edge], blocks: Iterator[Numbers], name: str) -> RingArray:
    if len(edges) < 2 or not all(map(math.isfinite, edges)) or any(a > b for a, b in pairwise(edges)):
        raise ProgramError(f"{name}: a histogram needs two or more finite edges in order", name=name)
    counts = np.zeros(len(edges) - 1, np.int64)
    for block in blocks:
        thresholds = _thresholds(edges, block.dtype)
        for start in range(0, block.size, _BLOCK):
            counts += _counts(block[start : start + _BLOCK], thresholds)
    return counts.view(np.uint64)


def _thresholds(edges: Sequence[Edge], dtype: np.dtype[np.generic]) -> list[Edge]:
    """What a value of `dtype` reaches where it reaches an edge, for the last one where it is beyond it; exactly."""
    if dtype.kind != "f":
        return [*map(math.ceil, edges[:-1]), math.floor(edges[-1]) + 1]
    doubles = [float(edge) for edge in edges]
    pairs = zip(doubles, edges, strict=True)
    lower = [near if near >= edge else math.nextafter(near, math.inf) for near, edge in pairs]
    last = doubles[-1] if doubles[-1] <= edges[-1] else math.nextafter(doubles[-1], -math.inf)
    return [*lower[:-1], math.nextafter(last, math.inf)]


def _counts(block: Numbers, thresholds: Sequence[Edge]) -> NDArray[np.int64]:
    ordered = np.sort(block)
    if block.dtype.kind == "f":
        return np.diff(ordered.searchsorted(np.array(thresholds, np.float64)))
    ends = np.iinfo(block.dtype)  # type: ignore[type-var]
    within = np.array([min(max(threshold, ends.min), ends.max) for threshold in thresholds], block.dtype)
    reached = ordered.searchsorted(within)
    reached[[threshold > ends.max for threshold in thresholds]] = block.size
    return np.diff(reached)
