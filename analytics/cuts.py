"""Columns of numbers in bins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from analytics.operators import Operators
from analytics.public_values import plain
from icm_ray.errors import InputError

if TYPE_CHECKING:
    from analytics.column import SecureColumn

__all__ = ["cut"]


def cut(
    column: SecureColumn,
    bins: Sequence[float],
    *,
    right: bool = True,
    labels: Sequence[str] | bool | None = None,
    include_lowest: bool = False,
) -> SecureColumn:
    """Put numbers into bins, as pandas.cut does; a number in none of them is missing.

    The names of the bins are public: rows are grouped by the column without stating a domain, in the bins' order.

    Args:
        column: The column.
        bins: The edges, in order; infinite ones too. A number of bins is refused: its edges would depend on the data.
        right: Whether bins hold their upper edges, rather than their lower ones.
        labels: A name for each bin; None: as pandas writes them, "(18, 65]"; False: the number of the bin, from 0 on.
        include_lowest: Whether the first bin holds its lower edge.

    Returns:
        A column of text, or of integers.

    Raises:
        InputError: Edges that are none, or what is no column.
        ColumnError: The column holds no numbers, or edges or names that cannot be.

    Examples:
        >>> ages = an.cut(visits["age"], [0, 18, 65, np.inf], labels=["child", "adult", "old"])
        >>> visits.assign(group=ages).groupby("group")["cost"].agg("sum").reveal()
        group
        adult    605.75
        old      410.75
        Name: cost, dtype: float64
    """
    given: Any = column
    if not isinstance(given, Operators):
        raise InputError(f"a column is needed, not {type(given).__name__}")
    listed: Any = bins
    if isinstance(listed, str) or not isinstance(listed, Iterable):
        raise InputError(f"give the edges of the bins, not {bins!r}: they are public and do not depend on the data")
    edges = [plain(edge) for edge in listed]
    if len(edges) < 2:
        raise InputError("two edges or more make bins")
    return column._apply(
        "cut", options=(bool(right), bool(include_lowest), *edges, *_names(edges, labels, right, include_lowest))
    )


def _names(edges: list[Any], labels: Any, right: bool, include_lowest: bool) -> list[Any]:
    if labels is False:
        return list(range(len(edges) - 1))
    if labels is None:
        import pandas as pd

        try:
            found = pd.cut(pd.Series([], dtype="float64"), edges, right=right, include_lowest=include_lowest)
        except (ValueError, TypeError) as error:
            raise InputError(f"edges of bins: {error}") from None
        return [str(interval) for interval in found.cat.categories]
    if isinstance(labels, str | bool) or not isinstance(labels, Iterable):
        raise InputError(f"labels= takes a name for each bin, or False, not {labels!r}")
    names = [plain(label) for label in labels]
    if len(names) != len(edges) - 1:
        raise InputError(f"{len(edges) - 1} bins, and {len(names)} names")
    return names
