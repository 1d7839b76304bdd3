"""Histograms with numpy's semantics: half-open bins, the last one closed; edges are public and never depend on data.

(counts, edges) as numpy.histogram has them: int64 (bins,), and float64 (bins + 1,) or the edges that were given. Values
outside of the edges are not counted. On shares of floats the counts are those of the column as it is shared, rounded to
2^-f: a value closer to an edge than 2^-(f+1) may fall on the edge's other side.
Where the policy asks for k > 1 rows behind a number, counts below k are withheld: the counts come as a
`numpy.ma.MaskedArray`, withheld cells masked.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import InputError
from icm_ray.ops.compare import AtLeast, CountAtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Slice, Subtract
from icm_ray.ops.products import Product
from icm_ray.ops.values import ValueType, log2_ceil
from icm_ray.program.build import Builder, Value
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Number
from icm_ray.query.partials import Join, PartialAggregate, Taken, join, shared
from icm_ray.query.rows import Rows
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.tasks import Aggregate, ColumnInfo

__all__ = ["CountsOfColumn", "Histogram", "edges_of"]

MAX_BINS = 4096


def edges_of(bins: int | Sequence[float], range: tuple[float, float] | None) -> NDArray[Any]:
    """numpy's edges (bins + 1,) for public arguments; refuses what numpy would read off the data.

    int64 where they are given as integers, else float64.
    Errors: `InputError` where the range is missing, empty, reversed or infinite, where edges do not increase, or where
    there are more than 4096 bins.
    """
    if isinstance(bins, str):
        raise InputError(
            f"bins={bins!r} would choose the edges from the data; give a number of bins and a range, or edges"
        )
    if not isinstance(bins, Sequence | np.ndarray):
        return _equal(bins, range)
    try:
        given = np.asarray(bins)
        edges: NDArray[Any] = given.astype(np.int64 if given.dtype.kind in "bui" else np.float64)
    except (TypeError, ValueError):
        raise InputError(f"bins must be a number of bins or a sequence of edges, not {bins!r}") from None
    if edges.ndim != 1 or edges.size < 2 or edges.size > MAX_BINS + 1:
        raise InputError(f"edges must be a sequence of 2 to {MAX_BINS + 1} numbers, not of shape {edges.shape}")
    if not np.isfinite(edges).all():
        raise InputError("edges must be finite: an infinite edge would depend on the data's extremes to be drawn")
    if (np.diff(edges) < 0).any():
        raise InputError(f"edges must increase, as numpy's must: {edges.tolist()}")
    return edges


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
    except (TypeError, ValueError):
        raise InputError(f"range must be two numbers, not {range!r}") from None
    if not (np.isfinite(low) and np.isfinite(high)) or low > high:
        raise InputError(f"range must be two finite numbers in order, not {range!r}")
    edges: NDArray[np.float64] = np.histogram_bin_edges(np.empty(0), number, (low, high))
    return edges


class Histogram(OfColumn, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="histogram"):
    """edges: (bins + 1,), in the column's units. whole_edges: they were given as integers."""

    edges: tuple[float, ...]
    whole_edges: bool = False

    @classmethod
    def of(cls, dataset: str, column: str, edges: NDArray[Any]) -> Histogram:
        """With the edges of `edges_of`."""
        return cls(dataset, column, edges=tuple(map(float, edges.tolist())), whole_edges=edges.dtype.kind == "i")

    @property
    def title(self) -> str:
        return f"histogram of {self.column}"

    def partials(self, rows: Rows) -> tuple[CountsOfColumn]:
        return (CountsOfColumn(self.column, self.edges),)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        counts, least = shared(values[0]), _least(rows)
        if least <= 1:
            return {"counts": counts}
        width = max(counts.type.width, least.bit_length() + 1) + 1
        shown = builder.add(AtLeast(least, width), counts)
        return {"shown": shown, "counts": builder.add(Product(Elementwise()), shown, counts)}

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> tuple[NDArray[np.int64], NDArray[Any]]:
        counts = np.array(numbers["counts"].integers, np.int64)
        edges = np.array(self.edges, np.int64 if self.whole_edges else np.float64)
        if _least(rows) <= 1:
            return counts, edges
        withheld = np.array(numbers["shown"].integers) == 0
        masked: Any = np.ma.MaskedArray(counts, withheld, fill_value=0)
        return masked, edges

    def error(self, rows: Rows) -> ErrorBound:
        return EXACT

    def error_in_words(self, rows: Rows) -> str:
        return f"{EXACT} for the values as shared" if rows.step(self.column) > 0 else str(EXACT)

    def discloses(self, rows: Rows) -> str:
        if _least(rows) <= 1:
            return f"{len(self.edges) - 1} counts; no cumulative count"
        return (
            f"which of {len(self.edges) - 1} counts are at least {_least(rows)}, and those; smaller ones are withheld. "
            f"A single withheld count can be told from the others where the bins hold all {rows.count} rows"
        )

    def notes(self, rows: Rows) -> tuple[str, ...]:
        notes = [f"{len(self.edges) - 1} bins from {self.edges[0]:g} to {self.edges[-1]:g}: public, not from the data"]
        step = rows.step(self.column)
        if step > 0:
            notes.append(
                f"counts of the values as shared, rounded to 2^-{step}: one within 2^-{step + 1} of an edge may move"
            )
        return tuple(notes)


def _least(rows: Rows) -> int:
    """The smallest count that is opened; 1 where all are."""
    return 1 if rows.policy is None else rows.policy.min_rows


@dataclass(frozen=True, slots=True)
class CountsOfColumn(PartialAggregate):
    """Counts (bins,) of values between `edges` (bins + 1,), in the column's units."""

    words: ClassVar[str] = "counts"
    rule: ClassVar[Join] = Join.PAIRS

    edges: tuple[float, ...]

    def task(self, table: str, partitions: tuple[int, ...], column: ColumnInfo) -> Aggregate:
        return Aggregate(table, column.name, partitions, "histogram", self.edges, read_as=column.kind)

    def type(self, column: ColumnInfo, rows: int) -> ValueType:
        return ValueType(shape=(len(self.edges) - 1,), width=log2_ceil(rows + 1) + 1)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        return join(builder, self.rule, [_counts(builder, part, self.edges) for part in parts])


def _counts(builder: Builder, x: Value, edges: tuple[float, ...]) -> Value:
    """Counts (bins,) of one partition: differences, on shares, of how many values reach each edge.

    x in units of 2^-f reaches an edge e where x >= ceil(e 2^f), and is beyond the last where x >= floor(e 2^f) + 1.
    """
    scaled = [Fraction(edge) * 2**x.type.f for edge in edges]
    thresholds = [*map(math.ceil, scaled[:-1]), math.floor(scaled[-1]) + 1]
    reach = 2 ** (x.type.width - 1)  # no value is beyond it, so nor need an edge be
    clamped = tuple(min(max(threshold, -reach), reach) for threshold in thresholds)
    reached = builder.add(CountAtLeast(clamped, x.type.width + 1), x)
    bins = len(edges) - 1
    upper = builder.add(Slice(((0, bins, 1),)), reached)
    return builder.add(Subtract(), upper, builder.add(Slice(((1, bins + 1, 1),)), reached))
