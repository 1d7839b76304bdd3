"""`describe` of columns and of frames: pandas' table of numbers, and of values that are public."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from analytics.aggregates import verb_of
from analytics.described import MEASURED, is_measured, percentiles_of, verbs_of
from analytics.elementwise import target_kind
from analytics.group_keys import places_for
from analytics.query import Query, together
from analytics.withheld import Reasons, mark
from icm_ray.errors import ColumnError, InputError, PolicyError
from icm_ray.query.arrow_kinds import Family, unit_kind
from icm_ray.query.disclosure import unanswered
from icm_ray.query.tasks import MOST_TEXT
from icm_ray.query.withheld import Withheld

if TYPE_CHECKING:
    from analytics.column import SecureColumn

__all__ = ["DescribedColumn", "DescribedFrame"]

_OF_VALUES: Final = ("count", "unique", "top", "freq")


class DescribedColumn:
    """A column that describes itself."""

    __slots__ = ()

    def describe(self: Any, percentiles: Sequence[float] | None = None) -> Query:
        """Describe the values as pandas does.

        Numbers, times, durations and decimals have count, mean, std (times none), min, percentiles and max; booleans
        and text with public categories count, unique, top and freq, for which the counts of all values are opened. Of
        equally frequent values the first one, in their order, is the top. Of private text only count and unique are
        said.

        Args:
            percentiles: Of numbers which ones, from 0 to 1; None: the quartiles.

        Returns:
            A query for a pandas Series, of float64 for numbers, else of objects. What a policy does not allow or
            withholds, and what is not offered of shared rows, is NaN, and `withheld` of the result says why.

        Raises:
            ColumnError: A column of another kind.
            InputError: Percentiles that cannot be, or one twice.
            PolicyError: The policy allows nothing of it.

        Examples:
            >>> visits["age"].describe().reveal().round(1).tolist()
            [5.0, 48.2, 17.4, 29.0, 34.0, 47.0, 61.0, 70.0]
            >>> visits["age"].describe(percentiles=[0.1, 0.9]).reveal().index.tolist()
            ['count', 'mean', 'std', 'min', '10%', '90%', 'max']
        """
        return _described(self, percentiles_of(percentiles))


class DescribedFrame:
    """A frame whose columns describe themselves."""

    __slots__ = ()

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[str]: ...

        def __getitem__(self, names: str) -> SecureColumn: ...

    def describe(self, percentiles: Sequence[float] | None = None, include: Any = None) -> Query:
        """Describe each column, as `SecureColumn.describe`.

        Args:
            percentiles: Of numbers which ones, from 0 to 1; None: the quartiles.
            include: Which columns: None for those of numbers and times, where there are none for all; "all"; a dtype or
                several, of "number", "int", "float", "bool", "string" and "category".

        Returns:
            A query for a pandas DataFrame with a column for each; NaN where it has no such row, and as of
            `SecureColumn.describe`.

        Raises:
            ColumnError: No column, or one that cannot be described.
            InputError: Percentiles or dtypes that cannot be.
            PolicyError: The policy allows nothing of a column.

        Examples:
            >>> visits.describe(percentiles=[]).reveal().round(1)
                    age   cost
            count   5.0    5.0
            mean   48.2  203.3
            std    17.4  148.5
            min    29.0   80.0
            max    70.0  410.8
        """
        columns = _included([self[name] for name in self], include)
        wanted = percentiles_of(percentiles)
        names = [column.name for column in columns]
        queries = [_described(column, wanted) for column in columns]
        return together(queries, f"description of {', '.join(names)}", lambda results: _table(results, names))


def _public(column: SecureColumn) -> bool:
    return column.kind == "bool" or bool(column.meant.info(column.of).categories)


def _described(column: SecureColumn, percentiles: Sequence[float]) -> Query:
    if is_measured(column.kind):
        return _measured(column, percentiles)
    if _public(column):
        return _of_values(column)
    if column.kind == "string":
        return _of_text(column)
    raise ColumnError(
        f"column {column.name!r} is not described: it holds {column.kind}: ask for count(), or leave the column out",
        column=column.name,
    )


def _measured(column: SecureColumn, percentiles: Sequence[float]) -> Query:
    queries, refused = dict[str, Query](), dict[str, str]()
    verbs = verbs_of(column.kind, column.name, percentiles)
    for name, verb, q in verbs:
        try:
            queries[name] = column.quantile(q) if verb == "median" else verb_of(verb)(column)
        except InputError as error:  # merged rows do not have it
            refused[name] = str(error)
    dtype = "float64" if column.kind in MEASURED else "object"
    return _of_parts(column, [name for name, *_ in verbs], queries, refused, dtype)


def _of_text(column: SecureColumn) -> Query:
    """Which text is the most frequent one is not said: that would open a value."""
    queries: dict[str, Query] = {"count": column.count()}
    refused: dict[str, str] = {}
    try:
        queries["unique"] = column.nunique(max_groups=places_for(column.meant), max_bytes=MOST_TEXT)
    except (InputError, PolicyError) as error:
        refused["unique"] = str(error)
    reason = (
        f"{column.name} is private text: value_counts() opens what is there, value_counts(domain=[...]) what is stated"
    )
    refused |= dict.fromkeys(_OF_VALUES[2:], reason)
    return _of_parts(column, _OF_VALUES, queries, refused, "object")


def _of_parts(
    column: SecureColumn, of: Sequence[str], queries: Mapping[str, Query], refused: Mapping[str, str], dtype: str
) -> Query:
    """A Series of what may be answered; the others are NaN, with the reason. of: the names of all, in order.

    Errors: `PolicyError` (nothing may be answered).
    """
    asked, reasons = {}, dict(refused)
    for name, query in queries.items():
        (part,) = query._parts
        reason = unanswered(part.statistic, part.rows, (*query.session.parties, *query.session.owners))
        if reason is None:
            asked[name] = query
        else:
            reasons[name] = reason
    if not asked:
        raise PolicyError(next(iter(reasons.values())), dataset=column.meant.dataset.facts.source)
    names = [name for name in of if name in queries or name in refused]

    def build(results: list[Any]) -> Any:
        import pandas as pd

        found = {name: Withheld(reason) for name, reason in reasons.items()} | dict(zip(asked, results, strict=True))
        values = [float("nan") if isinstance(found[name], Withheld) else found[name] for name in names]
        made = pd.Series(values, index=pd.Index(names), name=column.name, dtype=dtype)
        cells = (((name,), found[name].reason) for name in names if isinstance(found[name], Withheld))
        return mark(made, Reasons(cells))

    return together([*asked.values()], f"description of {column.name}", build)


def _of_values(column: SecureColumn) -> Query:
    def build(results: list[Any]) -> Any:
        import pandas as pd

        count, counts = results
        reasons = [(("count",), count.reason)] if isinstance(count, Withheld) else []
        reasons += [((name,), reason) for name in _OF_VALUES[1:] for reason in counts.attrs["withheld"][:1]]
        values: list[Any] = [float("nan") if isinstance(count, Withheld) else count]
        if counts.attrs["withheld"]:
            values += [float("nan")] * 3
        else:
            values += [len(counts), *((counts.index[0], counts.iloc[0]) if len(counts) else (float("nan"),) * 2)]
        made = pd.Series(values, index=pd.Index(_OF_VALUES), name=column.name, dtype="object")
        return mark(made, Reasons(reasons))

    return together([column.count(), column.value_counts()], f"description of {column.name}", build)


def _included(columns: Sequence[SecureColumn], include: Any) -> Sequence[SecureColumn]:
    """Those of some dtypes. Errors: `ColumnError` (a frame without columns), `InputError`."""
    if not columns:
        raise ColumnError("a frame without columns is not described")
    if include is None:
        return [column for column in columns if _is_default(column.kind)] or columns
    if isinstance(include, str) and include == "all":
        return columns
    wanted = [include] if isinstance(include, str | type) else include
    if not isinstance(wanted, list | tuple) or not wanted:
        raise InputError(f"include= takes 'all', a dtype or a list of them, not {include!r}")
    chosen = [column for column in columns if any(_is_of(column, dtype) for dtype in wanted)]
    if not chosen:
        raise InputError(f"no column is of {', '.join(map(str, wanted))}")
    return chosen


def _is_default(kind: str) -> bool:
    """Whether pandas describes columns of a kind where nothing else is said: numbers, times and durations."""
    unit = unit_kind(kind)
    return kind in MEASURED or (unit is not None and unit.family is not Family.DECIMAL and unit.unit != "day")


def _is_of(column: SecureColumn, dtype: Any) -> bool:
    import numpy as np

    if dtype is np.number or (isinstance(dtype, str) and dtype == "number"):
        return column.kind in MEASURED
    if isinstance(dtype, str) and dtype == "category":
        return column.kind == "string" and _public(column)
    return column.kind == target_kind(dtype, "include=")


def _table(described: Sequence[Any], names: Sequence[str]) -> Any:
    import pandas as pd

    rows = dict.fromkeys(name for one in sorted(described, key=len) for name in one.index)
    cells = (
        ((*key, name), reason)
        for one, name in zip(described, names, strict=True)
        for key, reason in one.attrs["withheld"].cells
    )
    table = pd.concat(described, axis=1, ignore_index=True, sort=False).reindex(list(rows))
    table.columns = pd.Index(list(names))
    return mark(table, Reasons(cells))
