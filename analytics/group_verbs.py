"""What is asked of each group, by pandas' names."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from analytics.moments import freedom, skipped
from analytics.quantiles import checked, interpolated, several
from analytics.query import Query

__all__ = ["GroupVerbs"]


class GroupVerbs:
    """Aggregates of groups, one method for each."""

    __slots__ = ()

    if TYPE_CHECKING:

        def _simple(
            self, function: str, qs: Sequence[float] = (), *, numeric_only: bool = True, **options: Any
        ) -> Query: ...

    def count(self) -> Query:
        """Count the values of each column in each group.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of int64.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].count().reveal().tolist()
            [2, 3]
        """
        return self._simple("count")

    def sum(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Add the values of each group up.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series: exact int64 for integers and booleans, float64.

        Raises:
            ColumnError: A picked column holds no numbers.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].sum().reveal().tolist()
            [81, 160]
        """
        skipped(skipna)
        return self._simple("sum", numeric_only=numeric_only)

    def mean(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the mean of each group.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of float64.

        Raises:
            ColumnError: A picked column holds no numbers.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].mean().reveal()["a"]
            np.float64(40.5)
        """
        skipped(skipna)
        return self._simple("mean", numeric_only=numeric_only)

    def var(self, ddof: int = 1, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the variance of each group.

        Args:
            ddof: Delta degrees of freedom, as of a column's.
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of float64; NaN of N <= ddof values.

        Raises:
            ColumnError: A picked column holds no numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].var().reveal()["a"]
            np.float64(84.5)
        """
        skipped(skipna)
        return self._simple("var", ddof=freedom(ddof), numeric_only=numeric_only)

    def std(self, ddof: int = 1, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the standard deviation of each group.

        Args:
            ddof: Delta degrees of freedom, as of a column's.
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of float64; NaN of N <= ddof values.

        Raises:
            ColumnError: A picked column holds no numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["cost"].std(ddof=0).reveal()["a"]
            np.float64(94.875)
        """
        skipped(skipna)
        return self._simple("std", ddof=freedom(ddof), numeric_only=numeric_only)

    def sem(self, ddof: int = 1, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the standard error of each group's mean.

        Args:
            ddof: Delta degrees of freedom, as of a column's.
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of float64; NaN of N <= ddof values.

        Raises:
            ColumnError: A picked column holds no numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].sem().reveal()["a"]
            np.float64(6.5)
        """
        skipped(skipna)
        return self._simple("sem", ddof=freedom(ddof), numeric_only=numeric_only)

    def min(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Find the least value of each group.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of the column's kind; float64 where a group has
            no values.

        Raises:
            ColumnError: A picked column holds no numbers.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].min().reveal().tolist()
            [34, 29]
        """
        skipped(skipna)
        return self._simple("min", numeric_only=numeric_only)

    def max(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Find the largest value of each group.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of the column's kind; float64 where a group has
            no values.

        Raises:
            ColumnError: A picked column holds no numbers.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["cost"].max().reveal().tolist()
            [310.25, 410.75]
        """
        skipped(skipna)
        return self._simple("max", numeric_only=numeric_only)

    def median(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Find the median of each group, as a column's is found: of private keys in the groups that are opened first.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of float64.

        Raises:
            ColumnError: A picked column holds no numbers.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].median().reveal().tolist()
            [40.5, 61.0]
        """
        skipped(skipna)
        return self._simple("median", numeric_only=numeric_only)

    def quantile(
        self, q: float | Sequence[float] = 0.5, interpolation: str = "linear", *, numeric_only: bool = True
    ) -> Query:
        """Find quantiles of each group, as a column's are found: of private keys in the groups that are opened first.

        Args:
            q: A number from 0 to 1, or a list of them.
            interpolation: What is taken where a quantile lies between two values: "linear" (as far between as q says),
                "lower", "higher", "nearest" or "midpoint".
            numeric_only: True: columns without numbers are left out; else one of them is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of float64; of a list of q with a row for each of
            them in each group, q as the last level of its index.

        Raises:
            ColumnError: A picked column holds no numbers.
            InputError: A q or an interpolation that cannot be.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].quantile(0.25).reveal().tolist()
            [37.25, 45.0]
            >>> visits.groupby("ward", domain=["a", "b"])["age"].quantile([0.25, 0.75]).reveal().tolist()
            [37.25, 43.75, 45.0, 65.5]
        """
        between = interpolated(interpolation)
        if isinstance(q, Real):
            return self._simple("median", q=checked(q), interpolation=between, numeric_only=numeric_only)
        return self._simple("median", several(q), interpolation=between, numeric_only=numeric_only)

    def nunique(self) -> Query:
        """Count the different values of each group: of private keys in the groups that are opened first.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of int64; missing values are not counted.

        Raises:
            ColumnError: A picked column whose values are not compared: floats, times.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].nunique().reveal().tolist()
            [2, 3]
        """
        return self._simple("nunique")

    def skew(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the skewness of each group.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of float64; NaN of fewer than three values, or of
            equal ones.

        Raises:
            ColumnError: A picked column holds no numbers.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].skew().reveal().round(2).tolist()
            [nan, -1.4]
        """
        skipped(skipna)
        return self._simple("skew", numeric_only=numeric_only)

    def kurt(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the excess kurtosis of each group.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a DataFrame, or of one picked column a Series, of float64; NaN of fewer than four values, or of
            equal ones.

        Raises:
            ColumnError: A picked column holds no numbers.

        Examples:
            >>> visits.groupby("ward", domain=["a", "b"])["age"].kurt().reveal().tolist()
            [nan, nan]
        """
        skipped(skipna)
        return self._simple("kurt", numeric_only=numeric_only)
