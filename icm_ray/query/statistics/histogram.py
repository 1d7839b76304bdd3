"""Histograms with numpy's semantics: half-open bins, the last one closed; edges are public and never depend on data.

(counts, edges) as numpy.histogram has them: int64 (bins,), and float64 (bins + 1,) or the edges that were given. Values
outside of the edges are not counted. Whole numbers and whole edges compare exactly, beyond 2^53 too. On shares of
floats values and edges are rounded to multiples of 2^-f: a value equal to an edge counts as numpy has it, one off by no
more than 2^-f may count as equal.
Where there is a policy, counts from 1 to k - 1 are withheld, and those that leave as few out, and a second one where
the total would tell them (`query.complements`): the counts come as a `numpy.ma.MaskedArray`, withheld cells masked.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import InputError
from icm_ray.ops.compare import CountAtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Slice, Subtract
from icm_ray.ops.products import Product
from icm_ray.ops.values import ValueType, log2_ceil
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.complements import with_second
from icm_ray.query.entities import behind
from icm_ray.query.entity_units import least
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.expressions.tree import Of
from icm_ray.query.opened import Known, Number
from icm_ray.query.partials import Join, PartialAggregate, Taken, join, shared
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.small_cells import coarse, or_empty, shown
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.tasks import ColumnInfo, GroupKey
from icm_ray.query.withheld import masked_counts

__all__ = ["CountsOfColumn", "Histogram", "edges_of"]

MAX_BINS = 4096


def edges_of(bins: int | Sequence[float], range: tuple[float, float] | None) -> NDArray[Any]:
    """numpy's edges (bins + 1,) for public arguments; refuses what numpy would read off the data.

    int64 where they are given as integers (uint64 beyond that), else float64: also for a column of float32, where
    numpy.histogram would round equal bins to float32. Values are compared with these edges as they are, exactly.
    Errors: `InputError` where the range is missing, empty, reversed or infinite, where edges do not increase, or where
    there are more than 4096 bins.
    """
    if isinstance(bins, str):
        raise InputError(
            f"bins={bins!r} would choose the edges from the data; give a number of bins and a range, or edges"
        )
    if not isinstance(bins, Sequence | np.ndarray):
        return _equal(bins, range)
    edges = _given(bins)
    if edges.ndim != 1 or edges.size < 2 or edges.size > MAX_BINS + 1:
        raise InputError(f"edges must be a sequence of 2 to {MAX_BINS + 1} numbers, not of shape {edges.shape}")
    if not np.isfinite(edges).all():
        raise InputError("edges must be finite: an infinite edge would depend on the data's extremes to be drawn")
    if any(low > high for low, high in pairwise(edges.tolist())):
        raise InputError(f"edges must increase, as numpy's must: {edges.tolist()}")
    return edges


def _given(bins: Any) -> NDArray[Any]:
    """Edges as an array: whole numbers exactly, in int64, or in uint64 where they do not fit that."""
    numbers = bins.tolist() if isinstance(bins, np.ndarray) else list(bins)
    try:
        if isinstance(numbers, list) and all(isinstance(edge, int | np.integer | np.bool_) for edge in numbers):
            wide = max(map(int, numbers), default=0) > np.iinfo(np.int64).max
            return np.array(list(map(int, numbers)), np.uint64 if wide else np.int64)
        return np.asarray(bins).astype(np.float64)
    except OverflowError:
        raise InputError("whole edges must fit 64 bits, all of them signed or all unsigned") from None
    except (TypeError, ValueError):
        raise InputError(f"bins must be a number of bins or a sequence of edges, not {bins!r}") from None


def _equal(bins: Any, range: tuple[float, float] | None) -> NDArray[np.float64]:
    try:
        number = operator.index(bins)
    except TypeError:
        raise InputError(f"bins must be a number of bins or a sequence of edges, not {bins!r}") from None
    if isinstance(bins, bool) or not 1 <= number <= MAX_BINS:
        raise InputError(f"bins must be 1 to {MAX_BINS}, not {bins!r}")
    if range is None:
        raise InputError(
            "a histogram needs range=(low, high) or explicit edges: numpy would take the least and the largest value "
            "of the data, and the edges are public, so that would reveal both"
        )
    try:
        low, high = map(float, range)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"range must be two numbers, not {range!r}") from None
    if not (np.isfinite(low) and np.isfinite(high)) or low > high:
        raise InputError(f"range must be two finite numbers in order, not {range!r}")
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            edges: NDArray[np.float64] = np.histogram_bin_edges(np.empty(0), number, (low, high))
    except ValueError:
        edges = np.array([np.nan])
    if not np.isfinite(edges).all():
        raise InputError(f"no {number} bins of doubles lie in the range {range!r}")
    return edges


class Histogram(OfColumn, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="histogram"):
    """edges: (bins + 1,), in the column's units, as `edges_of` has them."""

    guards_itself: ClassVar[bool] = True

    edges: tuple[int | float, ...]

    @classmethod
    def of(cls, dataset: str, column: Of, edges: NDArray[Any]) -> Histogram:
        """With the edges of `edges_of`."""
        return cls(dataset, column, edges=tuple(edges.tolist()))

    @property
    def title(self) -> str:
        return f"histogram of {self.in_words}"

    def partials(self, rows: Rows) -> tuple[PartialAggregate, ...]:
        if rows.groups:
            raise InputError("a histogram of each group is not offered: filter for one group at a time")
        if not 2 <= len(self.edges) <= MAX_BINS + 1 or not all(map(math.isfinite, self.edges)):
            raise InputError(f"{self.title}: 2 to {MAX_BINS + 1} finite edges are needed")
        if any(low > high for low, high in pairwise(self.edges)):  # a bin whose ends are swapped has -n values
            raise InputError(f"{self.title}: edges must increase, as numpy's must")
        counts = CountsOfColumn(self.column, self.edges)
        if rows.policy is not None and rows.policy.entity:
            return counts, behind(rows.policy, self.column), behind(rows.policy, self.column, self._bins)
        secret = rows.policy is not None and column_of(rows, self.column).nullable
        return (counts, ValuesOfColumn(self.column)) if secret else (counts,)  # how many values are in no bin

    @property
    def _bins(self) -> tuple[GroupKey, ...]:
        return (GroupKey(self.column, edges=self.edges),)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        counts = shared(values[0])
        if rows.policy is None:
            return {"counts": counts}
        bits = self.bits(builder, values, rows.policy, rows)
        return {"shown": bits, "counts": builder.add(Product(Elementwise()), bits, counts)}

    def bits(self, builder: Builder, values: Sequence[Taken], policy: Policy, rows: Rows) -> Value:
        """Bits (bins,): which of the counts a policy of the rows allows to show. values: those of `partials`."""
        total: Taken = values[1] if len(values) > 1 else Known(rows.count)
        held, k = shared(values[-1]) if policy.entity else shared(values[0]), least(policy, policy.min_rows)
        alone = shown(builder, held, policy, fewest=policy.min_rows, total=total)
        bits = with_second(builder, held, alone, k, zeros=not policy.hide_zeros, total=total)
        bits = bits if policy.hide_zeros else or_empty(builder, held, bits)
        return coarse(builder, held, bits, policy) if rows.where is not None or len(values) > 1 else bits

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> tuple[NDArray[np.int64], NDArray[Any]]:
        counts = np.array(numbers["counts"].integers, np.int64)
        edges = _given(self.edges)
        if rows.policy is None:
            return counts, edges
        withheld = np.array(numbers["shown"].integers) == 0
        k = rows.policy.min_rows
        reason = (
            f"{self.title}: fewer than {k} values are in the bin, or left out of it, or the other bins would tell "
            "another one that is withheld or a few values in none, or there are fewer than "
            f"{rows.policy.rows_per_bin} values for each bin; ask for wider bins"
        )
        return masked_counts(counts, withheld, reason), edges

    def error(self, rows: Rows) -> ErrorBound:
        return EXACT

    def error_in_words(self, rows: Rows) -> str:
        return f"{EXACT} for the values as shared" if _rounded(rows, self.column) else str(EXACT)

    def discloses(self, rows: Rows) -> str:
        if rows.policy is None:
            return f"{len(self.edges) - 1} counts; no cumulative count"
        return (
            f"which of {len(self.edges) - 1} counts are at least {rows.policy.min_rows}, and those; others are "
            "withheld, and so are those that leave as few out, and the least of the others where one alone, or a few "
            "in no bin, would be"
        )

    def notes(self, rows: Rows) -> tuple[str, ...]:
        notes = [f"{len(self.edges) - 1} bins from {self.edges[0]:g} to {self.edges[-1]:g}: public, not from the data"]
        if _rounded(rows, self.column):
            step = rows.step(self.column)
            notes.append(
                f"values and edges are rounded to multiples of 2^-{step}: one off an edge by no more may count as equal"
            )
        return tuple(notes)


def _rounded(rows: Rows, column: Of) -> bool:
    """Whether values are rounded before they are counted."""
    return rows.rounding(column) > 0


@dataclass(frozen=True, slots=True)
class CountsOfColumn(PartialAggregate):
    """Counts (bins,) of values between `edges` (bins + 1,), in the column's units."""

    words: ClassVar[str] = "counts"
    rule: ClassVar[Join] = Join.SUM

    edges: tuple[int | float, ...]

    @property
    def kind(self) -> str:
        return "histogram"

    @property
    def between(self) -> tuple[int | float, ...]:
        return self.edges

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return ValueType(shape=(len(self.edges) - 1,), width=log2_ceil(rows + 1) + 1)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        return join(
            builder, self.rule, [_counts(builder, part, self.edges, _rounded(rows, self.column)) for part in parts]
        )

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        rounded = _rounded(rows, self.column)
        if part.groups is not None:
            raise InputError("a histogram of each group is not offered: filter for one group at a time")
        values = part.candidates()
        return _counts(builder, values, self.edges, rounded, low=part.of.value.type.width - 1)


def _counts(builder: Builder, x: Value, edges: tuple[int | float, ...], rounded: bool, low: int | None = None) -> Value:
    """Counts (bins,) of one partition: differences, on shares, of how many values reach each edge.

    Rounding to units of 2^-f is monotone: a value that reaches an edge e, rounded, reaches round(e 2^f), and one that
    does not exceed the last, rounded, is below round(e 2^f) + 1. Whole numbers are not rounded, and reach ceil(e).
    low: values that count are above -2^low, others are that; None: all count.
    """
    scaled = [Fraction(edge) * 2**x.type.f for edge in edges]
    if rounded:  # to the nearest, halves to even, as values are
        thresholds = [*map(round, scaled[:-1]), round(scaled[-1]) + 1]
    else:
        thresholds = [*map(math.ceil, scaled[:-1]), math.floor(scaled[-1]) + 1]
    reach = 2 ** (x.type.width - 1)  # no value is beyond it, so nor need an edge be
    least = -reach if low is None else 1 - 2**low
    clamped = tuple(min(max(threshold, least), reach) for threshold in thresholds)
    reached = builder.add(CountAtLeast(clamped, x.type.width + 1), x)
    bins = len(edges) - 1
    upper = builder.add(Slice(((0, bins, 1),)), reached)
    return builder.add(Subtract(), upper, builder.add(Slice(((1, bins + 1, 1),)), reached))
