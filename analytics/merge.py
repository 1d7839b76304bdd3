"""Frames merged on private keys: statistics of the merged rows, of which nobody learns which they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NoReturn, Self

from analytics.column import SecureColumn
from analytics.frame import SecureFrame
from analytics.group_keys import TEXT
from analytics.groupby import SecureGroupBy
from analytics.meant import Meant
from analytics.merged_column import MergedColumn
from analytics.merged_meant import MergedMeant
from analytics.merging import Side, merged_columns, merged_rows
from icm_ray.errors import InputError, UnsupportedError
from icm_ray.query.expressions.tree import Of
from icm_ray.query.expressions.words import words

__all__ = ["MergedFrame", "merge"]


class MergedFrame(SecureFrame):
    """The rows of two frames that have the same keys, merged as pandas merges them; nobody learns which these are.

    It offers what a `SecureFrame` does, as `MergedColumn` says, and is not shared, forgotten, merged or concatenated
    itself. `merge` makes merged frames: users do not call the class.

    Args:
        meant: What is merged, and which of the merged rows are meant.
        columns: By name what each column holds.

    Examples:
        >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
        >>> an.merge(visits, wards, on="ward").count_rows().reveal()
        2
        >>> an.merge(visits, wards, on="ward")[["age", "beds"]].max().reveal().to_dict()
        {'age': 47, 'beds': 10}
    """

    __slots__ = ()

    def __init__(self, meant: Meant, columns: Mapping[str, Of] | None = None) -> None:
        super().__init__(meant, {info.name: info.name for info in meant.facts.columns} if columns is None else columns)

    def __repr__(self) -> str:
        some = "" if self._meant.where is None else f" where {words(self._meant.where)}"
        how = self._meant.merge.how if isinstance(self._meant, MergedMeant) else ""
        return f"<MergedFrame: {', '.join(self.columns)}; {how} merge{some}, which rows match is secret>"

    def __len__(self) -> NoReturn:
        """Refuse to count the rows, which is a question.

        Raises:
            TypeError: Always; it says what to ask.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> len(an.merge(visits, wards, on="ward"))
            Traceback (most recent call last):
            TypeError: how many rows match is not known: ask count_rows(), and reveal it
        """
        raise TypeError("how many rows match is not known: ask count_rows(), and reveal it")

    @property
    def owners(self) -> dict[str, int]:
        """Refused: nobody knows how many merged rows have rows of which owner.

        Raises:
            UnsupportedError: Always; it says what to ask.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward").owners
            Traceback (most recent call last):
            icm_ray.errors.UnsupportedError: how many merged rows are of which owner is not known: ask owners of ...
        """
        raise UnsupportedError(
            "how many merged rows are of which owner is not known: ask owners of the frames that are merged"
        )

    def share(self, *, domain: Mapping[str, Sequence[str]] | None = None) -> Self:
        """Give the merged rows back where they are shares already; others are shared before they are merged.

        Args:
            domain: As of `SecureFrame.share`; of no meaning.

        Returns:
            The frame itself.

        Raises:
            UnsupportedError: The frames are held by their owners.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward").share()
            Traceback (most recent call last):
            icm_ray.errors.UnsupportedError: merged rows are not shared: share both frames, and merge these
        """
        if self.shared:
            return self
        raise UnsupportedError("merged rows are not shared: share both frames, and merge these")

    def mock(self) -> NoReturn:
        """Refuse to take mock rows, which those of the frames that are merged are.

        Raises:
            UnsupportedError: Always; it says what to merge.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward").mock()
            Traceback (most recent call last):
            icm_ray.errors.UnsupportedError: merged rows have no mock rows: take mock() of both frames, and merge these
        """
        raise UnsupportedError("merged rows have no mock rows: take mock() of both frames, and merge these")

    def forget(self) -> NoReturn:
        """Refuse to drop rows, which are those of the frames that are merged.

        Raises:
            UnsupportedError: Always; it says what to forget.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward").forget()
            Traceback (most recent call last):
            icm_ray.errors.UnsupportedError: merged rows are kept nowhere: forget the frames that are merged
        """
        raise UnsupportedError("merged rows are kept nowhere: forget the frames that are merged")

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
        """Group the merged rows by public values of one or more columns, of either frame, or by private ones.

        Args:
            by: The name of a column, a column of the same rows, or a list of these.
            domain: By name the values to group by, of one key the values alone; rows with others are in no group.
                Booleans need none. None: keys are private, and columns of the right frame, of shared frames of either;
                of frames without a policy.
            max_groups: Of private keys of shared frames the room, as of `SecureFrame.groupby`.
            max_bytes: Of private keys that are text, the most bytes (UTF-8), 1 to 64; a public number.
            as_index: As of `SecureFrame.groupby`.
            sort: As of `SecureFrame.groupby`.
            dropna: As of `SecureFrame.groupby`.
            observed: As of `SecureFrame.groupby`.

        Returns:
            Groups, to pick columns of and to aggregate by count, sum, mean, var, std, sem and size; of public values by
            min and max, too; of shared frames by all that groups of shared rows have.

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
        if max_groups is not None and not self.shared:
            raise InputError("max_groups= is for shared frames: groups of others have as much room as they need")
        shape = {"as_index": as_index, "sort": sort, "dropna": dropna, "observed": observed}
        return super().groupby(by, domain=domain, max_groups=max_groups, max_bytes=max_bytes, **shape)

    def _column(self, of: Of, name: str | None = None) -> MergedColumn:
        return MergedColumn(self._meant, of, name)

    def _fault(self, name: str) -> str:
        return ""


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
        if isinstance(frame, MergedFrame):
            raise UnsupportedError("merged rows are not merged again: merge the frames before one after the other")
    of_left, of_right = _keys(on, left_on, right_on)
    if how not in ("inner", "left"):
        raise InputError(f"how={how!r}: merges are 'inner' or 'left'; swap the frames for 'right'")
    if validate not in tuple(_MANY):
        raise InputError(f"validate={validate!r}: merges are {' or '.join(map(repr, _MANY))}")
    _check_suffixes(suffixes)
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


def _check_suffixes(given: Any) -> None:
    if not isinstance(given, tuple | list) or len(given) != 2 or not all(isinstance(one, str | None) for one in given):
        raise InputError(f"suffixes are two texts, such as ('_x', '_y'), not {given!r}")
