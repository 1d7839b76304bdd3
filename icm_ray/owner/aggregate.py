"""Aggregates that an owner computes over its own rows: exact integers, whatever the column's scale.

Sums and sums of squares of one partition of n rows: X = sum x and Y = sum x^2 are known exactly (`owner.exact`) and put
on the wide ring's grids, S1 in units of 2^-64 and S2 in units of 2^-128, such that the variance keeps all its digits:

    S1 = round(X)          S2 = ceil((S1^2 + (n Y - X^2)) / n)          so  0 <= (n S2 - S1^2) - (n Y - X^2) < n 2^-128

Integers are on the grid as they are: S1 = X, S2 = Y. A partition of one repeated value x takes S1 = n round(x),
S2 = n round(x)^2, and n S2 - S1^2 = 0 exactly, also together with other partitions of the same value.

Errors: |S1 - X| <= 2^-65 a partition (n 2^-65 where all rows are equal and no multiple of 2^-64; doubles from 2^-12 on
are multiples). The population variance of a partition exceeds the exact one by less than 2^-128 / n, and is never
negative, nor is that of partitions and owners put together (each has n S2 >= S1^2; Cauchy and Schwarz). There, the
means of partitions are off by 2^-65 / n (2^-65 where all rows are equal): relative to a variance s^2 of all rows at
most 2^-64 / (n s), under 2^-45 for n s >= 2^-19. S2 itself: |S2 - Y| <= 2^-64 |X| + n 2^-127.
`sum` and `squares` are consistent in whatever tasks their partitions are asked for: both come from the same S1.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import BoundError, OwnerError, ProgramError
from icm_ray.owner import exact
from icm_ray.ring import wide
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import key_of_float

__all__ = ["KINDS", "aggregate"]

Numbers = NDArray[np.generic]

KINDS = ("sum", "squares", "min", "max", "histogram")
SUM_FRACTION = 64
SQUARE_FRACTION = 128
_SUM_BOUND = 58
_SQUARES_BOUND = 88
_EXTREME_BOUND = 62


def aggregate(kind: str, edges: tuple[float, ...], parts: Iterable[Iterable[Numbers]], name: str) -> RingArray:
    """The words of an aggregate over partitions; `parts`: for each the blocks (rows,) of a column of finite numbers.

    Blocks are of bool, int64 and uint64, or of float64. Shapes and units: `query.tasks.Aggregate`. `name`: for errors.
    Errors: `BoundError` (beyond the range of the kind), `OwnerError` (least or largest of no rows), `ProgramError`
    (an unknown kind, or edges out of order).
    """
    if kind == "sum":
        return _sum(parts, name)
    if kind == "squares":
        return _squares(parts, name)
    if kind in {"min", "max"}:
        return _extreme(kind, parts, name)
    if kind == "histogram":
        return _histogram(edges, parts, name)
    raise ProgramError(f"{name}: an owner aggregates {', '.join(KINDS)}, not {kind!r}")


# --- sums ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True, repr=False)
class _Moments:
    """Running exact sums of one partition: of doubles in units of 2^-GRID and 2^-(2 GRID), of integers in ones."""

    rows: int = 0
    total: int = 0
    squares: int = 0
    least: float = float("inf")
    largest: float = float("-inf")
    integral: bool = True

    def add(self, block: Numbers, squared: bool, name: str) -> None:
        if not block.size:
            return
        self.rows += block.size
        if block.dtype.kind == "f":
            doubles = block.astype(np.float64, copy=False)
            self.integral = False
            self.least = min(self.least, float(doubles.min()))
            self.largest = max(self.largest, float(doubles.max()))
            self.total += exact.total(doubles)
            self.squares += exact.squares(doubles) if squared else 0
            return
        whole: NDArray[np.integer] = block.astype(np.int64) if block.dtype.kind != "u" else block.astype(np.uint64)
        self.total += exact.total_of_integers(whole)
        if squared:
            if max(int(whole.max()), -int(whole.min())) >= 1 << (_SQUARES_BOUND // 2):
                raise _beyond(name, "sum of squares", _SQUARES_BOUND)
            self.squares += exact.squares_of_integers(whole.astype(np.int64))

    def first(self) -> int:
        """S1."""
        if self.integral:
            return self.total << SUM_FRACTION
        if self.least == self.largest:
            return self.rows * self._repeated()
        return _nearest(self.total, exact.GRID - SUM_FRACTION)

    def second(self) -> int:
        """S2."""
        if self.integral:
            return self.squares << SQUARE_FRACTION
        if self.least == self.largest:
            return self.rows * self._repeated() ** 2
        finer = 2 * exact.GRID - SQUARE_FRACTION
        spread = self.rows * self.squares - self.total**2  # n Y - X^2
        return -(-((self.first() ** 2 << finer) + spread) // (self.rows << finer))

    def _repeated(self) -> int:
        """The partition's only value in units of 2^-64, rounded."""
        numerator, denominator = self.least.as_integer_ratio()
        return _nearest(numerator << exact.GRID, exact.GRID - SUM_FRACTION + denominator.bit_length() - 1)


def _nearest(value: int, shift: int) -> int:
    return (value + (1 << (shift - 1))) >> shift


def _moments(parts: Iterable[Iterable[Numbers]], squared: bool, name: str) -> Iterable[_Moments]:
    for part in parts:
        moments = _Moments()
        for block in part:
            moments.add(block, squared, name)
        yield moments


def _sum(parts: Iterable[Iterable[Numbers]], name: str) -> RingArray:
    first = sum(moments.first() for moments in _moments(parts, squared=False, name=name))
    if abs(first) >= 1 << (_SUM_BOUND + SUM_FRACTION):
        raise _beyond(name, "sum", _SUM_BOUND)
    return wide.from_integers([first])


def _squares(parts: Iterable[Iterable[Numbers]], name: str) -> RingArray:
    second = sum(moments.second() for moments in _moments(parts, squared=True, name=name))
    if second >= 1 << (_SQUARES_BOUND + SQUARE_FRACTION):
        raise _beyond(name, "sum of squares", _SQUARES_BOUND)
    return wide.from_integers([second])


def _beyond(name: str, what: str, bound: int) -> BoundError:
    return BoundError(f"{name}: the {what} is beyond 2^{bound}; rescale the column", name=name, bound=bound)


# --- order and counts ---------------------------------------------------------------------------------------------


def _extreme(kind: str, parts: Iterable[Iterable[Numbers]], name: str) -> RingArray:
    least = kind == "min"
    blocks = (block for part in parts for block in part if block.size)
    # Python's numbers: blocks of int64 and of uint64 may both be there, and compare exactly.
    found: list[float] = [(block.min() if least else block.max()).item() for block in blocks]
    if not found:
        raise OwnerError(f"{name}: no rows, so no {kind}", name=name)
    end = min(found) if least else max(found)
    if isinstance(end, float):
        return key_of_float(np.asarray([end], np.float64), name).view(np.uint64)
    whole = int(end)
    if abs(whole) >= 1 << _EXTREME_BOUND:
        raise _beyond(name, kind, _EXTREME_BOUND)
    return np.asarray([whole], np.int64).view(np.uint64)


def _histogram(edges: tuple[float, ...], parts: Iterable[Iterable[Numbers]], name: str) -> RingArray:
    bounds = np.asarray(edges, np.float64)
    if bounds.size < 2 or not np.isfinite(bounds).all() or (np.diff(bounds) < 0).any():
        raise ProgramError(f"{name}: a histogram needs two or more finite edges in order", name=name)
    counts = np.zeros(bounds.size - 1, np.int64)
    for part in parts:
        for block in part:
            plain = block.astype(np.uint8) if block.dtype.kind == "b" else block
            counts += np.histogram(plain, bounds)[0]
    return counts.view(np.uint64)
