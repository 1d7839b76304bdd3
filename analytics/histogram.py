"""Histograms with numpy's semantics: half-open bins, the last one closed; edges are public and never depend on data."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.bound import EXACT, ErrorBound
from analytics.measures import Opened
from analytics.quantity import Part, Quantity, QuantityKind, Rows
from icm_ray.errors import InputError
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.products import Product
from icm_ray.program.build import Builder, Value

__all__ = ["Histogram", "edges_of"]

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


@dataclass(frozen=True, slots=True)
class Histogram:
    """(counts, edges) as numpy.histogram has them: int64 (bins,), and float64 (bins + 1,) or the edges that were given.

    Values outside of the edges are not counted. On shares of floats the counts are those of the column as it is shared,
    rounded to 2^-f: a value closer to an edge than 2^-(f+1) may fall on the edge's other side.
    Where the policy asks for k > 1 rows behind a number, counts below k are withheld: the counts come as a
    `numpy.ma.MaskedArray`, withheld cells masked.
    """

    rows: Rows
    column: str
    edges: tuple[float, ...]
    whole: bool = False

    @classmethod
    def of(cls, rows: Rows, column: str, edges: NDArray[Any]) -> Histogram:
        """With the edges of `edges_of`."""
        return cls(rows, column, tuple(map(float, edges.tolist())), edges.dtype.kind == "i")

    @property
    def title(self) -> str:
        return f"histogram of {self.column}"

    @property
    def least(self) -> int:
        """The smallest count that is opened; 1 where all are."""
        return 1 if self.rows.policy is None else self.rows.policy.min_rows

    @property
    def error(self) -> ErrorBound:
        return EXACT

    @property
    def notes(self) -> tuple[str, ...]:
        """What else to know about the result."""
        notes = [f"{len(self.edges) - 1} bins from {self.edges[0]:g} to {self.edges[-1]:g}: public, not from the data"]
        step = self.rows.step(self.column)
        if step > 0:
            notes.append(
                f"counts of the values as shared, rounded to 2^-{step}: one within 2^-{step + 1} of an edge may move"
            )
        return tuple(notes)

    @property
    def opens(self) -> str:
        if self.least <= 1:
            return f"{len(self.edges) - 1} counts; no cumulative count"
        return (
            f"which of {len(self.edges) - 1} counts are at least {self.least}, and those; smaller ones are withheld. "
            f"A single withheld count can be told from the others where the bins hold all {self.rows.count} rows"
        )

    def parts(self) -> tuple[Part, ...]:
        return (Part(self.rows, self.rows.fits(Quantity(QuantityKind.COUNTS, self.column, self.edges))),)

    def finish(self, builder: Builder, values: Sequence[Value]) -> dict[str, Value]:
        (counts,) = values
        if self.least <= 1:
            return {"counts": counts}
        width = max(counts.type.width, self.least.bit_length() + 1) + 1
        shown = builder.add(AtLeast(self.least, width), counts)
        return {"shown": shown, "counts": builder.add(Product(Elementwise()), shown, counts)}

    def decode(self, opened: Mapping[str, Opened]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        counts, edges = (
            np.array(opened["counts"].integers, np.int64),
            np.array(self.edges, np.int64 if self.whole else np.float64),
        )
        if self.least <= 1:
            return counts, edges
        withheld = np.array(opened["shown"].integers) == 0
        masked: Any = np.ma.MaskedArray(counts, withheld, fill_value=0)
        return masked, edges
