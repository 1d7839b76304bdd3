"""What Python's operators and pandas' methods make of columns: expressions, which owners evaluate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

from analytics.public_values import lacking, literal_of, plain
from icm_ray.errors import InputError
from icm_ray.query.expressions.tree import Expression, Of, Scalar, apply, literal

if TYPE_CHECKING:
    from analytics.meant import Meant

__all__ = ["Operators"]


class Operators:
    """Arithmetic, comparisons and conditions of columns over the same rows. A missing value makes the result missing,
    in comparisons False (for != True), as pandas has it.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        meant: Meant
        of: Of
        name: str
        kind: str

        def _like(self, of: Expression) -> Self: ...

    def _operand(self, other: Any) -> Of:
        if not isinstance(other, Operators):
            return other if isinstance(other, Expression) else literal_of(other, self.kind)
        if other.meant.origin is not self.meant.origin:
            raise InputError(
                "columns of different frames are not computed with: their rows are not aligned; merge them"
            )
        if other.meant.where != self.meant.where:
            raise InputError("columns of different rows of a frame are not computed with: filter after computing")
        return other.of

    def _apply(self, function: str, *others: Any, options: Sequence[Scalar] = (), reflected: bool = False) -> Self:
        operands = [self.of, *map(self._operand, others)]
        made = self._like(apply(function, operands[::-1] if reflected else operands, options))
        _ = made.meant.info(made.of)  # its typing rule refuses what cannot be
        return made

    def _compare(self, function: str, other: Any) -> Self:
        operand = self._operand(other)
        if function not in {"equal", "not_equal"}:
            self._no_categories(operand)
        found = apply(function, (self.of, operand))
        made = self._like(apply("fill", (found, literal(value=function == "not_equal"))))
        _ = made.meant.info(made.of)
        return made

    def _no_conditions(self, symbol: str, other: Any) -> None:
        """pandas joins conditions that are added, and numpy takes no difference of them."""
        if self.kind == "bool" and (isinstance(other, bool) or getattr(other, "kind", "") == "bool"):
            raise InputError(f"{symbol} of two conditions: join them with | and &, or take astype('int') of one")

    def _no_categories(self, operand: Of) -> None:
        """pandas compares categories in their order, which is not that of text."""
        for of in (self.of, operand):
            info = self.meant.info(of)
            if info.kind == "string" and info.categories:
                raise InputError(
                    f"{info.name} has categories, which have an order of their own or none: name those that are meant, "
                    f"as in isin({list(info.categories)[:2]!r})"
                )

    def __add__(self, other: Any) -> Self:
        self._no_conditions("+", other)
        return self._apply("add", other)

    def __radd__(self, other: Any) -> Self:
        self._no_conditions("+", other)
        return self._apply("add", other, reflected=True)

    def __sub__(self, other: Any) -> Self:
        self._no_conditions("-", other)
        return self._apply("subtract", other)

    def __rsub__(self, other: Any) -> Self:
        self._no_conditions("-", other)
        return self._apply("subtract", other, reflected=True)

    def __mul__(self, other: Any) -> Self:
        return self._apply("multiply", other)

    def __rmul__(self, other: Any) -> Self:
        return self._apply("multiply", other, reflected=True)

    def __truediv__(self, other: Any) -> Self:
        return self._apply("divide", other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._apply("divide", other, reflected=True)

    def __floordiv__(self, other: Any) -> Self:
        return self._apply("floor_divide", other)

    def __rfloordiv__(self, other: Any) -> Self:
        return self._apply("floor_divide", other, reflected=True)

    def __mod__(self, other: Any) -> Self:
        return self._apply("modulo", other)

    def __rmod__(self, other: Any) -> Self:
        return self._apply("modulo", other, reflected=True)

    def __pow__(self, exponent: Any) -> Self:
        return self._apply("power", options=(plain(exponent),))

    def __neg__(self) -> Self:
        if self.kind == "bool":
            raise InputError("- of a condition: ~ says where it is not true, astype('int') makes numbers of it")
        return self._apply("negate")

    def __abs__(self) -> Self:
        return self._apply("abs")

    def __invert__(self) -> Self:
        return self._apply("not")

    def __and__(self, other: Any) -> Self:
        return self._apply("and", other)

    def __rand__(self, other: Any) -> Self:
        return self._apply("and", other, reflected=True)

    def __or__(self, other: Any) -> Self:
        return self._apply("or", other)

    def __ror__(self, other: Any) -> Self:
        return self._apply("or", other, reflected=True)

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        return self._compare("equal", other)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        return self._compare("not_equal", other)

    def __lt__(self, other: Any) -> Self:
        return self._compare("less", other)

    def __le__(self, other: Any) -> Self:
        return self._compare("less_equal", other)

    def __gt__(self, other: Any) -> Self:
        return self._compare("greater", other)

    def __ge__(self, other: Any) -> Self:
        return self._compare("greater_equal", other)

    __hash__ = object.__hash__

    def isin(self, values: Iterable[Any]) -> Self:
        """Say for every row whether the value is one of some public ones.

        Args:
            values: Public values of the column's kind. None, NaN, NaT or pandas.NA among them: missing values count,
                too; else they do not.

        Returns:
            A column of booleans.

        Raises:
            InputError: What is no collection of single values.
            ColumnError: Values of another kind.

        Examples:
            >>> visits[visits["ward"].isin(["a", "c"])]["age"].count().reveal()
            2
        """
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise InputError(f"isin takes a list of values, not {values!r}")
        given = list(values)
        named = [value for value in given if not lacking(value)]
        found = self._apply("is_in", *dict.fromkeys(literal_of(value, self.kind) for value in named))
        return found if len(named) == len(given) else found | self.isna()

    def isna(self) -> Self:
        """Say for every row whether the value is missing.

        Returns:
            A column of booleans.

        Examples:
            >>> visits["age"].isna().sum().reveal()
            0
        """
        return self._apply("is_null")

    def notna(self) -> Self:
        """Say for every row whether the value is there.

        Returns:
            A column of booleans.

        Examples:
            >>> visits["age"].notna().sum().reveal()
            5
        """
        return ~self.isna()

    isnull, notnull = isna, notna

    def fillna(self, value: Any) -> Self:
        """Put a value where one is missing.

        Args:
            value: A public value, or a column of the same rows.

        Returns:
            A column without missing values, where `value` has none.

        Raises:
            ColumnError: A value of another kind.

        Examples:
            >>> visits["age"].fillna(0).mean().reveal()
            48.2
        """
        return self._apply("fill", value)
