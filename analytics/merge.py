"""Frames merged on private keys: statistics of the merged rows, of which nobody learns which they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from analytics.conditions import condition as condition_of
from analytics.frame import SecureFrame
from analytics.group_keys import TEXT
from analytics.groupby import SecureGroupBy, grouped
from analytics.merged_column import MergedColumn
from analytics.merged_meant import MergedMeant
from analytics.merging import Side, merged_columns, merged_rows
from analytics.no_arrays import NoArrays
from analytics.public_values import plain
from analytics.query import Query
from analytics.uncompared import Uncompared
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.expressions.tree import EVERY_ROW, Of, literal
from icm_ray.query.expressions.words import words
from icm_ray.query.kinds import one_form
from icm_ray.query.statistics.count import Count

__all__ = ["MergedFrame", "merge"]


class MergedFrame(NoArrays, Uncompared):
    """The rows of two frames that have the same keys, merged as pandas merges them; nobody learns which these are.

    `merge` makes them: users do not call the class.

    Args:
        meant: What is merged, and which of the merged rows are meant.
        columns: By name what each column holds.

    Examples:
        >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
        >>> an.merge(visits, wards, on="ward").count_rows().reveal()
        2
    """

    __slots__ = ("_columns", "_meant")

    def __init__(self, meant: MergedMeant, columns: Mapping[str, Of]) -> None:
        self._meant, self._columns = meant, dict(columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in pandas' order.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward").columns
            ('age', 'cost', 'ward', 'beds')
        """
        return tuple(self._columns)

    def __repr__(self) -> str:
        some = "" if self._meant.where is None else f" where {words(self._meant.where)}"
        how = self._meant.merge.how
        return f"<MergedFrame: {', '.join(self.columns)}; {how} merge{some}, which rows match is secret>"

    def _why(self) -> str:
        return "a merged frame is not compared: nobody knows its rows"

    def __bool__(self) -> bool:
        raise TypeError("a merged frame is neither true nor false; ask count_rows(), and reveal it")

    def __getitem__(self, names: Any) -> Any:
        """Pick a column by its name, or choose rows by a condition on columns.

        Args:
            names: The name of a column, or a condition: what owners hold of it they evaluate in the clear, and
                conditions of both frames are joined with `& | ~` on shares. Of shared frames any condition.

        Returns:
            The column (`MergedColumn`), of which statistics are asked; of a condition the frame (`MergedFrame`) of the
            rows where it is true.

        Raises:
            ColumnError: No such column, or a condition that compares columns of both frames.
            InputError: A condition on other rows.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "b"], "beds": [10, 20]})})
            >>> merged = an.merge(visits, wards, on="ward")
            >>> merged["beds"].sum().reveal()
            80
            >>> merged[(merged["age"] > 60) | (merged["beds"] < 15)].count_rows().reveal()
            4
        """
        if isinstance(names, MergedColumn):
            if not self._meant.aligned(names.meant):
                raise InputError("rows are chosen by a condition on columns of the same frame")
            return MergedFrame(self._meant.chosen(names.of), self._columns)
        if not isinstance(names, str):
            raise ColumnError(f"a column's name or a condition is needed, not {names!r}")
        name = one_form(names)
        if name not in self._columns:
            raise ColumnError(f"no column {names!r}; there are {', '.join(self.columns)}", column=names)
        return MergedColumn(self._meant, self._columns[name], name)

    def query(self, expr: str, *, local_dict: Mapping[str, Any] | None = None) -> MergedFrame:
        """Choose rows by a condition that is written as text, as pandas' `query` does.

        Args:
            expr: The condition, as of `SecureFrame.query`.
            local_dict: The values of `@name`.

        Returns:
            The rows where it is true.

        Raises:
            InputError: What is no condition.
            ColumnError: No such column, or a condition that compares columns of both frames.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "b"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward").query("beds > 15 and age < 65")["age"].count().reveal()
            2
        """
        made: MergedFrame = self[condition_of(expr, self.__getitem__, local_dict or {})]
        return made

    def assign(self, **columns: Any) -> MergedFrame:
        """Add columns that owners compute from their own.

        Args:
            **columns: By name a column of the same rows, a public value, or a function that makes one of them of the
                frame so far.

        Returns:
            A frame with these columns behind the others, or in the place of those of the same name.

        Raises:
            InputError: A column of other rows.
            ColumnError: One that is computed of columns of both frames, which owners hold.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "b"], "beds": [10, 20]})})
            >>> merged = an.merge(visits, wards, on="ward")
            >>> merged.assign(months=lambda frame: frame["age"] * 12)["months"].max().reveal()
            840
        """
        frame = self
        for name, given in columns.items():
            made = given(frame) if callable(given) else given
            if not isinstance(made, MergedColumn):
                made = MergedColumn(frame._meant, literal(plain(made)))
            if not frame._meant.aligned(made.meant):
                raise InputError(f"{name!r}: a column of the same rows is needed")
            frame._meant.rows().check_column(made.of)  # refuses what is of both sides, or not computed
            frame = MergedFrame(frame._meant, {**frame._columns, one_form(name): made.of})
        return frame

    def groupby(
        self,
        by: str | MergedColumn | list[str | MergedColumn],
        *,
        domain: Mapping[str, Iterable[Any]] | Iterable[Any] | None = None,
        max_bytes: int = TEXT,
    ) -> SecureGroupBy:
        """Group the merged rows by public values of one or more columns, of either frame, or by private ones.

        Args:
            by: The name of a column, a column of the same rows, or a list of these.
            domain: By name the values to group by, of one key the values alone; rows with others are in no group.
                Booleans need none. None: keys are private, and columns of the right frame, of shared frames of either;
                of frames without a policy.
            max_bytes: Of private keys that are text, the most bytes (UTF-8), 1 to 64; a public number.

        Returns:
            Groups, to pick columns of and to aggregate by count, sum, mean, var, std, sem and size; of public values by
            min and max, too.

        Raises:
            ColumnError: No such column, or values of another kind.
            InputError: Private keys of the left frame, or too many groups: 255 of public values at most (of frames that
                owners hold).
            PolicyError: Private keys, and a frame has a policy.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "b"], "floor": [1, 2]})})
            >>> an.merge(visits, wards, on="ward").groupby("floor", domain=[1, 2])["age"].sum().reveal().to_dict()
            {1: 81, 2: 160}
            >>> an.merge(visits, wards, on="ward").groupby("floor")["age"].sum().reveal().to_dict()
            {1: 81, 2: 160}
        """
        wanted = by if isinstance(by, list) else [by]
        return grouped(self._meant, self._columns, wanted, domain, most_bytes=max_bytes)

    def count_rows(self) -> Query:
        """Count the merged rows.

        Returns:
            A query for an int.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward", how="left").count_rows().reveal()
            5
        """
        made = Count(self._meant.name(), EVERY_ROW)
        return Query([self._meant.part(made)], f"{made.title} of merged rows")


def merge(
    left: SecureFrame,
    right: SecureFrame,
    on: str | Sequence[str] | None = None,
    how: Literal["inner", "left"] = "inner",
    *,
    left_on: str | Sequence[str] | None = None,
    right_on: str | Sequence[str] | None = None,
    suffixes: tuple[str | None, str | None] = ("_x", "_y"),
    validate: str = "many_to_one",
    max_bytes: int = TEXT,
) -> MergedFrame:
    """Merge the rows of two frames on private keys; neither keys nor which rows match are opened to anybody.

    Each key has one row on the right side at most: this is checked on shares, and a merge of others ends in a
    `BoundExceeded`, of which everyone learns that there is such a key. Owners aggregate their own rows by key first;
    of shared frames all rows are sorted by key, on shares, and columns of both frames are computed with one another.
    A key may not be missing: where pandas merges rows without a key with one another, say so with `fillna`, or leave
    them out with `dropna`, before.

    Args:
        left: A frame of rows that their owners hold, or that are shared.
        right: Another one, shared where the left one is, with one row for each key.
        on: The name of a column of both frames, or several: integers, text or booleans, none missing.
        how: "inner", the rows with a match, or "left", all rows of the left frame.
        left_on: In place of `on` the columns of the left frame, where names differ.
        right_on: As many of the right frame.
        suffixes: What is appended to names that both frames have.
        validate: "many_to_one", or "many_to_many": a key may have several rows on the right side, too, and nothing is
            checked; of frames that owners hold, without a policy, and not in groups by right columns.
        max_bytes: The most bytes (UTF-8) of a key that is text, 1 to 64; a public number.

    Returns:
        The merged rows.

    Raises:
        InputError: Keys of different kinds or that may be missing, frames of different sessions, or another `how`.
        ColumnError: A column that is not there, or one frame that is shared and one that is not.
        BoundError: A key of shared frames that is wider than sorting takes.
        PolicyError: A key may have several right rows, and a frame has a policy.

    Examples:
        >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
        >>> an.merge(visits, wards, on="ward", how="left")["cost"].sum().reveal()
        1016.5
        >>> shared = visits.share(domain={"ward": ["a", "b"]}), wards.share(domain={"ward": ["a", "c"]})
        >>> an.merge(*shared, on="ward")["beds"].sum().reveal()
        20
    """
    for frame in (left, right):
        if not isinstance(frame, SecureFrame):
            raise InputError(f"frames are merged, not {type(frame).__name__}")
    of_left, of_right = _keys(on, left_on, right_on)
    if how not in {"inner", "left"}:
        raise InputError(f"how={how!r}: merges are 'inner' or 'left'; swap the frames for 'right'")
    if validate not in _MANY:
        raise InputError(f"validate={validate!r}: merges are {' or '.join(map(repr, _MANY))}")
    sides = (
        Side(left.meant, {name: left[name].of for name in left.columns}, [left[name].of for name in of_left]),
        Side(right.meant, {name: right[name].of for name in right.columns}, [right[name].of for name in of_right]),
    )
    both = [one for one, other in zip(of_left, of_right, strict=True) if one == other]
    columns = merged_columns(*sides, both, suffixes)
    meant = merged_rows(*sides, how, columns, max_bytes, many=_MANY[validate])
    return MergedFrame(meant, {column.name: column.name for column in columns})


_MANY: Final = {"many_to_one": False, "m:1": False, "many_to_many": True, "m:m": True}
"""Whether a key may have several right rows, by what pandas calls it."""


def _keys(on: Any, left_on: Any, right_on: Any) -> tuple[list[str], list[str]]:
    """The names of keys, of the left and of the right frame. Errors: `InputError`."""
    if on is None and left_on is not None and right_on is not None:
        of_left, of_right = _listed("left_on", left_on), _listed("right_on", right_on)
        if len(of_left) != len(of_right):
            raise InputError(f"left_on= names {len(of_left)} columns, and right_on= {len(of_right)}")
        return of_left, of_right
    if left_on is not None or right_on is not None:
        raise InputError("merge on columns of both frames: on=, or left_on= and right_on=")
    found = _listed("on", on)
    return found, found


def _listed(word: str, names: Any) -> list[str]:
    if not isinstance(names, str | list | tuple) or not all(isinstance(name, str) for name in names):
        raise InputError(f"{word}= takes the name of a column or several, not {names!r}")
    return [names] if isinstance(names, str) else list(names)
