"""Moments of a column beyond mean and variance, and of two columns."""

from __future__ import annotations

import operator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from analytics.pairs import paired
from analytics.query import Query
from icm_ray.errors import InputError, UnsupportedError
from icm_ray.query.statistics.covariance import Covariance
from icm_ray.query.statistics.shape import Shape
from icm_ray.query.statistics.variance import Variance

if TYPE_CHECKING:
    from collections.abc import Callable

    from analytics.meant import Meant
    from icm_ray.query.expressions.tree import Of
    from icm_ray.query.statistics.catalogue import Statistic

__all__ = ["Moments", "freedom", "skipped"]


class Moments:
    """Statistics that rest on exact sums of powers and of products."""

    __slots__ = ()

    if TYPE_CHECKING:
        meant: Meant
        of: Of

        def _numbers(self) -> tuple[str, Of]: ...

        def _query(self, statistic: Statistic) -> Query: ...

        def _in_kind(self, name: str, statistic: Callable[[str, Of], Statistic]) -> Query: ...

        def _operand(self, other: Any) -> Of: ...

    def sem(self, ddof: int = 1, *, skipna: bool = True) -> Query:
        """Take the standard error of the mean, std / sqrt(N), for N values. No sum is opened.

        Args:
            ddof: Delta degrees of freedom, as in `var`.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float, in the column's unit; NaN where N <= ddof.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits["age"].sem().reveal()
            7.78...
        """
        skipped(skipna)
        return self._in_kind("sem", partial(Variance, ddof=freedom(ddof), root=True, of_mean=True))

    def skew(self, *, skipna: bool = True) -> Query:
        """Take the skewness, corrected for bias as pandas does. Second and third central moments are opened.

        Where values differ by so little that pandas takes them for equal, this is still their exact skewness.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float; NaN of fewer than 3 values, or of equal ones, as pandas has it.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].skew().reveal()
            0.198...
        """
        skipped(skipna)
        return self._shape(peaked=False)

    def kurt(self, *, skipna: bool = True) -> Query:
        """Take the excess kurtosis, corrected for bias as pandas does. Second and fourth central moments are opened.

        Where values differ by so little that pandas takes them for equal, this is still their exact kurtosis.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float; NaN of fewer than 4 values, or of equal ones, as pandas has it.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].kurt().reveal()
            -2.14...
        """
        skipped(skipna)
        return self._shape(peaked=True)

    def _shape(self, *, peaked: bool) -> Query:
        return self._checked(Shape(*self._numbers(), peaked=peaked))

    def cov(self, other: Any, ddof: int = 1) -> Query:
        """Take the covariance with another column, over the rows where both have a value. No sum is opened.

        Sums of products are exact; integers beside floats are taken as the nearest doubles.

        Args:
            other: A column of numbers of the same rows.
            ddof: Delta degrees of freedom, as in `var`.

        Returns:
            A query for a float, in the product of the columns' units; NaN of N <= ddof rows.

        Raises:
            ColumnError: A column holds no numbers.
            InputError: A column of other rows, what is no column, or a `ddof` that cannot be.

        Examples:
            >>> visits["age"].cov(visits["cost"]).reveal()
            1517.7375
        """
        return self._pair(other, ddof=freedom(ddof), scaled=False)

    def corr(self, other: Any, method: str = "pearson") -> Query:
        """Take Pearson's correlation with another column, over the rows where both have a value.

        The covariance and both variances are opened; no sum is.

        Args:
            other: A column of numbers of the same rows.
            method: "pearson"; ranks of rows of several owners are not known to any.

        Returns:
            A query for a float from -1 to 1; NaN of fewer than 2 rows, or where a column is constant.

        Raises:
            ColumnError: A column holds no numbers.
            InputError: A column of other rows, what is no column, or another method.

        Examples:
            >>> visits["age"].corr(visits["cost"]).reveal()
            0.58...
        """
        if method != "pearson":
            raise InputError(
                f"method={method!r} needs the ranks of rows, which no owner knows; method='pearson' does not"
            )
        return self._pair(other, ddof=1, scaled=True)

    def _pair(self, other: Any, *, ddof: int, scaled: bool) -> Query:
        if not isinstance(other, Moments):
            raise InputError(f"another column of the same rows is needed, not {type(other).__name__}")
        one, another = paired(self.meant, self.of, self._operand(other))
        return self._checked(Covariance(self.meant.name(), one, other=another, ddof=ddof, scaled=scaled))

    def _checked(self, statistic: Statistic) -> Query:
        part = self.meant.part(statistic)
        statistic.partials(part.rows)  # refuses what cannot be
        return Query([part], statistic.title)


def freedom(ddof: Any) -> int:
    """Delta degrees of freedom. Errors: `InputError` for what is no whole number from 0 on."""
    number = -1
    if not isinstance(ddof, bool):
        with suppress(TypeError):
            number = operator.index(ddof)
    if number < 0:
        raise InputError(f"ddof must be a whole number from 0 on, not {ddof!r}")
    return number


def skipped(skipna: object) -> None:
    """Refuse what pandas does without it. Errors: `UnsupportedError` for False, `InputError` for what is neither."""
    if type(skipna).__name__ not in {"bool", "bool_"}:
        raise InputError(f"skipna is True or False, not {skipna!r}")
    if not skipna:
        raise UnsupportedError(
            "skipna=False gives NaN where a value is missing; such are skipped here: ask column.isna().any(), and take "
            "the result where none is"
        )
