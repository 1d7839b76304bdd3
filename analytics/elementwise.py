"""What pandas' methods make of a column value by value: other columns, which owners compute."""

from __future__ import annotations

from typing import Any, Final, Self

from analytics.operators import Operators
from analytics.public_values import plain
from icm_ray.errors import InputError
from icm_ray.query.expressions.tree import Of, apply

__all__ = ["Elementwise", "target_kind"]


class Elementwise(Operators):
    """Methods of columns that give columns of the same rows."""

    __slots__ = ()

    def abs(self) -> Self:
        """Take magnitudes.

        Returns:
            A column of the same kind.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> (visits["age"] - 50).abs().max().reveal()
            21
        """
        return self._apply("abs")

    def round(self, decimals: int = 0) -> Self:
        """Round to some decimals, a half to the even neighbour, as numpy does.

        Args:
            decimals: The number of decimals; of tens, hundreds, ... where it is negative.

        Returns:
            A column of the same kind.

        Raises:
            ColumnError: The column holds no numbers, or `decimals` is no whole number.

        Examples:
            >>> visits["cost"].round().sum().reveal()
            1016.0
        """
        return self._apply("round", options=(plain(decimals),))

    def clip(self, lower: Any = None, upper: Any = None) -> Self:
        """Put the limit where a value lies beyond it; a missing value stays missing.

        Args:
            lower: The least value, public or a column of the same rows (where it is missing, there is no limit); None:
                there is none.
            upper: The largest one, likewise.

        Returns:
            A column, of floats where a limit is one.

        Raises:
            InputError: `lower` is above `upper`, or a column of other rows.
            ColumnError: Values that do not compare.

        Examples:
            >>> visits["age"].clip(lower=30, upper=65).sum().reveal()
            237
        """
        _check_order(lower, upper)
        raised = self if lower is None else self._limited("maximum", lower)
        return raised if upper is None else raised._limited("minimum", upper)

    def _limited(self, function: str, limit: Any) -> Self:
        filled: Any = limit._apply("fill", self) if isinstance(limit, Operators) else limit
        return self._apply(function, filled)

    def between(self, left: Any, right: Any, inclusive: str = "both") -> Self:
        """Say for every row whether the value lies between two others; a missing value does not.

        Args:
            left: The lower one, public or a column of the same rows.
            right: The upper one, likewise.
            inclusive: Which of them count as well: "both", "neither", "left" or "right".

        Returns:
            A column of booleans.

        Raises:
            InputError: Another `inclusive`, or public limits that are reversed.
            ColumnError: Values that do not compare.

        Examples:
            >>> visits["age"].between(29, 47, inclusive="left").sum().reveal()
            2
        """
        if inclusive not in ("both", "neither", "left", "right"):
            raise InputError(f"inclusive is 'both', 'neither', 'left' or 'right', not {inclusive!r}")
        _check_order(left, right)
        above: Self = self >= left if inclusive in {"both", "left"} else self > left
        below: Self = self <= right if inclusive in {"both", "right"} else self < right
        return above & below

    def where(self, cond: Any, other: Any = None) -> Self:
        """Keep values where a condition is true.

        Args:
            cond: A condition: a column of booleans of the same rows.
            other: What the other rows have: a public value, or a column of the same rows; None: a missing value.

        Returns:
            A column of what both have in common: of floats where one of them is.

        Raises:
            InputError: A column of other rows.
            ColumnError: What is no condition, or values of different kinds.

        Examples:
            >>> visits["cost"].where(visits["age"] < 65, 0).sum().reveal()
            605.75
        """
        return self._chosen_by("where", cond, self.of, self._operand(other))

    def mask(self, cond: Any, other: Any = None) -> Self:
        """Replace values where a condition is true: the opposite of `where`.

        Args:
            cond: A condition: a column of booleans of the same rows.
            other: What these rows have, as in `where`.

        Returns:
            A column, as of `where`.

        Raises:
            InputError: A column of other rows.
            ColumnError: What is no condition, or values of different kinds.

        Examples:
            >>> visits["cost"].mask(visits["age"] < 65).count().reveal()
            1
        """
        return self._chosen_by("mask", cond, self._operand(other), self.of)

    def _chosen_by(self, what: str, cond: Any, *values: Of) -> Self:
        if not isinstance(cond, Operators):
            raise InputError(f"{what} takes a condition, a column of booleans, not {type(cond).__name__}")
        made = self._like(apply("where", (self._operand(cond), *values)))
        _ = made.meant.info(made.of)
        return made

    def astype(self, dtype: Any) -> Self:
        """Make values of another kind, as pandas does.

        Floats become integers towards zero; owners refuse missing and infinite ones, of the rows that are meant.
        Numbers become true where they are not 0, and so does a missing one. Text is read as numbers, and numbers are
        written as text, as Python does it.

        Args:
            dtype: "int", "float", "bool" or "string"; Python's types, numpy's and pandas' dtypes of these kinds too,
                whatever their size.

        Returns:
            A column of that kind.

        Raises:
            InputError: Another dtype.
            ColumnError: A kind that is not made of this one.

        Examples:
            >>> visits["cost"].astype("int").sum().reveal()
            1015
        """
        return self._apply("cast", options=(target_kind(dtype, "astype"),))


_TARGETS: Final = {"b": "bool", "i": "int", "u": "int", "f": "float"}


def target_kind(dtype: Any, what: str) -> str:
    """The kind of columns that a dtype stands for. what: takes it. Errors: `InputError`."""
    import pandas as pd

    if dtype in (str, "str", "string"):
        return "string"
    try:
        kind = pd.api.types.pandas_dtype(dtype)
    except TypeError:
        raise InputError(f"{what} takes 'int', 'float', 'bool' or 'string', not {dtype!r}") from None
    if isinstance(kind, pd.StringDtype):
        return "string"
    if kind.kind not in _TARGETS:
        raise InputError(f"{what} takes 'int', 'float', 'bool' or 'string', not {dtype!r}")
    return _TARGETS[kind.kind]


def _check_order(lower: Any, upper: Any) -> None:
    try:
        reversed_ = not isinstance(lower, Operators) and not isinstance(upper, Operators) and bool(lower > upper)
    except TypeError:  # None, or what does not compare; typing says so
        reversed_ = False
    if reversed_:
        raise InputError(f"{lower!r} is above {upper!r}; give the lower limit first")
