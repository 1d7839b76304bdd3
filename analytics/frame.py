"""The frame: rows of several owners as one table, of which public facts alone are shown."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, overload

from analytics.column import SecureColumn
from analytics.dataset import Dataset
from analytics.describing import DescribedFrame
from analytics.frame_elementwise import FrameElementwise
from analytics.frame_statistics import FrameStatistics
from analytics.group_keys import TEXT
from analytics.groupby import SecureGroupBy, grouped
from analytics.meant import Meant
from analytics.no_arrays import NoArrays
from analytics.public_values import plain
from analytics.query import Query
from analytics.shaping import Shaping
from analytics.sorting import SortsFrame
from analytics.uncompared import Uncompared
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.expressions.tree import EVERY_ROW, Of, literal
from icm_ray.query.expressions.words import words
from icm_ray.query.kinds import one_form
from icm_ray.query.question import SharedColumn
from icm_ray.query.statistics.count import Count

__all__ = ["SecureFrame"]


class SecureFrame(NoArrays, Shaping, FrameElementwise, FrameStatistics, DescribedFrame, SortsFrame, Uncompared):
    """A frame holds the rows of all owners as one table: names, kinds and numbers of rows; values stay where they are.

    `read_csv`, `read_parquet` and `from_pandas` make frames, and so do `share` and picking columns of another frame:
    users do not call the class. Frames are not compared, and are neither true nor false (`TypeError`).

    Args:
        meant: The rows: a dataset of a session, and which of its rows are meant.
        columns: By name what each column holds, in order; None: all that the owners agree on.

    Examples:
        >>> visits[["age", "cost"]]
        <SecureFrame: 5 rows, held by their owners (alice: 3, bob: 2)
          age   int
          cost  float>
    """

    __slots__ = ("_columns", "_meant")

    def __init__(self, meant: Meant, columns: Mapping[str, Of] | None = None) -> None:
        self._meant = meant
        if columns is None:
            columns = {info.name: info.name for info in meant.dataset_facts.columns if info.kind}
        self._columns = dict(columns)

    @property
    def meant(self) -> Meant:
        """The rows that are meant: a dataset of a session, and a condition.

        Examples:
            >>> visits[visits["age"] >= 65].meant.where is None
            False
        """
        return self._meant

    @property
    def _dataset(self) -> Dataset:
        return self._meant.dataset

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns that all owners have, in order.

        Examples:
            >>> visits.columns
            ('age', 'cost', 'ward')
        """
        return self._names

    @property
    def dtypes(self) -> dict[str, str]:
        """The kind of each column.

        "int", "float" or "bool"; "string" or the Arrow type's name for what arithmetic is not offered on; "unequal"
        where owners do not agree, which is an error once the column is used.

        Examples:
            >>> visits[["age", "cost"]].dtypes
            {'age': 'int', 'cost': 'float'}
        """
        return {name: self._kind(name) for name in self._names}

    @property
    def owners(self) -> dict[str, int]:
        """The number of rows of each owner.

        Examples:
            >>> visits.owners
            {'alice': 3, 'bob': 2}
        """
        return dict(self._meant.dataset_facts.owners)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns.

        Examples:
            >>> visits.shape
            (5, 3)
        """
        return len(self), len(self._names)

    @property
    def shared(self) -> bool:
        """Whether the rows are shares of the parties, rather than with their owners.

        Examples:
            >>> visits.shared
            False
        """
        return self._meant.dataset_facts.shared

    def __len__(self) -> int:
        """Count the rows of all owners together: a public number.

        Examples:
            >>> len(visits)
            5
        """
        self._all("how many rows are meant")
        return self._meant.dataset_facts.count

    def _all(self, what: str) -> None:
        if self._meant.where is not None:
            raise TypeError(f"{what} where {words(self._meant.where)} is not known: ask count_rows(), and reveal it")

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names of the columns, as pandas has it.

        Examples:
            >>> list(visits)
            ['age', 'cost', 'ward']
        """
        return iter(self._names)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and one_form(name) in self._names

    def _why(self) -> str:
        return "a frame is not compared: its rows are not with the driver. Compare .columns, .dtypes or .shape"

    def __bool__(self) -> bool:
        raise TypeError("a frame is neither true nor false; compare len(frame)")

    def __repr__(self) -> str:
        brought = ", ".join(f"{owner}: {count}" for owner, count in self._meant.dataset_facts.owners.items())
        how = "shares of the parties" if self._meant.dataset_facts.shared else "held by their owners"
        rows = "mock rows" if self._meant.mock else "rows"
        where = "" if self._meant.where is None else f" where {words(self._meant.where)}"
        lines = [f"<SecureFrame: {self._meant.dataset_facts.count} {rows}{where}, {how} ({brought})"]
        width = max((len(name) for name in self._names), default=0)
        lines += [f"  {name:<{width}}  {kind}" for name, kind in self.dtypes.items()]
        lines += [f"  ({info.name}: {info.fault})" for info in self._meant.dataset_facts.columns if not info.kind]
        return "\n".join(lines) + ">"

    @overload
    def __getitem__(self, names: str) -> SecureColumn: ...

    @overload
    def __getitem__(self, names: list[str] | SecureColumn) -> Self: ...

    def __getitem__(self, names: str | list[str] | SecureColumn) -> SecureColumn | Self:
        """Pick a column, or several as a frame over the same rows.

        Args:
            names: The name of a column, or a list of names.

        Returns:
            The column of a name; the frame of a list, without repetitions.

        Raises:
            ColumnError: A column that is not there (the closest name is said) or that owners do not agree on, or what
                is no name.

        Examples:
            >>> visits["cost"].mean().reveal()
            203.3
            >>> visits[["age", "cost"]].columns
            ('age', 'cost')
        """
        if isinstance(names, str):
            known = self._known(names)
            return self._column(self._columns[known], known)
        if isinstance(names, SecureColumn):
            return self._chosen(names)
        if not isinstance(names, list):
            raise ColumnError(f"a column's name or a list of names is needed, not {names!r}")
        return type(self)(self._meant, {known: self._columns[known] for known in map(self._known, names)})

    def _column(self, of: Of, name: str | None = None) -> SecureColumn:
        return SecureColumn(self._meant, of, name)

    def _chosen(self, condition: SecureColumn) -> Self:
        if condition.meant.origin is not self._meant.origin:
            raise InputError("rows are chosen by a condition on columns of the same frame")
        if condition.meant.where not in (None, self._meant.where):
            raise InputError("rows are chosen by a condition on all rows of the frame, or on those that it means")
        return type(self)(self._meant.chosen(condition.of), self._columns)

    def _kind(self, name: str) -> str:
        of = self._columns[name]
        return self._meant.info(of).kind

    def _known(self, name: str) -> str:
        plain = one_form(str(name))
        fault = self._fault(plain)
        renamed = self._columns.get(plain, plain) != plain
        if fault and not renamed and (plain in self._names or not self.shared):
            raise ColumnError(fault, column=plain)
        if plain in self._names:
            return plain
        close = difflib.get_close_matches(str(name), self._names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(self._names)}"
        raise ColumnError(f"no column {name!r}; {hint}", column=str(name))

    def _fault(self, name: str) -> str:
        """What keeps a column from being used; "" where nothing does."""
        return next((info.fault for info in self._meant.dataset_facts.columns if info.name == name), "")

    def share(self, *, domain: Mapping[str, Sequence[str]] | None = None) -> SecureFrame:
        """Share every value secretly among the parties; statistics are computed on shares from then on.

        Integers and booleans are shared exactly, magnitudes to 2^31 unless `bounds` said otherwise when reading; floats
        with the session's fractional bits, to 2^20 (the session's `default_bound`) unless `bounds` said otherwise: a
        smaller bound buys as many more of them. Dates and times are shared exactly from 1864 to 2135, durations to 136
        years, decimals to 2^31, unless `bounds` said otherwise: in the finest unit that fits, from their own to
        seconds, and an owner with values between two of these refuses; `dt.floor("s")` rounds them, narrower bounds
        make room. Text is shared as the place of each value among public ones. Where a
        value may be missing, a bit that says so is shared beside it. Columns that are computed, and the condition that
        chooses rows, are computed by the owners before: rows that are not meant stay, as zeros beside a bit.
        Where people of other organisations approve each question, rows are shared for one at a time, when it is asked.

        Args:
            domain: By the name of a text column all values that it may have: public.

        Returns:
            A frame of the same rows and columns that is `shared`; itself where it is shared already.

        Raises:
            ColumnError: A column of another kind, text without stated values or with others, or a column that owners
                do not agree on.
            BoundError: A bound that is too large, or a value beyond it: the owner's worker refuses, naming the column.
            NullError: An infinite value.
            SourceError: A file that was changed since it was opened, or cannot be read any more.
            InputError: The rows were forgotten, or a domain that is none.
            SessionError: The session is closed, or has lost a lane that holds some of the rows.
            FaultError: A worker fails.

        Warns:
            UserWarning: A large bound leaves fewer fractional bits than the session has; it says how many.

        Examples:
            >>> shared = visits[["age", "cost"]].share()
            >>> shared["age"].mean().reveal()
            48.2
            >>> old = visits[visits["age"] > 40][["age", "ward"]].share(domain={"ward": ["a", "b", "c"]})
            >>> old.groupby("ward", domain={"ward": ["a", "b"]})["age"].agg("mean").reveal().tolist()
            [47.0, 65.5]
        """
        if self.shared:
            return self
        for name in self._names:
            self._known(name)
        if domain is not None and not isinstance(domain, Mapping):
            raise InputError(f"domain= has the values of text by the column's name, {{'name': [...]}}, not {domain!r}")
        stated = {self._known(name): _words(name, values) for name, values in (domain or {}).items()}
        columns = tuple(SharedColumn(name, of, stated.get(name, ())) for name, of in self._columns.items())
        return SecureFrame(self._meant.shares(columns), {name: name for name in self._names})

    def assign(self, **columns: Any) -> Self:
        """Add columns that are computed from others, row by row, by whoever holds the rows.

        Args:
            **columns: By name a column of the same rows, a public value, or a function that makes one of them of the
                frame so far.

        Returns:
            A frame with these columns behind the others, or in the place of those of the same name.

        Raises:
            InputError: A column of another frame, or what is no column.

        Examples:
            >>> visits.assign(older=visits["age"] + 1)["older"].mean().reveal()
            49.2
        """
        frame = self
        for name, given in columns.items():
            made = given(frame) if callable(given) else given
            if not isinstance(made, SecureColumn):
                made = frame._column(literal(plain(made)))
            if not frame._meant.aligned(made.meant):
                raise InputError(f"{name!r}: a column of the same rows is needed; merge frames of different ones")
            frame._meant.check_column(made.of)
            frame = type(self)(frame._meant, {**frame._columns, one_form(name): made.of})
        return frame

    def groupby(
        self,
        by: str | SecureColumn | list[str | SecureColumn],
        *,
        domain: Mapping[str, Iterable[Any]] | Iterable[Any] | None = None,
        max_groups: int | None = None,
        max_bytes: int = TEXT,
        as_index: bool = True,
        sort: bool = True,
        dropna: bool = True,
        observed: bool = True,
    ) -> SecureGroupBy:
        """Group the rows by the values of one or more columns.

        The values are public where who asks states them. Else they are private: owners aggregate by key, the groups
        are merged on shares, and the keys of groups that the policy allows are opened with their results, in no order;
        which owners have rows of a group is not. Shared rows are sorted by key on shares. Of private groups order
        statistics, and what else is not added up, are asked in questions that follow, of the groups that were opened.

        Args:
            by: The name of a column, a column of the same rows, as `frame["age"] >= 65` is one, or a list of these.
                Each combination of their values is a group.
            domain: By name the values to group by, of one key the values alone; rows with others are in no group, as
                with pandas' categories. Booleans need none. None: the values are private, unless all keys are booleans,
                categories or text that is shared.
            max_groups: Room for that many groups of each owner, a public number; by default the number of rows, 4096
                at most, to the next power of two. An owner with more refuses. Of shared rows room for that many in each
                lane, by default 65536 at most; where there are more, all learn that and nothing else.
            max_bytes: The most bytes (UTF-8) of a private key that is text, 1 to 64; a public number. Text that is
                shared needs none.
            as_index: Whether keys are the index of results; else they are columns of a DataFrame.
            sort: True: groups are in the order of their keys, for rows of several owners have none.
            dropna: True: rows that lack a key are in no group; `fillna` gives them one.
            observed: True: categories that no row has are left out.

        Returns:
            Groups, to pick columns of and to aggregate.

        Raises:
            ColumnError: No such column, values of another kind, or a column that is no text, integers or booleans.
            InputError: A column whose values are not stated where others' are, or no room for a group.
            BoundError: Shared keys that do not fit one word together: declare smaller bounds.

        Examples:
            >>> visits.groupby("ward", domain={"ward": ["a", "b", "c"]})["age"].agg("mean").reveal()
            ward
            a    40.500000
            b    53.333333
            Name: age, dtype: float64
            >>> visits.groupby("ward")["age"].agg("max").reveal().to_dict()
            {'a': 47, 'b': 70}
        """
        if domain is not None and max_groups is not None:
            raise InputError("max_groups= is for private keys: with domain= the groups are stated")
        wanted = by if isinstance(by, list) else [by]
        known = [self._known(item) if isinstance(item, str) else item for item in wanted]
        if not sort:
            raise InputError("sort=False: rows of several owners are in no order in which groups could first appear")
        if not dropna:
            raise InputError("dropna=False: give rows that lack a key one, groupby(frame[key].fillna(...))")
        if not observed:
            raise InputError("observed=False: groups without rows are left out; put them in: result.reindex([...])")
        return grouped(self._meant, self._columns, known, domain, max_groups, max_bytes, as_index=as_index)

    def count_rows(self) -> Query:
        """Count the rows that are meant: the number is public for a whole dataset, but not of chosen rows.

        Returns:
            A query for an int.

        Examples:
            >>> visits[visits["age"] >= 65].count_rows().reveal()
            1
        """
        statistic = Count(self._meant.name(), EVERY_ROW)
        return Query([self._meant.part(statistic)], self._meant.titled("number of rows"))

    def mock(self) -> Self:
        """Take mock rows in the place of other organisations' rows, to try questions on them first.

        They are drawn in this process from what is public of each dataset: names and kinds of columns, and what their
        owners stated with `icm data --mock`. They say nothing of any row. Everything that is asked of a frame is asked
        of them, under the same policies, and refused where that refuses it; nobody else is asked, no ledger and no
        approval knows of it. Results say that they are of mock rows. Each call starts with the same rows, of which
        nothing was asked.

        Returns:
            A frame of the same columns, and the same condition on rows; itself where it is of mock rows already.

        Raises:
            InputError: A session that is not one of `icm.connect`, or shares.
            OwnerError: An organisation offers no mock rows of its dataset.

        Examples:
            >>> visits = icm.connect().peer("bob")["visits"]  # doctest: +SKIP
            >>> visits.mock()["cost"].mean().reveal()  # doctest: +SKIP
            50.4 (of mock rows)
            >>> visits["cost"].mean().request(reason="cost study")  # doctest: +SKIP
            <request 0123456789abcdef: mean of cost, waiting>
        """
        from analytics.mock_rows import mocked  # instances of organisations, for those who ask them alone

        return type(self)(mocked(self._meant), self._columns)

    def forget(self) -> None:
        """Let the workers drop the rows: opened tables, or shares. Frames of the same rows have none any more.

        Raises:
            SessionError: The session is closed, or has lost all its lanes.

        Examples:
            >>> frame = an.from_pandas(session, {"alice": north, "bob": south})
            >>> frame.forget()
        """
        self._meant.forget()


def _words(name: str, values: Sequence[str]) -> tuple[str, ...]:
    """The stated values of a text column, in order. Errors: `InputError` for what is no list of texts."""
    given: Any = values
    listed = isinstance(given, Iterable) and not isinstance(given, str)
    if not listed or not all(isinstance(value, str) for value in given):
        raise InputError(f"{name!r}: the values of text are given as a list of texts")
    return tuple(sorted(set(values)))
