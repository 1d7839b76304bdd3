"""Rows in groups of public keys, and what is asked of each group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final, NoReturn

import msgspec

from analytics.aggregates import kind_of_result
from analytics.distinct_values import different
from analytics.execute import Part
from analytics.group_describing import DescribedGroups
from analytics.group_keys import TEXT, NamedGroups, domain_of, keys_of
from analytics.group_shapes import beside, keys_as_columns, stacked
from analytics.group_table import GroupColumn, Wanted, group_table, plain_list
from analytics.group_verbs import GroupVerbs
from analytics.meant import Meant
from analytics.merged_meant import EMPTY, MergedMeant
from analytics.no_arrays import NoArrays
from analytics.query import FOLLOWS, Query
from analytics.rows_stay import OF_GROUPS, RowsStay, refused
from analytics.shown import shown
from analytics.uncompared import Uncompared
from icm_ray.errors import ColumnError, InputError, UnsupportedError
from icm_ray.query.expressions.tree import EVERY_ROW, Of
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.noise import deviations
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.selection import SelectedRows
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.shape import Shape
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance
from icm_ray.query.tasks import GroupKey, PrivateKey

__all__ = ["AGGREGATES", "SecureGroupBy", "grouped"]

AGGREGATES: Final[Mapping[str, Callable[[str, Of], Statistic]]] = {
    "count": Count,
    "sum": Sum,
    "mean": Mean,
    "var": Variance,
    "std": lambda dataset, column: Variance(dataset, column, root=True),
    "sem": lambda dataset, column: Variance(dataset, column, root=True, of_mean=True),
    "min": lambda dataset, column: MinMax(dataset, column, least=True),
    "max": MinMax,
    "median": Quantile,
    "quantile": Quantile,
    "skew": Shape,
    "kurt": lambda dataset, column: Shape(dataset, column, peaked=True),
}
"""What can be asked of each group, by pandas' names; "nunique" and "size", the number of rows, beside them."""
_NAMES: Final = f"{', '.join(AGGREGATES)}, nunique, size"
_RANKED: Final = frozenset({"median", "quantile", "nunique", "skew", "kurt"})
Finish = Callable[[Any], Any]
"""What makes the result of the table of groups."""


def _as_it_is(table: Any) -> Any:
    return table


class SecureGroupBy(NoArrays, GroupVerbs, DescribedGroups, RowsStay, Uncompared):
    """Groups of rows offer aggregates of each: results are those of pandas' `groupby` on the pooled rows.

    `SecureFrame.groupby` makes them: users do not call the class. Groups without rows are left out. Integers beyond 64
    bits are Python's; what a policy withholds is NaN, and `withheld` of the result says why;
    private groups that it does not open are left out.

    Args:
        meant: The rows that are grouped.
        columns: By name what each column of the frame holds.
        groups: What the rows are grouped by, and the name of each key.
        picked: The columns that are aggregated; None: all with numbers that are no key.
        single: Whether one column was picked by its name, so that results are Series.
        as_index: Whether keys are the index of results, else they are columns.

    Examples:
        >>> visits.groupby("ward", domain={"ward": ["a", "b", "c"]}).size().reveal()
        ward
        a    2
        b    3
        dtype: int64
    """

    __slots__ = ("_as_index", "_columns", "_groups", "_meant", "_picked", "_single")

    def __init__(
        self,
        meant: Meant,
        columns: Mapping[str, Of],
        groups: NamedGroups,
        picked: tuple[str, ...] | None = None,
        *,
        single: bool = False,
        as_index: bool = True,
    ) -> None:
        self._meant, self._columns, self._groups = meant, dict(columns), groups
        self._picked, self._single, self._as_index = picked, single, as_index

    @property
    def _some_unopened(self) -> bool:
        """Whether groups may be there that a policy does not open: private ones with too few rows."""
        return isinstance(self._groups.groups, PrivateKeys) and self._meant.dataset.facts.policy is not None

    @property
    def _by_words(self) -> str:
        return ", ".join(self._meant.info(key.of).name for key in self._groups.keys)

    def __repr__(self) -> str:
        return f"<SecureGroupBy: {self._meant.dataset.facts.count} rows by {self._by_words}>"

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
        if not isinstance(names, str | list | tuple):
            raise ColumnError(f"a column's name or a list of names is needed, not {names!r}")
        picked: tuple[Any, ...] = (names,) if isinstance(names, str) else tuple(names)
        for name in picked:
            if not isinstance(name, str) or name not in self._columns:
                raise ColumnError(f"no column {name!r}; there are {', '.join(self._columns)}", column=name)
        return self._of(picked, single=isinstance(names, str))

    def _of(self, picked: tuple[str, ...] | None, *, single: bool, groups: NamedGroups | None = None) -> SecureGroupBy:
        groups = self._groups if groups is None else groups
        return SecureGroupBy(self._meant, self._columns, groups, picked, single=single, as_index=self._as_index)

    def __iter__(self) -> NoReturn:
        """Refuse to run through the groups, whose rows are not here.

        Raises:
            UnsupportedError: Always; it says what to ask.

        Examples:
            >>> [*visits.groupby("ward")]
            Traceback (most recent call last):
            icm_ray.errors.UnsupportedError: groups are not run through: their rows are not here; ...
        """
        raise UnsupportedError("groups are not run through: their rows are not here; ask for aggregates, agg(...)")

    def __len__(self) -> NoReturn:
        """Refuse to count the groups: which there are is secret before they are revealed.

        Raises:
            UnsupportedError: Always; it says what to ask.

        Examples:
            >>> len(visits.groupby("ward"))
            Traceback (most recent call last):
            icm_ray.errors.UnsupportedError: how many groups there are is secret before it is revealed; ...
        """
        raise UnsupportedError("how many groups there are is secret before it is revealed; len(groups.size().reveal())")

    def __getattr__(self, name: str) -> Any:
        """The column of this name, where no method has it."""
        if name.startswith("_") or name not in self._columns:
            refused(name, OF_GROUPS, like="DataFrameGroupBy")
            raise AttributeError(f"groups have no attribute {name!r}, and there is no column of this name")
        return self[name]

    def agg(
        self, functions: str | Sequence[str] | Mapping[str, str | Sequence[str]] | None = None, **named: Any
    ) -> Query:
        """Aggregate each group.

        Args:
            functions: The name of an aggregate ("count", "sum", "mean", "var", "std", "sem", "min", "max",
                "median", "quantile" (0.5), "nunique", "skew", "kurt", "size"), several, or by column one or several.
            **named: By the name of a column of the result, (column, aggregate), or a pandas.NamedAgg of these; of one
                picked column the aggregate.

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
        if isinstance(functions, str) and functions == "size" and not named:
            return self.size()
        wanted, flat = self._wanted(functions, named)
        if not wanted:
            raise InputError(f"name an aggregate: {_NAMES}")
        return self._query(wanted, flat=flat, series=self._single and isinstance(functions, str) and not named)

    def _simple(self, function: str, qs: Sequence[float] = (), *, numeric_only: bool = True, **options: Any) -> Query:
        """qs: several quantiles at once."""
        columns = self._aggregated(function)
        if not numeric_only and self._picked is None and len(columns) < len(self._aggregated("count")):
            raise ColumnError(
                f"not all columns hold numbers to take the {function} of; numeric_only=True leaves them out"
            )
        if not columns:
            raise ColumnError(f"there is no column of numbers to take the {function} of")
        if not qs:
            return self._query(
                [Wanted(name, name, function, **options) for name in columns], flat=True, series=self._single
            )
        wanted = [
            Wanted((name, place), name, function, q=q, **options) for name in columns for place, q in enumerate(qs)
        ]
        finish = partial(stacked, names=columns, qs=qs, series=self._single)
        return self._query(wanted, flat=False, series=False, finish=finish)

    def size(self) -> Query:
        """Count the rows of each group.

        Returns:
            A query for a pandas Series of int64.

        Examples:
            >>> visits.groupby("ward", domain={"ward": ["a", "b"]}).size().reveal().tolist()
            [2, 3]
        """
        return self._query([Wanted(None, "", "size")], flat=True, series=True, title="number of rows")

    def _query(
        self, wanted: Sequence[Wanted], *, flat: bool, series: bool, title: str = "", finish: Finish = _as_it_is
    ) -> Query:
        def shaped(table: Any) -> Any:
            return finish(table) if self._as_index else keys_as_columns(finish(table))

        if isinstance(self._groups.groups, PrivateKeys) and any(map(self._apart, wanted)):
            return self._in_two_steps(wanted, flat=flat, series=series, finish=shaped)
        return self._asked(wanted, flat=flat, series=series, title=title, finish=shaped)

    def _apart(self, item: Wanted) -> bool:
        """Whether it is found in groups of private keys once these are known."""
        if item.function in _RANKED:
            return True
        held = not self._meant.dataset.facts.shared and not isinstance(self._meant, MergedMeant)
        return item.function in {"min", "max"} and not held

    def _asked(
        self,
        wanted: Sequence[Wanted],
        *,
        flat: bool,
        series: bool,
        title: str,
        finish: Finish,
        note: str = "",
        then: Sequence[Part] = (),
    ) -> Query:
        by = self._groups.groups
        dataset = self._meant.name(by)
        made = [self._statistic(dataset, item) for item in wanted]
        statistics = [statistic for statistic, _ in made]
        columns = [GroupColumn(item.label, kind_of_result(item.function, self._kind(item))) for item in wanted]
        rows = Count(dataset, EVERY_ROW)
        private = by.keys if isinstance(by, PrivateKeys) else ()
        keys = [GroupKeys(dataset, key.of, place) for place, key in enumerate(private)]
        asked = list(dict.fromkeys([rows, *keys, *statistics]))
        parts = [self._meant.part(statistic, by) for statistic in asked]
        title = title or ", ".join(statistic.title for statistic in statistics)
        noise = self._noise(columns, statistics, parts[0])

        def build(results: list[Any]) -> Any:
            found = dict(zip(asked, results, strict=True))
            of_columns = [
                (column, found[item] if show is None else [show(value) for value in plain_list(found[item])])
                for column, (item, show) in zip(columns, made, strict=True)
            ]
            key_values = [found[key] for key in keys]
            table = group_table(
                self._groups, found[rows], key_values, of_columns, flat=flat, series=series, noise=noise
            )
            return finish(table)

        return Query(parts, f"{title} by {self._by_words}", build, note, bool(note), then)

    def _noise(
        self, columns: Sequence[GroupColumn], statistics: Sequence[Statistic], part: Part
    ) -> dict[Any, dict[str, float]] | None:
        """By label the standard deviations of what parties add; None where a policy does not ask for it."""
        policy, parties = self._meant.dataset.facts.policy, len(self._meant.dataset.engine.parties)
        if policy is None or policy.noise is None:
            return None
        return {
            column.label or "size": dict(deviations(statistic, part.rows, parties))
            for column, statistic in zip(columns, statistics, strict=True)
        }

    def _in_two_steps(self, wanted: Sequence[Wanted], *, flat: bool, series: bool, finish: Finish) -> Query:
        """What is not added up is found in groups whose keys are known: in those that the first question opens."""
        numbered = [replace(item, label=place) for place, item in enumerate(wanted)]
        ranked = [item for item in numbered if self._apart(item)]
        for item in ranked:
            if reason := self._refused(item):
                raise self._refusal(reason)
        first = [Wanted(-1, "", "size"), *(item for item in numbered if item not in ranked)]
        labels = [item.label for item in wanted]

        def put_together(known: Any, found: Any = None) -> Any:
            return finish(beside(known, found, labels, flat=flat, series=series))

        def build(known: Any) -> Any:
            if not len(known):
                return put_together(known)
            stated = self._of(self._picked, single=self._single, groups=self._opened(known.index))
            found = partial(put_together, known)
            return stated._asked(ranked, flat=True, series=False, title="", finish=found)

        title = ", ".join(dict.fromkeys(self._statistic("", item)[0].title for item in numbered))
        note = f"{title} by {self._by_words}; {FOLLOWS}"
        then = self._of_any(ranked)._parts
        return self._asked(first, flat=True, series=False, title=title, finish=build, note=note, then=then)

    def _of_any(self, ranked: Sequence[Wanted]) -> Query:
        """What is found in groups whose keys are known, of one such group that stands for any."""
        keys = (GroupKey(key.of, (EMPTY[key.kind],)) for key in self._groups.keys if isinstance(key, PrivateKey))
        stated = NamedGroups(self._groups.names, tuple(keys), self._groups.units)
        found = self._of(self._picked, single=self._single, groups=stated)
        return found._asked(ranked, flat=True, series=False, title="", finish=_as_it_is)

    def _opened(self, index: Any) -> NamedGroups:
        """Groups by the values of an index."""
        keys = []
        for level, (name, key) in enumerate(zip(self._groups.names, self._groups.keys, strict=True)):
            values, unit = index.unique(level).tolist(), self._groups.unit(level)
            stated = values if unit is None else unit.numbers(name, values)
            keys.append(GroupKey(key.of, domain_of(self._meant.info(key.of), name, stated)))
        return NamedGroups(self._groups.names, tuple(keys), self._groups.units)

    def _wanted(self, functions: Any, named: Mapping[str, Any]) -> tuple[list[Wanted], bool]:
        """All that is asked for; whether labels are plain names."""
        if named:
            if functions is not None:
                raise InputError("give aggregates by name, or without names, not both")
            return [self._named(label, given) for label, given in named.items()], True
        if functions is None:
            return [], True
        if isinstance(functions, Mapping):
            nested = any(not isinstance(given, str) for given in functions.values())
            pairs = [(column, name) for column, given in functions.items() for name in _names(given)]
            return [Wanted((column, name) if nested else column, column, name) for column, name in pairs], not nested
        names = _names(functions)
        if isinstance(functions, str):
            return [Wanted(column, column, functions) for column in self._aggregated(functions)], True
        columns = self._aggregated(*names)
        if self._single:
            return [Wanted(name, columns[0], name) for name in names], True
        return [Wanted((column, name), column, name) for column in columns for name in names], False

    def _named(self, label: str, given: Any) -> Wanted:
        if isinstance(given, str) and self._single:
            return Wanted(label, self._aggregated()[0], given)
        import pandas as pd

        if isinstance(given, pd.NamedAgg) and not getattr(given, "args", ()) and not getattr(given, "kwargs", {}):
            given = (given.column, given.aggfunc)
        if isinstance(given, tuple) and len(given) == 2 and all(isinstance(name, str) for name in given):
            return Wanted(label, given[0], given[1])
        raise InputError(f"{label}= takes (column, aggregate), not {given!r}")

    def _aggregated(self, *functions: str) -> tuple[str, ...]:
        """Those that were picked; else all that are no key: with numbers, where more is asked than to count them."""
        if self._picked is not None:
            return self._picked
        every = bool(functions) and set(functions) <= {"count", "size", "nunique"}
        names = [name for name, of in self._columns.items() if every or self._meant.info(of).kind in NUMBERS]
        keys = {(name, self._groups.held(place)) for place, name in enumerate(self._groups.names)}
        return tuple(name for name in names if (name, self._columns[name]) not in keys)

    def _kind(self, item: Wanted) -> str:
        return "int" if item.function == "size" else self._meant.info(self._columns[item.column]).kind

    def _statistic(self, dataset: str, item: Wanted) -> tuple[Statistic, Callable[[Any], Any] | None]:
        """The statistic, and what each of its results is shown as; None: as it is."""
        column, function = item.column, item.function
        if function == "size":
            return Count(dataset, EVERY_ROW), None
        if function not in AGGREGATES and function != "nunique":
            raise InputError(f"there is no aggregate {function!r}; there are {_NAMES}")
        if column not in self._columns:
            raise ColumnError(f"no column {column!r}; there are {', '.join(self._columns)}", column=column)
        of, show, whole = self._columns[column], None, False
        if function == "nunique":
            return different(self._meant, dataset, of), None
        if function not in {"count", "nunique"} and self._meant.info(of).kind not in NUMBERS:
            found = shown(self._meant, of, column, function)
            of, show, whole = found.of, found.show, found.whole
        made = AGGREGATES[function](dataset, of)
        if isinstance(made, Variance):
            return msgspec.structs.replace(made, ddof=item.ddof), show
        if isinstance(made, Quantile):
            asked = msgspec.structs.replace(made, q=item.q, interpolation=item.interpolation, whole_ticks=whole)
            return asked, show
        return made, show


def _names(given: Any) -> list[str]:
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise InputError(f"aggregates are given by name: {_NAMES}")
    return list(names)


def grouped(
    meant: Meant,
    columns: Mapping[str, Of],
    by: Sequence[Any],
    domain: Any,
    most: int | None = None,
    most_bytes: int = TEXT,
    *,
    as_index: bool = True,
) -> SecureGroupBy:
    """The rows in groups by columns of these names, with stated values. Errors: those of `SecureFrame.groupby`."""
    keys = keys_of(meant, columns, by, domain, most, most_bytes)
    selection = meant.selection(keys.groups)
    if selection is not None:
        SelectedRows(selection, meant.dataset.facts)  # refuses keys that cannot be
    return SecureGroupBy(meant, columns, keys, as_index=as_index)
