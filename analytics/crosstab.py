"""Tables of two columns: how often their values come together, or an aggregate of a third."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from analytics.groupby import AGGREGATES, grouped
from analytics.operators import Operators
from analytics.query import Query, together
from analytics.withheld import mark
from icm_ray.errors import InputError, PolicyError

if TYPE_CHECKING:
    from analytics.column import SecureColumn

__all__ = ["crosstab"]


def crosstab(
    index: SecureColumn,
    columns: SecureColumn,
    values: SecureColumn | None = None,
    aggfunc: str | None = None,
    *,
    margins: bool = False,
    normalize: bool | str = False,
    domain: Mapping[str, Sequence[Any]] | None = None,
) -> Query:
    """Count how often the values of two columns come together, as pandas.crosstab does.

    Args:
        index: The column whose values are the rows of the table: text, integers or booleans.
        columns: Another one of the same rows, whose values are its columns.
        values: A column of numbers to aggregate in the place of counting rows.
        aggfunc: The name of that aggregate, as of `SecureGroupBy.agg`.
        margins: Whether to add the sums of rows and columns, as "All".
        normalize: Whether to divide by the sum of all counts (True or "all"), of each row ("index") or of each column
            ("columns").
        domain: By name of a column its values; rows with others are left out. Booleans need none. None: values are
            private, as of `SecureFrame.groupby`, unless both columns hold booleans.

    Returns:
        A query for a pandas DataFrame of int64, or of float64 where normalised or aggregated; without rows and columns
        in which there is nothing. What a policy withholds is NaN, and `withheld` of the result says why; private
        groups that it does not open are NaN too, or not there.

    Raises:
        ColumnError: A column that is none of these kinds, or values of another kind.
        InputError: Columns of different rows, values that are not stated, or options that do not go together.
        PolicyError: Sums for margins or to divide by are not known, since counts are withheld; of values that are
            stated this shows when it is revealed.

    Examples:
        >>> an.crosstab(visits["ward"], visits["age"] >= 50, domain={"ward": ["a", "b", "c"]}).reveal()
        age   False  True
        ward
        a         2     0
        b         1     2
    """
    for column in (index, columns):
        if not isinstance(column, Operators):
            raise InputError(f"crosstab takes columns, not {type(column).__name__}")
    if normalize not in (False, True, "all", "index", "columns"):
        raise InputError(f"normalize is True, 'all', 'index' or 'columns', not {normalize!r}")
    if (values is None) != (aggfunc is None):
        raise InputError("values= and aggfunc= go together")
    if margins + bool(normalize) + (values is not None) > 1:
        raise InputError("of margins=, normalize= and values= one is taken at a time")
    _ = index._operand(columns)  # refuses other rows
    groups = grouped(index.meant, {}, [index, columns], domain)
    if groups._some_unopened and (margins or normalize is not False):
        raise PolicyError("sums of counts are not known: groups that are too small are not opened. State domain=")
    if values is None:
        query = groups.size()
        return together(
            [query],
            _title(index, columns),
            lambda results: _counted(results[0], margins, normalize, unopened=groups._some_unopened),
        )
    if not isinstance(values, Operators):
        raise InputError(f"values= takes a column, not {type(values).__name__}")
    if aggfunc not in AGGREGATES:
        raise InputError(f"aggfunc= is one of {', '.join(AGGREGATES)}, not {aggfunc!r}")
    aggregated = grouped(index.meant, {"values": index._operand(values)}, [index, columns], domain)
    title = f"{aggfunc} of {values.name} by {_title(index, columns)}"
    return together([aggregated["values"].agg(str(aggfunc))], title, lambda results: _unstacked(results[0]))


def _title(index: SecureColumn, columns: SecureColumn) -> str:
    return f"table of {index.name} and {columns.name}"


def _unstacked(found: Any, **options: Any) -> Any:
    table = found.unstack(**options)
    return mark(table, found.attrs["withheld"])


def _counted(found: Any, margins: bool, normalize: bool | str, *, unopened: bool) -> Any:
    import pandas as pd

    if unopened:
        return _unstacked(found)  # a cell that is not there may be one that was not opened: no zero
    table = _unstacked(found, fill_value=0)
    if not margins and normalize is False:
        return table
    if found.isna().any():
        raise PolicyError(f"sums of counts are not known: {found.attrs['withheld'][0]}. Ask for plain counts")
    if margins:
        table["All"] = table.sum(axis=1)
        total = pd.DataFrame([table.sum(axis=0)], index=pd.Index(["All"], name=table.index.name))
        made = pd.concat([table, total])
        made.columns.name = table.columns.name
        return made
    if normalize == "index":
        return table.div(table.sum(axis=1), axis=0)
    return table / (table.sum(axis=0) if normalize == "columns" else table.to_numpy().sum())
