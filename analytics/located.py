"""What `frame.loc` and `column.loc` offer: rows that a condition chooses, and columns by their names."""

from __future__ import annotations

from typing import Any, Generic, NoReturn, TypeVar

from analytics.operators import Operators
from icm_ray.errors import InputError, UnsupportedError

__all__ = ["Located"]

_Held = TypeVar("_Held")


class Located(Generic[_Held]):
    """Rows and columns of a frame, or rows of a column, as pandas' `loc` picks them; rows have no labels here.

    `frame.loc` and `column.loc` give it: users do not call the class.

    Args:
        held: The frame or the column.

    Examples:
        >>> visits.loc[visits["age"] >= 65, "cost"].sum().reveal()
        410.75
    """

    __slots__ = ("_held",)

    def __init__(self, held: _Held) -> None:
        self._held = held

    def __getitem__(self, key: Any) -> Any:
        """Choose rows by a condition, and of a frame pick columns.

        Args:
            key: A condition or `:`, or of a frame either one, a comma and a name or a list of names.

        Returns:
            The frame or column of these rows.

        Raises:
            InputError: Labels or places of rows, which they do not have, or a condition on other rows.
            ColumnError: No such column.

        Examples:
            >>> visits.loc[:, ["age", "cost"]].columns
            ('age', 'cost')
            >>> visits["cost"].loc[visits["ward"] == "b"].count().reveal()
            3
        """
        rows, *names = key if isinstance(key, tuple) and key else (key,)
        if len(names) > (0 if isinstance(self._held, Operators) else 1):
            raise InputError(f"loc takes a condition on rows, and of a frame names of columns, not {key!r}")
        chosen: Any = self._held
        if isinstance(rows, Operators):
            chosen = chosen[rows]
        elif not _is_all(rows):
            raise InputError(
                f"rows of several owners have no labels: loc takes a condition, frame['age'] > 3, not {rows!r}"
            )
        return chosen if not names or _is_all(names[0]) else chosen[names[0]]

    def __setitem__(self, key: Any, value: Any) -> NoReturn:
        """Refuse to change values.

        Args:
            key: Of which rows and columns.
            value: What they should have.

        Raises:
            UnsupportedError: Always; it says what to write.

        Examples:
            >>> visits.loc[visits["age"] > 65, "cost"] = 0
            Traceback (most recent call last):
            icm_ray.errors.UnsupportedError: frames do not change: frame = frame.assign(cost=frame['cost'].mask(...
        """
        raise UnsupportedError("frames do not change: frame = frame.assign(cost=frame['cost'].mask(condition, value))")


def _is_all(key: Any) -> bool:
    return isinstance(key, slice) and key == slice(None)
