"""Rows in groups of public keys, and what is asked of each group."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from analytics.meant import Groups, Meant
from analytics.public_values import plain
from analytics.query import Query
from analytics.shown import shown
from analytics.uncompared import Uncompared
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.expressions.tree import EVERY_ROW, Of
from icm_ray.query.expressions.words import words
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.private_keys import MOST_INTEGER, PrivateKeys
from icm_ray.query.selection import SelectedRows
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance
from icm_ray.query.tasks import GroupKey, PrivateKey
from icm_ray.query.withheld import Withheld

__all__ = ["AGGREGATES", "SecureGroupBy", "grouped"]

AGGREGATES: Final[Mapping[str, Callable[[str, Of], Statistic]]] = {
    "count": Count,
    "sum": Sum,
    "mean": Mean,
    "var": Variance,
    "std": lambda dataset, column: Variance(dataset, column, root=True),
    "min": lambda dataset, column: MinMax(dataset, column, least=True),
    "max": MinMax,
    "median": Quantile,
}
"""What can be asked of each group, by pandas' names."""
_MOST_GROUPS = 4096
TEXT: Final = 20
"""Bytes of a text that is a private key, where nothing else is said."""
_NUMBERS = frozenset({"int", "float", "bool"})


class SecureGroupBy(Uncompared):
    """Groups of rows offer aggregates of each: results are those of pandas' `groupby` on the pooled rows.

    `SecureFrame.groupby` makes them: users do not call the class. Groups without rows are left out.

    Args:
        meant: The rows that are grouped.
        columns: By name what each column of the frame holds.
        keys: By name what the rows are grouped by, and its values.
        groups: The same, as questions have it.
        picked: The columns that are aggregated; None: all with numbers that are no key.
        single: Whether one column was picked by its name, so that results are Series.

    Examples:
        >>> visits.groupby("ward", domain={"ward": ["a", "b", "c"]}).size().reveal()
        ward
        a    2
        b    3
        dtype: int64
    """

    __slots__ = ("_columns", "_groups", "_keys", "_meant", "_picked", "_single")

    def __init__(
        self,
        meant: Meant,
        columns: Mapping[str, Of],
        keys: Sequence[str],
        groups: Groups,
        picked: tuple[str, ...] | None = None,
        *,
        single: bool = False,
    ) -> None:
        self._meant, self._columns, self._keys, self._groups = meant, dict(columns), tuple(keys), groups
        self._picked, self._single = picked, single

    def __repr__(self) -> str:
        return f"<SecureGroupBy: {self._meant.dataset.facts.count} rows by {', '.join(self._keys)}>"

    def __getitem__(self, names: str | list[str]) -> SecureGroupBy:
        """Pick the columns to aggregate.

        Args:
            names: The name of a column, whose results are Series then, or names of several.

        Returns:
            The same groups.

        Raises:
            ColumnError: No such column.

        Examples:
            >>> visits.groupby("ward", domain={"ward": ["a", "b"]})["age"].agg("max").reveal().tolist()
            [47, 70]
        """
        picked = (names,) if isinstance(names, str) else tuple(names)
        for name in picked:
            if name not in self._columns:
                raise ColumnError(f"no column {name!r}; there are {', '.join(self._columns)}", column=name)
        return SecureGroupBy(
            self._meant, self._columns, self._keys, self._groups, picked, single=isinstance(names, str)
        )

    def agg(self, functions: str | Sequence[str] | Mapping[str, Any] | None = None, **named: Any) -> Query:
        """Aggregate each group.

        Args:
            functions: The name of an aggregate ("count", "sum", "mean", "var", "std", "min", "max", "median"),
                several, or by column one or several.
            **named: By the name of a column of the result, (column, aggregate); of one picked column the aggregate.

        Returns:
            A query for a pandas Series or DataFrame, as pandas has them: a row for each group that has rows.

        Raises:
            InputError: Another aggregate, or none.
            ColumnError: No such column, or one without numbers.

        Examples:
            >>> groups = visits.groupby("ward", domain={"ward": ["a", "b", "c"]})
            >>> groups.agg(oldest=("age", "max"), bills=("cost", "count")).reveal()
                  oldest  bills
            ward
            a         47      2
            b         70      3
        """
        wanted, flat = self._wanted(functions, named)
        if not wanted:
            raise InputError(f"name an aggregate: {', '.join(AGGREGATES)}")
        dataset = self._meant.name(self._groups)
        made = [self._statistic(dataset, column, function) for _, column, function in wanted]
        statistics = [statistic for statistic, _ in made]
        which = self._which(dataset)
        parts = [self._meant.part(statistic, self._groups) for statistic in (*which, *statistics)]
        title = f"{', '.join(statistic.title for statistic in statistics)} by {', '.join(self._keys)}"
        series = self._single and isinstance(functions, str) and not named
        labels = [label for label, _, _ in wanted]

        def build(results: list[Any]) -> Any:
            found = zip(made, results[len(which) :], strict=True)
            in_kind = [[show(value) for value in column] for (_, show), column in found]
            return self._table([*results[: len(which)], *in_kind], labels, flat=flat, series=series)

        return Query(parts, title, build)

    def size(self) -> Query:
        """Count the rows of each group.

        Returns:
            A query for a pandas Series of int64.

        Examples:
            >>> visits.groupby("ward", domain={"ward": ["a", "b"]}).size().reveal().tolist()
            [2, 3]
        """
        parts = [self._meant.part(statistic, self._groups) for statistic in self._which(self._meant.name(self._groups))]
        title = f"number of rows by {', '.join(self._keys)}"
        return Query(parts, title, lambda results: self._table([*results, results[0]], [None], flat=True, series=True))

    def _which(self, dataset: str) -> list[Statistic]:
        """What says which groups there are: the numbers of rows, and the keys where they are private."""
        rows = Count(dataset, EVERY_ROW)
        if not isinstance(self._groups, PrivateKeys):
            return [rows]
        return [rows, *(GroupKeys(dataset, key.of, place) for place, key in enumerate(self._groups.keys))]

    def _wanted(self, functions: Any, named: Mapping[str, Any]) -> tuple[list[tuple[Any, str, str]], bool]:
        """(label of the result, column, aggregate) of all that is asked for; whether labels are plain names."""
        if named:
            if functions is not None:
                raise InputError("give aggregates by name, or without names, not both")
            return [self._named(label, given) for label, given in named.items()], True
        if functions is None:
            return [], True
        if isinstance(functions, Mapping):
            nested = any(not isinstance(given, str) for given in functions.values())
            pairs = [(column, name) for column, given in functions.items() for name in _names(given)]
            return [((column, name) if nested else column, column, name) for column, name in pairs], not nested
        names = _names(functions)
        columns = self._aggregated()
        if isinstance(functions, str):
            return [(column, column, functions) for column in columns], True
        if self._single:
            return [(name, columns[0], name) for name in names], True
        return [((column, name), column, name) for column in columns for name in names], False

    def _named(self, label: str, given: Any) -> tuple[str, str, str]:
        if isinstance(given, str) and self._single:
            return label, self._aggregated()[0], given
        if isinstance(given, tuple) and len(given) == 2:
            return label, given[0], given[1]
        raise InputError(f"{label}= takes (column, aggregate), not {given!r}")

    def _aggregated(self) -> tuple[str, ...]:
        if self._picked is not None:
            return self._picked
        numbers = [name for name, of in self._columns.items() if self._meant.info(of).kind in _NUMBERS]
        return tuple(name for name in numbers if name not in self._keys)

    def _statistic(self, dataset: str, column: str, function: str) -> tuple[Statistic, Callable[[Any], Any]]:
        """The statistic, and what its results are shown as."""
        if function not in AGGREGATES:
            raise InputError(f"there is no aggregate {function!r}; there are {', '.join(AGGREGATES)}")
        if column not in self._columns:
            raise ColumnError(f"no column {column!r}; there are {', '.join(self._columns)}", column=column)
        of = self._columns[column]
        if function == "count":
            return AGGREGATES[function](dataset, of), _as_it_is
        found = shown(self._meant, of, column, function)
        return AGGREGATES[function](dataset, found.of), found.show

    def _order(self, found: Sequence[tuple[Any, ...]]) -> Callable[[int], Any]:
        """What groups are sorted by: their values; of categories the places of these."""
        infos = [self._meant.info(self._columns[name]) for name in self._keys]
        ranks = [{value: place for place, value in enumerate(info.categories)} for info in infos]
        return lambda place: [
            (rank.get(value, len(rank)), value) for rank, value in zip(ranks, found[place], strict=True)
        ]

    def _table(self, results: list[Any], labels: list[Any], *, flat: bool, series: bool) -> Any:
        """pandas' table of lists over all groups, the first of them the numbers of rows; groups without rows go."""
        import pandas as pd

        rows, *columns = results
        if isinstance(self._groups, PrivateKeys):
            found, columns = list(zip(*columns[: len(self._keys)], strict=True)), columns[len(self._keys) :]
            groups = sorted((group, place) for place, group in enumerate(found) if group[0] is not None)
        else:
            found = list(itertools.product(*(key.domain for key in self._groups)))
            there = [place for place, count in enumerate(rows) if isinstance(count, Withheld) or count]
            groups = [(found[place], place) for place in sorted(there, key=self._order(found))]
        places = [place for _, place in groups]
        if len(self._keys) == 1:
            index = pd.Index([group[0] for group, _ in groups], name=self._keys[0])
        else:
            index = pd.MultiIndex.from_tuples([group for group, _ in groups], names=self._keys)
        withheld = {item.reason: None for column in columns for item in column if isinstance(item, Withheld)}
        seen = [[_shown(column[place]) for place in places] for column in columns]
        if series:
            table: Any = pd.Series(seen[0], index=index, name=labels[0])
        else:
            heads = pd.Index(labels) if flat else pd.MultiIndex.from_tuples(labels)
            table = pd.concat([pd.Series(column, index=index) for column in seen], axis=1)
            table.columns = heads
        table.attrs["withheld"] = tuple(withheld)
        return table


def _as_it_is(result: Any) -> Any:
    return result


def _shown(result: Any) -> Any:
    return float("nan") if isinstance(result, Withheld) else result


def _names(given: Any) -> list[str]:
    names = [given] if isinstance(given, str) else list(given)
    if not all(isinstance(name, str) for name in names):
        raise InputError(f"aggregates are given by name: {', '.join(AGGREGATES)}")
    return names


def _values(
    meant: Meant, columns: Mapping[str, Of], name: str, stated: Mapping[str, Sequence[Any]]
) -> tuple[bool | int | float | str | None, ...]:
    if name in stated:
        return tuple(dict.fromkeys(plain(value) for value in stated[name]))
    info = meant.info(columns[name])
    if info.kind == "bool":
        return (False, True)
    if info.categories:
        return info.categories
    raise InputError(
        f"the values of {name!r} are not public; state those to group by: "
        f"frame.groupby({name!r}, domain={{{name!r}: [...]}})"
    )


def grouped(
    meant: Meant,
    columns: Mapping[str, Of],
    names: Sequence[str],
    stated: Mapping[str, Sequence[Any]],
    most: int | None = None,
    most_bytes: int = TEXT,
) -> SecureGroupBy:
    """The rows in groups by columns of these names, with stated values. Errors: those of `SecureFrame.groupby`."""
    if not names:
        raise InputError("rows are grouped by one column or more")
    infos = [meant.info(columns[name]) for name in names]
    private = not stated and any(info.kind != "bool" and not info.categories for info in infos)
    groups: Groups
    if private:
        groups = private_keys(meant, [columns[name] for name in names], most, most_bytes)
    else:
        groups = tuple(GroupKey(columns[name], _values(meant, columns, name, stated)) for name in names)
    selection = meant.selection(groups)
    if selection is not None:
        SelectedRows(selection, meant.dataset.facts)  # refuses keys that cannot be
    return SecureGroupBy(meant, columns, names, groups)


def private_keys(meant: Meant, columns: Sequence[Of], most: int | None, most_bytes: int) -> PrivateKeys:
    """The keys of groups whose values nobody states, with room for so many of an owner's groups."""
    facts = meant.dataset.facts
    bounds = dict(facts.log2_bounds) if isinstance(facts, OwnerRows) else {}
    keys = []
    for of in columns:
        kind = meant.info(of).kind
        declared = bounds.get(of, MOST_INTEGER) if isinstance(of, str) else MOST_INTEGER
        if kind == "int":
            keys.append(PrivateKey(of, "int", min(max(declared, 0), MOST_INTEGER)))
        elif kind == "bool":
            keys.append(PrivateKey(of, "bool", 0))
        elif kind == "string":
            keys.append(PrivateKey(of, "string", most_bytes))
        else:
            raise ColumnError(f"{words(of)}: rows are grouped by text, whole numbers and booleans, not by {kind}")
    room = 1 << (min(max(facts.count, 1), _MOST_GROUPS) - 1).bit_length() if most is None else most
    return PrivateKeys(tuple(keys), room)
