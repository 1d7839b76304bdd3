"""What pandas' methods make of all columns of a frame value by value: frames of the same rows."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, Self

from analytics.of_frame import OfFrame
from analytics.operators import Operators
from icm_ray.errors import UnsupportedError
from icm_ray.query.kinds import NUMBERS

if TYPE_CHECKING:
    from analytics.column import SecureColumn

__all__ = ["FrameElementwise"]


class FrameElementwise(OfFrame):
    """Methods of frames that compute each column, as those of columns do."""

    __slots__ = ()

    def _each_made(self, make: Callable[[SecureColumn], SecureColumn], names: Iterable[str] | None = None) -> Self:
        made = {name: make(self[name]).of for name in (self._columns if names is None else names)}
        return type(self)(self._meant, {**self._columns, **made})

    def _given(self, values: Any) -> dict[str, Any]:
        """By column: of a mapping those that it names, else all."""
        if isinstance(values, Mapping):
            return {self._known(name): value for name, value in values.items()}
        return dict.fromkeys(self._columns, values)

    def isna(self) -> Self:
        """Say for every value whether it is missing.

        Returns:
            A frame of booleans.

        Examples:
            >>> visits.isna().sum().reveal().to_dict()
            {'age': 0, 'cost': 0, 'ward': 0}
        """
        return self._each_made(lambda column: column.isna())

    def notna(self) -> Self:
        """Say for every value whether it is there.

        Returns:
            A frame of booleans.

        Examples:
            >>> visits.notna().mean().reveal().to_dict()
            {'age': 1.0, 'cost': 1.0, 'ward': 1.0}
        """
        return self._each_made(lambda column: column.notna())

    def fillna(self, value: Any) -> Self:
        """Put a value where one is missing.

        Args:
            value: A public value for all columns, or by column one.

        Returns:
            A frame of the same columns.

        Raises:
            ColumnError: No such column, or a value of another kind.

        Examples:
            >>> visits.fillna({"cost": 0})["cost"].sum().reveal()
            1016.5
        """
        given = self._given(value)
        return self._each_made(lambda column: column.fillna(given[column.name]), given)

    def astype(self, dtype: Any) -> Self:
        """Make values of another kind, as columns do.

        Args:
            dtype: A dtype for all columns, or by column one.

        Returns:
            A frame of the same columns.

        Raises:
            InputError: Another dtype.
            ColumnError: No such column, or a kind that is not made of its own.

        Examples:
            >>> visits.astype({"cost": "int"}).dtypes["cost"]
            'int'
        """
        given = self._given(dtype)
        return self._each_made(lambda column: column.astype(given[column.name]), given)

    def round(self, decimals: int | Mapping[str, int] = 0) -> Self:
        """Round numbers; other columns stay.

        Args:
            decimals: The number of decimals for all columns, or by column one.

        Returns:
            A frame of the same columns.

        Raises:
            ColumnError: No such column, or no whole number of decimals.

        Examples:
            >>> visits.round(1)["cost"].sum().reveal()
            1016.5
        """
        given = self._given(decimals)
        numbers = [name for name in given if self._meant.info(self._columns[name]).kind in NUMBERS]
        return self._each_made(lambda column: column.round(given[column.name]), numbers)

    def abs(self) -> Self:
        """Take magnitudes.

        Returns:
            A frame of the same columns.

        Raises:
            ColumnError: A column holds no numbers.

        Examples:
            >>> (visits[["age", "cost"]]).abs().max().reveal()["age"]
            np.float64(70.0)
        """
        return self._each_made(lambda column: column.abs())

    def clip(self, lower: Any = None, upper: Any = None) -> Self:
        """Put the limit where a value lies beyond it.

        Args:
            lower: The least value; None: there is none.
            upper: The largest one, likewise.

        Returns:
            A frame of the same columns.

        Raises:
            InputError: `lower` is above `upper`.
            ColumnError: Values that do not compare.

        Examples:
            >>> visits[["age", "cost"]].clip(upper=60).max().reveal()["age"]
            np.float64(60.0)
        """
        return self._each_made(lambda column: column.clip(lower, upper))

    isnull, notnull = isna, notna

    def _computed(self, operation: Callable[[Any, Any], Any], other: Any, *, reflected: bool = False) -> Self:
        """What an operator makes of each column and a public value."""
        if isinstance(other, Operators | FrameElementwise):
            raise UnsupportedError(
                "a frame is computed with single values: compute with columns, frame.assign(a=frame['a'] + frame['b'])"
            )
        if reflected:
            return self._each_made(lambda column: operation(other, column))
        return self._each_made(lambda column: operation(column, other))

    def __add__(self, other: Any) -> Self:
        return self._computed(operator.add, other)

    def __radd__(self, other: Any) -> Self:
        return self._computed(operator.add, other, reflected=True)

    def __sub__(self, other: Any) -> Self:
        return self._computed(operator.sub, other)

    def __rsub__(self, other: Any) -> Self:
        return self._computed(operator.sub, other, reflected=True)

    def __mul__(self, other: Any) -> Self:
        return self._computed(operator.mul, other)

    def __rmul__(self, other: Any) -> Self:
        return self._computed(operator.mul, other, reflected=True)

    def __truediv__(self, other: Any) -> Self:
        return self._computed(operator.truediv, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._computed(operator.truediv, other, reflected=True)

    def __floordiv__(self, other: Any) -> Self:
        return self._computed(operator.floordiv, other)

    def __rfloordiv__(self, other: Any) -> Self:
        return self._computed(operator.floordiv, other, reflected=True)

    def __mod__(self, other: Any) -> Self:
        return self._computed(operator.mod, other)

    def __rmod__(self, other: Any) -> Self:
        return self._computed(operator.mod, other, reflected=True)

    def __pow__(self, exponent: Any) -> Self:
        return self._computed(operator.pow, exponent)

    def __neg__(self) -> Self:
        return self._each_made(operator.neg)

    def __abs__(self) -> Self:
        return self._each_made(operator.abs)

    def __setitem__(self, name: Any, value: Any) -> NoReturn:
        raise UnsupportedError(f"frames do not change: frame = frame.assign({_as_name(name)}=...)")

    def __delitem__(self, name: Any) -> NoReturn:
        raise UnsupportedError(f"frames do not change: frame = frame.drop(columns={name!r})")


def _as_name(name: Any) -> str:
    return name if isinstance(name, str) and name.isidentifier() else "name"
