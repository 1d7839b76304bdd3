"""Histograms beside plain counts: weighted, as densities, and of two columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.histogram_counts import HistogramCounts, HistogramCounts2D
from analytics.meant import Meant
from analytics.operators import Operators
from analytics.query import Query
from icm_ray.errors import ColumnError, InputError, PolicyError
from icm_ray.query.expressions.tree import EVERY_ROW, Of
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.histogram import Histogram, edges_of
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.tasks import GroupKey
from icm_ray.query.withheld import Withheld, masked_counts

__all__ = ["histogram", "histogram2d"]

Edges = NDArray[Any]


def histogram(column: Operators, edges: Edges, *, density: bool, weights: Any) -> Query:
    """A query for (counts, edges) of a column of numbers. Errors: those of `SecureColumn.histogram`."""
    meant, of = column.meant, column.of
    if weights is None and not meant.added_up:
        statistic: Statistic = Histogram.of(meant.name(), of, edges)
        part, title = meant.part(statistic), statistic.title
        counts: Any = _counts
    elif weights is None:
        part, title = _binned(meant, [(of, edges)], None)
        counts = _sums("int", (edges.size - 1,))
    else:
        part, title = _binned(meant, [(of, edges)], column._operand(_weights(weights)))
        counts = _sums(_numbers(meant, weights.of), (edges.size - 1,))

    def build(results: list[Any]) -> HistogramCounts:
        found = counts(results[0])
        drawn = _density(found, [edges], title) if density else found
        return HistogramCounts(drawn, edges.copy(), column.name, _what(density, weights))

    return Query([part], title, build)


def _counts(result: Any) -> Any:
    return result[0]


def _what(density: bool, weights: Any) -> str:
    """What the numbers of a histogram are."""
    return "density" if density else "count" if weights is None else f"sum of {weights.name}"


def _binned(meant: Meant, axes: Sequence[tuple[Of, Edges]], weights: Of | None) -> tuple[Any, str]:
    """What is asked, of which rows: counts, or sums of weights, in bins; and its title."""
    by = tuple(GroupKey(of, edges=tuple(edges.tolist())) for of, edges in axes)
    name = meant.name(by)
    part = meant.part(Count(name, EVERY_ROW) if weights is None else Sum(name, weights), by)
    _ = part.rows  # refuses what cannot be
    columns = " and ".join(_info(meant, of) for of, _ in axes)
    weighted = "" if weights is None else f", weighted by {_info(meant, weights)}"
    return part, f"histogram of {columns}{weighted}"


def _info(meant: Meant, of: Of) -> str:
    return meant.info(of).name


def _weights(given: Any) -> Operators:
    if not isinstance(given, Operators):
        raise InputError(f"weights= takes a column of the same rows, not {type(given).__name__}")
    return given


def _numbers(meant: Meant, of: Of) -> str:
    """The kind of a column of numbers. Errors: `ColumnError`."""
    info = meant.info(of)
    if info.kind not in NUMBERS:
        raise ColumnError(f"column {info.name!r} holds {info.kind}, and no numbers", column=info.name)
    return info.kind


def _sums(kind: str, shape: tuple[int, ...]) -> Any:
    """What makes an array of sums by cell: masked where one is withheld."""

    def build(results: Any) -> Any:
        withheld = np.array([isinstance(result, Withheld) for result in results], np.bool_)
        plain = [0 if isinstance(result, Withheld) else result for result in results]
        values = np.array(plain, np.float64) if kind == "float" else _whole(plain)
        if not withheld.any():
            return values.reshape(shape)
        reason = next(result.reason for result in results if isinstance(result, Withheld))
        return masked_counts(values.reshape(shape), withheld.reshape(shape), reason)

    return build


def _whole(values: list[Any]) -> NDArray[Any]:
    """int64, or Python's integers where they do not fit."""
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return np.array(values, object)


def _density(counts: Any, axes: Sequence[Edges], title: str) -> NDArray[np.float64]:
    """numpy's: counts divided by their sum and by the sizes of bins.

    Errors: `PolicyError` where counts are withheld, so that nobody knows their sum.
    """
    if np.ma.getmaskarray(counts).any():
        raise PolicyError(f"{title}: counts are withheld, so their sum is not known: ask without density")
    plain = np.asarray(counts, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = plain / plain.sum()
        for axis, edges in enumerate(axes):
            widths = np.diff(np.asarray(edges, np.float64))
            found = found / widths.reshape([-1 if place == axis else 1 for place in range(plain.ndim)])
    return found


def histogram2d(
    x: Operators,
    y: Operators,
    bins: Any = 10,
    range: Sequence[tuple[float, float]] | None = None,
    density: bool = False,
    weights: Operators | None = None,
) -> Query:
    """Count the rows in bins of two columns, as numpy.histogram2d does; rows that lack one of both are not counted.

    Args:
        x: A column of numbers.
        y: Another of the same rows.
        bins: A number of equal bins for both, or edges for both; or two of these, for x and for y.
        range: ((least, largest) of x, the same of y); needed with numbers of bins, since edges are public.
        density: Whether to divide by the sum and by the areas of bins.
        weights: A column of numbers of the same rows, to be added up in the place of ones; rows that lack it are left
            out.

    Returns:
        A query for (counts, x edges, y edges), a `HistogramCounts2D`: float64 (x bins, y bins), and the edges. Where a
        policy withholds counts, they come as a numpy.ma.MaskedArray. `plot()` draws it.

    Raises:
        ColumnError: A column holds no numbers.
        InputError: Columns of different rows, edges that would depend on the data, are not in order or too many.
        PolicyError: When it is revealed: the sum for a density is not known, since counts are withheld.

    Examples:
        >>> counts, ages, costs = an.histogram2d(
        ...     visits["age"], visits["cost"], bins=(2, 2), range=((20, 80), (0, 500))
        ... ).reveal()
        >>> counts.tolist()
        [[2.0, 1.0], [1.0, 1.0]]
    """
    for column in (x, y):
        if not isinstance(column, Operators):
            raise InputError(f"histogram2d takes columns, not {type(column).__name__}")
    meant = x.meant
    axes = [(x.of, None), (x._operand(y), None)]
    pairs = _both(bins)
    ranges = (None, None) if range is None else _pair(range)
    edges = [edges_of(number, ends) for number, ends in zip(pairs, ranges, strict=True)]
    for of, _ in axes:
        _numbers(meant, of)
    weighed = None if weights is None else x._operand(_weights(weights))
    if weighed is not None:
        _numbers(meant, weighed)
    part, title = _binned(meant, [(of, ends) for (of, _), ends in zip(axes, edges, strict=True)], weighed)
    counts = _sums("float", (edges[0].size - 1, edges[1].size - 1))

    def build(results: list[Any]) -> HistogramCounts2D:
        found = counts(results[0])
        drawn = _density(found, edges, title) if density else found
        x_edges, y_edges = (ends.copy() for ends in edges)
        return HistogramCounts2D(drawn, x_edges, y_edges, (x.name, y.name), _what(density, weights))

    return Query([part], title, build)


def _both(bins: Any) -> tuple[Any, Any]:
    """The bins of x and of y, as numpy reads them."""
    try:
        return (bins[0], bins[1]) if len(bins) == 2 else (bins, bins)
    except TypeError:
        return bins, bins


def _pair(range: Any) -> tuple[Any, Any]:
    try:
        one, other = range
    except (TypeError, ValueError):
        raise InputError(f"range must be two pairs, of x and of y, not {range!r}") from None
    return one, other
