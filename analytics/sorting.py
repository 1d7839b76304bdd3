"""The first rows of frames and columns in an order: found value by value as `nlargest` finds them, nothing is sorted.

Rows are found column by column: the values of the first key at the wanted ranks; then among the rows that have each of
them the least values of the next key; and so on, which tells no more than the rows that are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from analytics.group_table import series_of
from analytics.no_arrays import NoArrays
from analytics.of_frame import OfFrame
from analytics.query import Query
from analytics.rows_stay import RowsStay
from analytics.shown import shown
from analytics.uncompared import Uncompared
from icm_ray.errors import ColumnError, InputError, PolicyError, ProgramError
from icm_ray.query.expressions.text import TEXT_PIECE, bytes_of
from icm_ray.query.expressions.tree import Of, apply, literal
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.statistics.most import MOST_VALUES, Most
from icm_ray.query.withheld import Withheld

if TYPE_CHECKING:
    from analytics.meant import Meant

__all__ = ["SecureSorted", "SortsColumn", "SortsFrame"]


class SecureSorted(NoArrays, RowsStay, Uncompared):
    """Rows in an order, of which the first or the last are shown; where no two frames put rows in another order.

    `SecureFrame.sort_values` makes them: users do not call the class. Rows that are equal in the keys are in the order
    of the other columns that are shown, upwards, one after the other; rows that are equal in all of these are alike.

    Args:
        meant: The rows.
        keys: What they are sorted by, and whether upwards.
        columns: By name what is shown.
        single: Whether one column was picked by its name, so that results are Series.
        missing_first: Whether missing values come first.

    Examples:
        >>> visits.sort_values("cost")[["cost", "age"]].head(2).reveal()
            cost  age
        0   80.0   61
        1   95.0   29
    """

    __slots__ = ("_columns", "_keys", "_meant", "_missing_first", "_single")

    def __init__(
        self,
        meant: Meant,
        keys: Sequence[tuple[str, Of, bool]],
        columns: Mapping[str, Of],
        *,
        single: bool = False,
        missing_first: bool = False,
    ) -> None:
        self._meant, self._keys, self._columns = meant, tuple(keys), dict(columns)
        self._single, self._missing_first = single, missing_first

    def __repr__(self) -> str:
        return f"<SecureSorted: {', '.join(self._columns)} by {self._by}: .head() or .tail() show some>"

    @property
    def _by(self) -> str:
        return ", ".join(name for name, _, _ in self._keys)

    def __getitem__(self, names: str | list[str]) -> SecureSorted:
        """Pick the columns to show.

        Args:
            names: The name of a column, whose results are Series then, or names of several.

        Returns:
            The rows in the same order.

        Raises:
            ColumnError: No such column.

        Examples:
            >>> visits.sort_values("age", ascending=False)["cost"].head(2).reveal().tolist()
            [410.75, 80.0]
        """
        picked = [names] if isinstance(names, str) else list(names)
        for name in picked:
            if name not in self._columns:
                raise ColumnError(f"no column {name!r}; there are {', '.join(self._columns)}", column=str(name))
        columns = {name: self._columns[name] for name in picked}
        single = isinstance(names, str)
        return SecureSorted(self._meant, self._keys, columns, single=single, missing_first=self._missing_first)

    def head(self, n: int = 5) -> Query:
        """Show the first rows. All owners and parties learn them.

        A policy allows it of one column alone, which rows are sorted by, where it names "nsmallest" (downwards
        "nlargest"), no fewer than its `min_rows`, and without missing values.

        Args:
            n: How many, 1 to 100.

        Returns:
            A query for a pandas DataFrame, or of one picked column a Series, with 0, 1, 2, ... as its index; of fewer
            rows where there are.

        Raises:
            ColumnError: A column whose values have no order here, or of shared rows several.
            InputError: An n that cannot be.
            PolicyError: Of a dataset with a policy, columns that rows are not sorted by.

        Examples:
            >>> visits[["age"]].sort_values("age").head(2).reveal()["age"].tolist()
            [29, 34]
        """
        return self._found(n, last=False)

    def tail(self, n: int = 5) -> Query:
        """Show the last rows, as `head` does the first.

        Args:
            n: How many, 1 to 100.

        Returns:
            A query as of `head`; the last row is at the end.

        Raises:
            ColumnError: A column whose values have no order here, or of shared rows several.
            InputError: An n that cannot be.
            PolicyError: Of a dataset with a policy, columns that rows are not sorted by.

        Examples:
            >>> visits[["age"]].sort_values("age").tail(2).reveal()["age"].tolist()
            [61, 70]
        """
        return self._found(n, last=True)

    def _found(self, n: Any, *, last: bool) -> Query:
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST_VALUES:
            raise InputError(f"1 to {MOST_VALUES} rows are shown, not {n!r}")
        order = {of: (name, up) for name, of, up in self._keys}
        order |= {of: (name, True) for name, of in self._columns.items() if of not in order}
        columns = [_column(self._meant, name, of, least=up is not last) for of, (name, up) in order.items()]
        if self._meant.dataset.facts.shared and len(columns) > 1:
            reason = "rows of a shared frame are not shown, but one column that is sorted: do that before .share()"
            raise ColumnError(reason, column=columns[1].name)
        policy = self._meant.dataset.facts.policy
        if policy is not None and len(columns) > 1:
            reason = "rows of a dataset with a policy are not shown: sort one column, frame[[name]].sort_values(name)"
            raise PolicyError(reason, dataset=self._meant.dataset.facts.source)
        if policy is not None:
            if columns[0].text is not None:
                reason = f"{columns[0].name}: text of a dataset with a policy is not shown: value_counts(domain=[...])"
                raise PolicyError(reason, dataset=self._meant.dataset.facts.source)
            columns = [replace(column, nullable=False) for column in columns]
        places = [list(order).index(of) for of in self._columns.values()]
        names = list(self._columns)

        def build(rows: list[tuple[Any, ...]]) -> Any:
            import pandas as pd

            ordered = rows[::-1] if last else rows
            made = {
                name: columns[place].series([row[place] for row in ordered])
                for name, place in zip(names, places, strict=True)
            }
            return made[names[0]].rename(names[0]) if self._single else pd.DataFrame(made)

        which = f"{'last' if last else 'first'} {n} rows"
        others = ", ".join(column.name for column in columns[1:])
        note = f"{which} by {self._by}" + (f"; questions that follow find {others} of these rows" if others else "")
        search = _Search(self._meant, columns, self._missing_first is not last, f"{which} by {self._by}", note, build)
        query: Query = search.ask(0, [_Run((), n, None)])
        return query


class SortsFrame(OfFrame):
    """A frame that sorts its rows."""

    __slots__ = ()

    def sort_values(
        self, by: str | Sequence[str], *, ascending: bool | Sequence[bool] = True, na_position: str = "last"
    ) -> SecureSorted:
        """Sort the rows, to show the first or the last of them with `head` or `tail`.

        Args:
            by: The name of a column of numbers, text, times, durations, decimals or public categories, or names of
                several.
            ascending: Whether upwards; of several keys one for each, or one for all.
            na_position: Where missing values are: "last" or "first".

        Returns:
            The rows in that order.

        Raises:
            ColumnError: No such column.
            InputError: No key, or as many directions as there are no keys.

        Examples:
            >>> visits.sort_values("age", ascending=False)[["age", "cost"]].head(2).reveal()
               age    cost
            0   70  410.75
            1   61   80.00
        """
        names = _listed(by)
        ups = [ascending] * len(names) if isinstance(ascending, bool) else _listed(ascending)
        if not names or len(ups) != len(names) or not all(isinstance(up, bool) for up in ups):
            raise InputError("rows are sorted by one column or more, each of them upwards (True) or downwards (False)")
        _check_position(na_position)
        known = [self._known(name) for name in names]
        keys = [(name, self._columns[name], up) for name, up in zip(known, ups, strict=True)]
        return SecureSorted(self._meant, keys, self._columns, missing_first=na_position == "first")

    def nlargest(self, n: int, columns: str | Sequence[str]) -> Query:
        """Show the rows with the largest values, as `sort_values(columns, ascending=False).head(n)` does.

        Args:
            n: How many, 1 to 100.
            columns: The name of a column, or names of several.

        Returns:
            A query as of `SecureSorted.head`.

        Raises:
            ColumnError: No such column, or one whose values have no order here.
            InputError: An n that cannot be, or no column.
            PolicyError: As of `SecureSorted.head`.

        Examples:
            >>> visits[["age", "cost"]].nlargest(1, "age").reveal()["cost"].tolist()
            [410.75]
        """
        return self.sort_values(columns, ascending=False).head(n)

    def nsmallest(self, n: int, columns: str | Sequence[str]) -> Query:
        """Show the rows with the smallest values, as `sort_values(columns).head(n)` does.

        Args:
            n: How many, 1 to 100.
            columns: The name of a column, or names of several.

        Returns:
            A query as of `SecureSorted.head`.

        Raises:
            ColumnError: No such column, or one whose values have no order here.
            InputError: An n that cannot be, or no column.
            PolicyError: As of `SecureSorted.head`.

        Examples:
            >>> visits[["age", "cost"]].nsmallest(1, "age").reveal()["cost"].tolist()
            [95.0]
        """
        return self.sort_values(columns).head(n)


class SortsColumn:
    """A column that sorts its values."""

    __slots__ = ()

    if TYPE_CHECKING:
        meant: Meant
        of: Of
        name: str

    def sort_values(self, *, ascending: bool = True, na_position: str = "last") -> SecureSorted:
        """Sort the values, to show the first or the last of them with `head` or `tail`.

        Args:
            ascending: Whether upwards.
            na_position: Where missing values are: "last" or "first".

        Returns:
            The values in that order; results are Series.

        Raises:
            InputError: Another direction or position.

        Examples:
            >>> visits["age"].sort_values().head(2).reveal().tolist()
            [29, 34]
        """
        if not isinstance(ascending, bool):
            raise InputError(f"values are sorted upwards (True) or downwards (False), not {ascending!r}")
        _check_position(na_position)
        key = (self.name, self.of, ascending)
        return SecureSorted(self.meant, [key], {self.name: self.of}, single=True, missing_first=na_position == "first")


def _check_position(given: str) -> None:
    if given not in ("first", "last"):
        raise InputError(f"na_position is 'first' or 'last', not {given!r}")


@dataclass(frozen=True, slots=True)
class _Column:
    """name: of what is found. of: what is ordered, numbers. least: whether the least comes first. show: from a number
    to what users see. kind: of that, as `series_of` has it. text: of text what it is; its bytes are found piece by
    piece, of which this is one.
    """

    name: str
    of: Of
    nullable: bool
    least: bool
    show: Callable[[Any], Any]
    kind: str
    text: Of | None = None
    piece: int = 0

    def following(self) -> _Column:
        """The bytes behind these; where text has ended there are none."""
        if self.text is None:
            raise ProgramError(f"{self.name} is no text")
        return _text_column(self.name, self.text, self.piece + 1, least=self.least, nullable=False)

    def series(self, values: Sequence[Any]) -> Any:
        """pandas' Series of values; None is missing."""
        import pandas as pd

        if self.kind == "bool" and None in values:
            return pd.Series([None if value is None else bool(value) for value in values], dtype=object)
        if self.kind == "other":
            made = [None if value is None else self.show(value) for value in values]
            return pd.Series(made, dtype=self._dtype() if made and set(made) == {None} else None if made else object)
        return series_of([float("nan") if value is None else value for value in values], self.kind)

    def _dtype(self) -> Any:
        """pandas' of values that are there, for where none is."""
        import pandas as pd

        return "str" if self.text is not None else pd.Series([self.show(0)]).dtype


def _column(meant: Meant, name: str, of: Of, *, least: bool) -> _Column:
    """Errors: `ColumnError` for a column whose values have no order."""
    info = meant.info(of)
    if info.kind in NUMBERS:
        return _Column(name, of, info.nullable, least, lambda value: value, info.kind)
    if info.categories:
        place: Of = literal(None)
        for number, value in enumerate(info.categories):
            place = apply("where", (apply("equal", (of, literal(value))), literal(number), place))
        return _Column(name, place, True, least, info.categories.__getitem__, "other")
    if info.kind == "string":
        if meant.dataset.facts.shared:
            reason = f"column {name!r} holds text, which is not shown of shared rows: do that before .share()"
            raise ColumnError(reason, column=name)
        return _text_column(name, of, 0, least=least, nullable=info.nullable)
    found = shown(meant, of, name, "min")
    return _Column(name, found.of, info.nullable, least, found.show, "other")


def _text_column(name: str, text: Of, piece: int, *, least: bool, nullable: bool) -> _Column:
    of = apply("text_order", (text,), (piece * TEXT_PIECE,))
    return _Column(name, of, nullable, least, lambda value: value, "other", text, piece)


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows that are alike so far. values: of the columns before. count: how many are shown. where: which these are."""

    values: tuple[Any, ...]
    count: int
    where: Of | None


Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Search:
    meant: Meant
    columns: Sequence[_Column]
    missing_first: bool
    title: str
    note: str
    build: Callable[[Rows], Any]

    def ask(self, at: int, runs: Sequence[_Run]) -> Any:
        """For the values of a column in runs of rows, and what follows."""
        column = self.columns[at]
        if column.nullable and self.missing_first:
            counts = [run.count for run in runs]
            return self._missing(at, runs, counts, lambda lacking: self._values(at, runs, lacking))
        return self._values(at, runs, [0] * len(runs))

    def _missing(self, at: int, runs: Sequence[_Run], most: Sequence[int], then: Callable[[list[int]], Any]) -> Query:
        """How many rows of each run lack a value, so many at most: as the largest of ones."""
        missing = apply("is_null", (self.columns[at].of,))
        ones = apply("where", (missing, literal(value=True), literal(None)))
        return self._query(at, [(run, ones, count, False) for run, count in zip(runs, most, strict=True)],
                           lambda found: then([len(values) for values in found]))  # fmt: skip

    def _values(self, at: int, runs: Sequence[_Run], lacking: Sequence[int]) -> Any:
        """The first values of each run. lacking: how many rows without one come before them."""
        column = self.columns[at]
        ended = [column.piece > 0 and _has_ended(run.values[-1]) for run in runs]
        left = [0 if over else run.count - count for run, count, over in zip(runs, lacking, ended, strict=True)]

        def then(found: list[list[Any]]) -> Any:
            if column.piece:
                rest = [[0] * run.count if over else own for run, own, over in zip(runs, found, ended, strict=True)]
                return self._following(at, runs, rest, lacking)
            short = [count - len(values) for count, values in zip(left, found, strict=True)]
            if self.missing_first or not column.nullable or not any(short):
                return self._following(at, runs, found, lacking)
            if at:  # there are as many rows as are wanted
                return self._following(at, runs, found, short)
            return self._missing(at, runs, short, lambda counts: self._following(at, runs, found, counts))

        if not any(left):
            return then([[] for _ in runs])
        return self._query(at, [(run, column.of, count, column.least) for run, count in zip(runs, left, strict=True)],
                           then)  # fmt: skip

    def _query(
        self, at: int, asked: Sequence[tuple[_Run, Of, int, bool]], then: Callable[[list[list[Any]]], Any]
    ) -> Query:
        """For the first values of each run; of those of which none is wanted, none."""
        parts, places = [], []
        for place, (run, of, count, least) in enumerate(asked):
            if count:
                meant = self.meant if run.where is None else self.meant.chosen(run.where)
                parts.append(meant.part(Most(meant.name(), of, count, least)))
                parts[-1].statistic.partials(parts[-1].rows)  # refuses what cannot be
                places.append(place)

        def build(results: list[Any]) -> Any:
            withheld = next((result for result in results if isinstance(result, Withheld)), None)
            if withheld is not None:
                return withheld
            found: list[list[Any]] = [[] for _ in asked]
            for place, result in zip(places, results, strict=True):
                found[place] = list(result)
            return then(found)

        return Query(parts, self.title, build, note="" if at else self.note, follows=True)

    def _following(self, at: int, runs: Sequence[_Run], found: Sequence[Sequence[Any]], lacking: Sequence[int]) -> Any:
        """The result, or what is asked of the next column."""
        of = self.columns[at].of
        further: list[_Run] = []
        for run, values, count in zip(runs, found, lacking, strict=True):
            over = self.columns[at].piece > 0 and _has_ended(run.values[-1])
            own = (
                [_Run((*run.values, 0), run.count, run.where)]
                if over
                else [_alike(run, of, list(same)) for _, same in groupby(values)]
            )
            missing = [_Run((*run.values, None), count, _and(run.where, apply("is_null", (of,))))] if count else []
            further += [*missing, *own] if self.missing_first else [*own, *missing]
        if self.columns[at].text is not None and not all(_has_ended(run.values[-1]) for run in further):
            columns = [*self.columns[: at + 1], self.columns[at].following(), *self.columns[at + 1 :]]
            return replace(self, columns=columns).ask(at + 1, further)
        if at + 1 < len(self.columns) and further:
            return self.ask(at + 1, further)
        return self.build([self._as_shown(run.values) for run in further for _ in range(run.count)])

    def _as_shown(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """One value for each column that was asked for: of text the pieces put together."""
        shown_values: list[Any] = []
        for column, value in zip(self.columns, values, strict=False):
            if column.text is None or not column.piece:
                shown_values.append(b"" if column.text is not None and value is not None else value)
            if column.text is not None and value is not None and shown_values[-1] is not None:
                shown_values[-1] += bytes_of(value)
        return tuple(value.decode() if isinstance(value, bytes) else value for value in shown_values)


def _has_ended(piece: int | None) -> bool:
    """Whether text is missing, or has no bytes behind a piece."""
    return piece is None or len(bytes_of(piece)) < TEXT_PIECE


def _alike(run: _Run, of: Of, values: Sequence[Any]) -> _Run:
    return _Run((*run.values, values[0]), len(values), _and(run.where, apply("equal", (of, literal(values[0])))))


def _and(one: Of | None, other: Of) -> Of:
    return other if one is None else apply("and", (one, other))


def _listed(given: Any) -> list[Any]:
    """One or several; none of what is neither."""
    if isinstance(given, str):
        return [given]
    return list(given) if isinstance(given, Iterable) else []
