"""What of a result was withheld, and why: pandas objects say it as `result.withheld`, an accessor of pandas' own kind.

Keys of cells are labels, of the index and of the columns one after the other, so that they hold for what is sorted,
picked or unstacked of a result, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

from icm_ray.query.withheld import Withheld

__all__ = ["Reasons", "labels_of", "mark", "withheld_cells"]

_NAME = "withheld"


class Reasons(tuple[str, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """Why something was withheld, each reason once; what `attrs["withheld"]` of a result is. It does not change.

    Args:
        cells: Labels of cells, and the reason of each.
        others: Reasons of what has no cell.

    Attributes:
        cells: Of each cell that was withheld its labels, and the reason.

    Examples:
        >>> from analytics.withheld import Reasons
        >>> reasons = Reasons([(("a", "sum"), "too few"), (("b", "sum"), "too few")])
        >>> reasons, len(reasons.cells)
        (('too few',), 2)
    """

    cells: tuple[tuple[tuple[Any, ...], str], ...]

    def __new__(cls, cells: Iterable[tuple[tuple[Any, ...], str]] = (), others: Iterable[str] = ()) -> Self:
        found = tuple(cells)
        made = super().__new__(cls, dict.fromkeys((*(reason for _, reason in found), *others)))
        made.cells = found
        return made

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # pandas copies what is in attrs at every step

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.cells, tuple(self))


def withheld_cells(
    columns: Sequence[Any], rows: Sequence[Any], labels: Sequence[Any]
) -> list[tuple[tuple[Any, ...], str]]:
    """Of each `Withheld` in some columns its labels, and its reason. labels: of the columns; none: they are one."""
    found = []
    for place, column in enumerate(columns):
        beside = labels_of(labels[place]) if labels else ()
        found += [
            ((*labels_of(rows[at]), *beside), item.reason)
            for at, item in enumerate(column)
            if isinstance(item, Withheld)
        ]
    return found


def labels_of(label: Any) -> tuple[Any, ...]:
    """A label of several levels, or of one, as a tuple."""
    return label if isinstance(label, tuple) else (label,)


def mark(table: Any, reasons: Reasons) -> Any:
    """A DataFrame or Series that says what of it was withheld; the same object."""
    import pandas as pd

    table.attrs[_NAME] = reasons
    for kind, register in (
        (pd.DataFrame, pd.api.extensions.register_dataframe_accessor),
        (pd.Series, pd.api.extensions.register_series_accessor),
    ):
        if _NAME not in kind._accessors:
            register(_NAME)(_of_result)
    return table


def _of_result(table: Any) -> Any:
    """A Series of reasons, one for each withheld cell, by its labels; of another table what has the name."""
    import pandas as pd

    reasons = table.attrs.get(_NAME)
    if reasons is None:
        return _own(table)
    cells = reasons.cells if isinstance(reasons, Reasons) else ()
    keys = [key for key, _ in cells]
    names = [*table.index.names, *(table.columns.names if table.ndim == 2 else ())]
    size = len(keys[0]) if keys else len(names)
    names = names if len(names) == size else [None] * size
    index = (
        pd.MultiIndex.from_tuples(keys, names=names) if size > 1 else pd.Index([key[0] for key in keys], name=names[0])
    )
    return pd.Series([reason for _, reason in cells], index=index, name=_NAME, dtype=object)


def _own(table: Any) -> Any:
    """A column, or row, of that name that somebody else's table has."""
    labels = table.columns if table.ndim == 2 else table.index
    if _NAME in labels:
        return table[_NAME]
    raise AttributeError(f"{type(table).__name__} is no result of a query, so nothing of it is withheld")
