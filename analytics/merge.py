"""Frames of owners merged on private keys: statistics of the merged rows, of which nobody learns which they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

from msgspec import structs

from analytics.execute import Part
from analytics.frame import SecureFrame
from analytics.group_keys import TEXT, private_keys
from analytics.moments import freedom
from analytics.query import Query
from analytics.uncompared import Uncompared
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.expressions.tree import EVERY_ROW, Of
from icm_ray.query.merge import JoinedColumn, Merge, MergedRows
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance
from icm_ray.query.tasks import MOST_GROUPS

__all__ = ["MergedColumn", "MergedFrame", "merge"]


class MergedFrame(Uncompared):
    """The rows of two frames that have the same keys, merged as pandas merges them; nobody learns which these are.

    `merge` makes them: users do not call the class.

    Args:
        left: The frame whose rows are kept, or found in the other.
        right: The frame with one row for each key.
        asked: What is merged, as questions have it.

    Examples:
        >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
        >>> an.merge(visits, wards, on="ward").count_rows().reveal()
        2
    """

    __slots__ = ("_asked", "_left", "_right")

    def __init__(self, left: SecureFrame, right: SecureFrame, asked: Merge) -> None:
        self._left, self._right, self._asked = left, right, asked

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in pandas' order.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward").columns
            ('age', 'cost', 'ward', 'beds')
        """
        return tuple(column.name for column in self._asked.columns)

    def __repr__(self) -> str:
        return f"<MergedFrame: {', '.join(self.columns)}; {self._asked.how} merge, which rows match is secret>"

    def _why(self) -> str:
        return "a merged frame is not compared: nobody knows its rows"

    def __bool__(self) -> bool:
        raise TypeError("a merged frame is neither true nor false; ask count_rows(), and reveal it")

    def __getitem__(self, name: str) -> MergedColumn:
        """Pick a column.

        Args:
            name: Its name.

        Returns:
            The column, of which statistics are asked.

        Raises:
            ColumnError: No such column.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].sum().reveal()
            20
        """
        if name not in self.columns:
            raise ColumnError(f"no column {name!r}; there are {', '.join(self.columns)}", column=str(name))
        return MergedColumn(self._ask, name)

    def count_rows(self) -> Query:
        """Count the merged rows.

        Returns:
            A query for an int.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward", how="left").count_rows().reveal()
            5
        """
        return self._ask(Count, EVERY_ROW)

    def _ask(self, statistic: Callable[[str, Of], Statistic], of: Of) -> Query:
        made = statistic(self._asked.name, of)
        part = Part(self._left.meant.dataset, made, None, (self._asked, self._right.meant.dataset))
        return Query([part], f"{made.title} of merged rows")


class MergedColumn(Uncompared):
    """A column of merged rows offers statistics, those of pandas on the merged rows; missing values are skipped.

    Args:
        ask: What asks for a statistic of the merged rows.
        name: The name of the column.

    Examples:
        >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
        >>> an.merge(visits, wards, on="ward")["age"].mean().reveal()
        40.5
    """

    __slots__ = ("_ask", "_name")

    def __init__(self, ask: Callable[[Callable[[str, Of], Statistic], Of], Query], name: str) -> None:
        self._ask, self._name = ask, name

    def __repr__(self) -> str:
        return f"<MergedColumn {self._name!r}>"

    def _why(self) -> str:
        return "a column of merged rows is not compared: choose rows before the merge"

    def __bool__(self) -> bool:
        raise TypeError("a column is neither true nor false")

    def count(self) -> Query:
        """Count the values that are there.

        Returns:
            A query for an int.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward", how="left")["beds"].count().reveal()
            2
        """
        return self._ask(Count, self._name)

    def sum(self) -> Query:
        """Add up the values.

        Returns:
            A query for an int, exactly, or of floats for a float.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].sum().reveal()
            20
        """
        return self._ask(Sum, self._name)

    def mean(self) -> Query:
        """Take the arithmetic mean.

        Returns:
            A query for a float; NaN of nothing.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].mean().reveal()
            10.0
        """
        return self._ask(Mean, self._name)

    def var(self, ddof: int = 1) -> Query:
        """Take the variance.

        Args:
            ddof: What is taken off the number of values in the divisor.

        Returns:
            A query for a float; NaN of too few values.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].var().reveal()
            0.0
        """
        return self._ask(partial(Variance, ddof=freedom(ddof)), self._name)

    def std(self, ddof: int = 1) -> Query:
        """Take the standard deviation.

        Args:
            ddof: What is taken off the number of values in the divisor.

        Returns:
            A query for a float; NaN of too few values.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].std().reveal()
            0.0
        """
        return self._ask(partial(Variance, ddof=freedom(ddof), root=True), self._name)


def merge(
    left: SecureFrame,
    right: SecureFrame,
    on: str | Sequence[str],
    how: Literal["inner", "left"] = "inner",
    *,
    suffixes: tuple[str | None, str | None] = ("_x", "_y"),
    max_bytes: int = TEXT,
) -> MergedFrame:
    """Merge the rows of two frames on private keys; neither keys nor which rows match are opened to anybody.

    Each key has one row on the right side at most: this is checked on shares, and a merge of others ends in a
    `BoundExceeded`, of which everyone learns that there is such a key. Owners aggregate their own rows by key first.

    Args:
        left: A frame of rows that their owners hold.
        right: Another one, with one row for each key.
        on: The name of a column of both frames, or several: integers, text or booleans, none missing.
        how: "inner", the rows with a match, or "left", all rows of the left frame.
        suffixes: What is appended to names that both frames have.
        max_bytes: The most bytes (UTF-8) of a key that is text, 1 to 64; a public number.

    Returns:
        The merged rows.

    Raises:
        InputError: Keys of different kinds or that may be missing, frames of different sessions, or another `how`.
        ColumnError: A column that is not there, or a frame that is shared.

    Examples:
        >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
        >>> an.merge(visits, wards, on="ward", how="left")["cost"].sum().reveal()
        1016.5
    """
    for frame in (left, right):
        if not isinstance(frame, SecureFrame):
            raise InputError(f"frames are merged, not {type(frame).__name__}")
    if not isinstance(on, str | list | tuple) or not all(isinstance(name, str) for name in on):
        raise InputError(f"on= takes the name of a column or several, not {on!r}")
    if how not in {"inner", "left"}:
        raise InputError(f"how={how!r}: merges are 'inner' or 'left'; swap the frames for 'right'")
    keys = [on] if isinstance(on, str) else list(on)
    if left.meant.dataset.engine is not right.meant.dataset.engine:
        raise InputError("frames of different sessions cannot be merged")
    asked = Merge(*_selections(left, right, keys, max_bytes), how, _columns(left, right, keys, suffixes))
    MergedRows(
        asked,
        SelectedRows(asked.left, left.meant.dataset.facts),
        SelectedRows(asked.right, right.meant.dataset.facts),
    )  # refuses what cannot be
    return MergedFrame(left, right, asked)


def _selections(
    left: SecureFrame, right: SecureFrame, names: Sequence[str], max_bytes: int
) -> tuple[Selection, Selection]:
    """The rows of both sides by their keys, whose words are as long on both."""
    found = []
    for frame in (left, right):
        most = min(max(frame.meant.dataset.facts.count, 1), MOST_GROUPS)
        found.append((frame.meant, private_keys(frame.meant, [frame[name].of for name in names], most, max_bytes)))
    sizes = [max(one.size, other.size) for one, other in zip(*(private.keys for _, private in found), strict=True)]
    first, second = (
        Selection(
            meant.dataset.facts.name,
            meant.where,
            private=PrivateKeys(
                tuple(structs.replace(key, size=size) for key, size in zip(private.keys, sizes, strict=True)),
                private.most,
            ),
        )
        for meant, private in found
    )
    return first, second


def _columns(
    left: SecureFrame, right: SecureFrame, keys: Sequence[str], suffixes: tuple[str | None, str | None]
) -> tuple[JoinedColumn, ...]:
    """As pandas names them: the left frame's, then those of the right one that are no keys."""
    found = []
    for name in left.columns:
        both = name in right.columns and name not in keys
        found.append(JoinedColumn(f"{name}{suffixes[0] or ''}" if both else name, left[name].of))
    for name in right.columns:
        if name not in keys:
            both = name in left.columns
            found.append(JoinedColumn(f"{name}{suffixes[1] or ''}" if both else name, right[name].of, right=True))
    return tuple(found)
