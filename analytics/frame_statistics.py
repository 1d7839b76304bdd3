"""Statistics of all columns of a frame at once, as pandas has them: Series and DataFrames of what columns offer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from analytics.aggregates import kind_of_result, names_of, row_of, verb_of
from analytics.moments import freedom, skipped
from analytics.query import Query, together
from analytics.withheld import Reasons, mark
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.withheld import Withheld

if TYPE_CHECKING:
    from analytics.column import SecureColumn

__all__ = ["FrameStatistics"]


class FrameStatistics:
    """Aggregates of each column, and tables of pairs of columns: of those with numbers, but for `count`. What a policy
    withholds is NaN, and `withheld` of the result says why.
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[str]: ...

        def __getitem__(self, names: str) -> SecureColumn: ...

        @property
        def dtypes(self) -> dict[str, str]: ...

    def _numeric(self, what: str, *, numeric_only: bool = True) -> list[SecureColumn]:
        columns = [self[name] for name, kind in self.dtypes.items() if kind in NUMBERS]
        if not columns:
            raise ColumnError(f"there is no column of numbers to take the {what} of")
        others = [name for name, kind in self.dtypes.items() if kind not in NUMBERS]
        if others and not numeric_only:
            raise ColumnError(
                f"{', '.join(others)}: no numbers to take the {what} of; numeric_only=True leaves them out"
            )
        return columns

    def _each(
        self,
        function: str,
        ask: Callable[[SecureColumn], Query],
        columns: Sequence[SecureColumn] | None = None,
        *,
        numeric_only: bool = True,
    ) -> Query:
        asked = self._numeric(function, numeric_only=numeric_only) if columns is None else columns
        names, kinds = [column.name for column in asked], [kind_of_result(function, column.kind) for column in asked]
        title = f"{function} of {', '.join(names)}"
        return together([ask(column) for column in asked], title, lambda results: row_of(results, kinds, names))

    def count(self) -> Query:
        """Count the values of each column.

        Returns:
            A query for a pandas Series of int64.

        Raises:
            ColumnError: There is no column.

        Examples:
            >>> visits.count().reveal().to_dict()
            {'age': 5, 'cost': 5, 'ward': 5}
        """
        columns = [self[name] for name in self]
        if not columns:
            raise ColumnError("a frame without columns has no values to count: count_rows() counts rows")
        return self._each("count", lambda column: column.count(), columns)

    def sum(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Add the values of each column of numbers up.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series: of int64, exactly, where all columns hold integers or booleans, else float64.

        Raises:
            ColumnError: There is no column of numbers.

        Examples:
            >>> visits.sum().reveal().to_dict()
            {'age': 241.0, 'cost': 1016.5}
        """
        skipped(skipna)
        return self._each("sum", lambda column: column.sum(), numeric_only=numeric_only)

    def mean(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the mean of each column of numbers.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series of float64.

        Raises:
            ColumnError: There is no column of numbers.

        Examples:
            >>> visits.mean().reveal().to_dict()
            {'age': 48.2, 'cost': 203.3}
        """
        skipped(skipna)
        return self._each("mean", lambda column: column.mean(), numeric_only=numeric_only)

    def var(self, ddof: int = 1, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the variance of each column of numbers.

        Args:
            ddof: Delta degrees of freedom, as of a column's.
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series of float64.

        Raises:
            ColumnError: There is no column of numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits.var(ddof=0).reveal()["age"]
            np.float64(242.16)
        """
        skipped(skipna)
        number = freedom(ddof)
        return self._each("var", lambda column: column.var(number), numeric_only=numeric_only)

    def std(self, ddof: int = 1, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the standard deviation of each column of numbers.

        Args:
            ddof: Delta degrees of freedom, as of a column's.
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series of float64.

        Raises:
            ColumnError: There is no column of numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits.std().reveal().round(2).to_dict()
            {'age': 17.4, 'cost': 148.54}
        """
        skipped(skipna)
        number = freedom(ddof)
        return self._each("std", lambda column: column.std(number), numeric_only=numeric_only)

    def sem(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the standard error of the mean of each column of numbers.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series of float64.

        Raises:
            ColumnError: There is no column of numbers.

        Examples:
            >>> visits.sem().reveal().round(2).to_dict()
            {'age': 7.78, 'cost': 66.43}
        """
        skipped(skipna)
        return self._each("sem", lambda column: column.sem(), numeric_only=numeric_only)

    def skew(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the skewness, as `SecureColumn.skew` of each column of numbers.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series of float64.

        Raises:
            ColumnError: There is no column of numbers.

        Examples:
            >>> visits.skew().reveal().round(3)["age"]
            np.float64(0.199)
        """
        skipped(skipna)
        return self._each("skew", lambda column: column.skew(), numeric_only=numeric_only)

    def kurt(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Take the excess kurtosis, as `SecureColumn.kurt` of each column of numbers.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series of float64.

        Raises:
            ColumnError: There is no column of numbers.

        Examples:
            >>> visits.kurt().reveal().round(2)["age"]
            np.float64(-2.14)
        """
        skipped(skipna)
        return self._each("kurt", lambda column: column.kurt(), numeric_only=numeric_only)

    def min(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Find the least value of each column of numbers.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series.

        Raises:
            ColumnError: There is no column of numbers.

        Examples:
            >>> visits.min().reveal().to_dict()
            {'age': 29.0, 'cost': 80.0}
        """
        skipped(skipna)
        return self._each("min", lambda column: column.min(), numeric_only=numeric_only)

    def max(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Find the largest value of each column of numbers.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series.

        Raises:
            ColumnError: There is no column of numbers.

        Examples:
            >>> visits.max().reveal().to_dict()
            {'age': 70.0, 'cost': 410.75}
        """
        skipped(skipna)
        return self._each("max", lambda column: column.max(), numeric_only=numeric_only)

    def median(self, *, numeric_only: bool = True, skipna: bool = True) -> Query:
        """Find the median of each column of numbers, as a column's is found.

        Args:
            numeric_only: True: columns without numbers are left out; else one of them is refused.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a pandas Series of float64.

        Raises:
            ColumnError: There is no column of numbers.

        Examples:
            >>> visits.median().reveal().to_dict()
            {'age': 47.0, 'cost': 120.5}
        """
        skipped(skipna)
        return self._each("median", lambda column: column.median(), numeric_only=numeric_only)

    def quantile(self, q: float | Sequence[float] = 0.5, *, numeric_only: bool = True) -> Query:
        """Find quantiles of each column of numbers, as a column's are found.

        Args:
            q: A number from 0 to 1, or several. Between two values the result lies as far as q says.
            numeric_only: True: columns without numbers are left out; else one of them is refused.

        Returns:
            A query for a pandas Series of float64 named q; of several a DataFrame with q as its index.

        Raises:
            ColumnError: There is no column of numbers.
            InputError: A q that cannot be.

        Examples:
            >>> visits.quantile([0.25, 0.75]).reveal()
                   age    cost
            0.25  34.0   95.00
            0.75  61.0  310.25
        """
        if isinstance(q, Real):
            one = self._each("median", lambda column: column.quantile(q), numeric_only=numeric_only)
            return together([one], f"{q:g} quantile of all columns", lambda results: results[0].rename(q))
        columns = self._numeric("quantiles", numeric_only=numeric_only)
        queries = [column.quantile(q) for column in columns]
        names = ", ".join(column.name for column in columns)
        return together(queries, f"quantiles of {names}", _side_by_side)

    def nunique(self) -> Query:
        """Count the different values of each column, as `SecureColumn.nunique` without a domain.

        Returns:
            A query for a pandas Series of int64.

        Raises:
            ColumnError: There is no column, or a shared one whose values are not public.
            PolicyError: A dataset with a policy and values that are not public.

        Examples:
            >>> visits.nunique().reveal().to_dict()
            {'age': 5, 'cost': 5, 'ward': 2}
        """
        columns = [self[name] for name in self]
        if not columns:
            raise ColumnError("a frame without columns has no values to count: count_rows() counts rows")
        return self._each("count", lambda column: column.nunique(), columns)

    def agg(self, functions: str | Sequence[str] | Mapping[str, str | Sequence[str]]) -> Query:
        """Ask for aggregates by pandas' names.

        Args:
            functions: The name of an aggregate of all columns of numbers ("count" of all columns), several of them, or
                by column one or several.

        Returns:
            A query for a pandas Series with a value for each column; of several aggregates a DataFrame with a row for
            each.

        Raises:
            InputError: Another aggregate, or none.
            ColumnError: No such column, or one without numbers.

        Examples:
            >>> visits.agg({"age": ["min", "max"], "cost": ["mean"]}).reveal()
                   age   cost
            min   29.0    NaN
            max   70.0    NaN
            mean   NaN  203.3
        """
        if isinstance(functions, str):
            verb = verb_of(functions)
            return self.count() if functions == "count" else self._each(functions, verb)
        if not isinstance(functions, Mapping):
            names = names_of(functions)
            return _table([(column, names) for column in self._numeric(", ".join(names))])
        if not functions:
            raise InputError("name an aggregate of a column")
        wanted = [(self[column], given) for column, given in functions.items()]
        if any(not isinstance(given, str) for _, given in wanted):
            return _table([(column, names_of(given)) for column, given in wanted])
        labels = [column.name for column, _ in wanted]
        kinds = [kind_of_result(str(given), column.kind) for column, given in wanted]
        queries = [verb_of(str(given))(column) for column, given in wanted]
        title = ", ".join(f"{given} of {column.name}" for column, given in wanted)
        return together(queries, title, lambda results: row_of(results, kinds, labels))

    def cov(self, ddof: int = 1, *, numeric_only: bool = True) -> Query:
        """Take the covariance of each pair of columns of numbers, over the rows where both have a value.

        Args:
            ddof: Delta degrees of freedom, as of a column's; where values are missing too, which pandas leaves at 1.
            numeric_only: True: columns without numbers are left out; else one of them is refused.

        Returns:
            A query for a pandas DataFrame of float64 with the columns as rows and columns, as `SecureColumn.cov`.

        Raises:
            ColumnError: There is no column of numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits.cov().reveal().loc["age", "cost"]
            np.float64(1517.7375)
        """
        number = freedom(ddof)
        return self._pairs(
            "cov", lambda one, other: one.cov(other, number), self._numeric("cov", numeric_only=numeric_only)
        )

    def corr(self, method: str = "pearson", *, numeric_only: bool = True) -> Query:
        """Take Pearson's correlation of each pair of columns of numbers, over the rows where both have a value.

        Args:
            method: "pearson"; ranks of rows of several owners are not known to any.
            numeric_only: True: columns without numbers are left out; else one of them is refused.

        Returns:
            A query for a pandas DataFrame of float64 with the columns as rows and columns, as `SecureColumn.corr`.

        Raises:
            ColumnError: There is no column of numbers.
            InputError: Another method.

        Examples:
            >>> visits.corr().reveal().loc["age", "cost"].round(3)
            np.float64(0.587)
        """
        columns = self._numeric("corr", numeric_only=numeric_only)
        return self._pairs("corr", lambda one, other: one.corr(other, method), columns)

    def _pairs(
        self, what: str, ask: Callable[[SecureColumn, SecureColumn], Query], columns: Sequence[SecureColumn]
    ) -> Query:
        names = [column.name for column in columns]
        places = [(i, j) for i in range(len(columns)) for j in range(i, len(columns))]
        queries = [ask(columns[i], columns[j]) for i, j in places]

        def build(results: list[Any]) -> Any:
            import numpy as np
            import pandas as pd

            table = np.empty((len(names), len(names)))
            for (i, j), result in zip(places, results, strict=True):
                table[i, j] = table[j, i] = np.nan if isinstance(result, Withheld) else result
            made = pd.DataFrame(table, index=names, columns=names)
            cells = (
                ((names[row], names[column]), result.reason)
                for (i, j), result in zip(places, results, strict=True)
                if isinstance(result, Withheld)
                for row, column in dict.fromkeys(((i, j), (j, i)))
            )
            return mark(made, Reasons(cells))

        return together(queries, f"{what} of {', '.join(names)}", build)


def _table(wanted: Sequence[tuple[SecureColumn, Sequence[str]]]) -> Query:
    """A column for each, a row for each aggregate; NaN where one is not asked for."""
    queries = [column.agg(list(names)) for column, names in wanted]
    title = "; ".join(f"{', '.join(names)} of {column.name}" for column, names in wanted)
    return together(queries, title, _side_by_side)


def _side_by_side(results: list[Any]) -> Any:
    """A DataFrame of Series that columns gave."""
    import pandas as pd

    table = pd.concat(results, axis=1)
    cells = (((*key, row.name), reason) for row in results for key, reason in row.attrs["withheld"].cells)
    return mark(table, Reasons(cells))
