"""A column of a secure frame, and the statistics that can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn, Self

from analytics.accessors import Accessors
from analytics.aggregates import Aggregated
from analytics.binned import histogram
from analytics.by_value import ByValue
from analytics.describing import DescribedColumn
from analytics.elementwise import Elementwise
from analytics.group_keys import label_of
from analytics.located import Located
from analytics.meant import Meant
from analytics.moments import Moments, freedom, skipped
from analytics.no_arrays import NoArrays
from analytics.quantiles import most, quantiles
from analytics.query import Query
from analytics.rows_stay import RowsStay
from analytics.shown import shown
from analytics.sorting import SortsColumn
from icm_ray.errors import ColumnError, InputError, UnsupportedError
from icm_ray.query.expressions.tree import Expression, Of
from icm_ray.query.expressions.words import words
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.histogram import edges_of
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance
from icm_ray.runtime.driver.stays_here import StaysHere

__all__ = ["SecureColumn"]


class SecureColumn(
    NoArrays, Elementwise, Accessors, Moments, ByValue, Aggregated, DescribedColumn, SortsColumn, RowsStay, StaysHere
):
    """A column of a `SecureFrame` offers statistics; their results are those of pandas on the pooled rows.

    Every statistic is a `Query`, which computes nothing before its `reveal`. Operators and comparisons make columns
    that their owners compute row by row. Booleans count as 0 and 1; missing values are skipped. Dates, times and
    durations have min, max and mean (durations sum and std too), which are pandas' Timestamp and Timedelta (of dates
    datetime.date); decimals have exact sums, min and max as Decimal, and means, std and var as floats. Picking makes
    columns, as in `frame["age"]`: users do not call the class. A column is neither true nor false (`TypeError`).

    Args:
        meant: The rows: a dataset of a session, and which of its rows are meant.
        of: What the column holds: the name of a column of the dataset, or an expression.
        name: The name of the column; None: the expression in words.

    Attributes:
        name (str): The name of the column.
        kind (str): "int", "float", "bool", "string", or the Arrow type's name.

    Examples:
        >>> visits["age"]
        <SecureColumn 'age': int, 5 rows, held by alice, bob>
        >>> visits["age"] >= 65
        <SecureColumn 'age >= 65': bool, 5 rows, held by alice, bob>
    """

    __slots__ = ("kind", "meant", "name", "of")

    def __init__(self, meant: Meant, of: Of, name: str | None = None) -> None:
        self.meant, self.of = meant, of
        info = meant.info(of)
        self.name, self.kind = info.name if name is None else name, info.kind

    def _like(self, of: Expression) -> Self:
        return type(self)(self.meant, of)

    def __repr__(self) -> str:
        rows = self.meant.dataset_facts
        held = "shares" if rows.shared else "held by"
        some = "" if self.meant.where is None else f" where {words(self.meant.where)}"
        return f"<SecureColumn {self.name!r}: {self.kind}, {rows.count} rows{some}, {held} {', '.join(rows.owners)}>"

    def __bool__(self) -> bool:
        raise TypeError(
            f"column {self.name!r} is neither true nor false: conditions are joined with & | ~, rows are chosen with "
            "frame[condition]"
        )

    def __getitem__(self, condition: Any) -> Self:
        """Choose rows by a condition, as `frame[condition][name]` does.

        Args:
            condition: A column of booleans of the same rows.

        Returns:
            The column of the rows where it is true. How many there are is secret.

        Raises:
            InputError: A column of other rows.
            ColumnError: What is no condition.

        Examples:
            >>> visits["cost"][visits["age"] >= 65].sum().reveal()
            410.75
        """
        if not isinstance(condition, SecureColumn):
            raise InputError(
                f"rows of several owners have no places: column[condition] chooses some, not {condition!r}"
            )
        if not self.meant.aligned(condition.meant):
            raise InputError("rows are chosen by a condition on columns of the same frame")
        return type(self)(self.meant.chosen(condition.of), self.of, self.name)

    @property
    def loc(self) -> Located[Self]:
        """Choose rows by a condition, `column.loc[condition]`, as `column[condition]` does.

        Examples:
            >>> visits["cost"].loc[visits["age"] >= 65].sum().reveal()
            410.75
        """
        return Located(self)

    def dropna(self) -> Self:
        """Leave out the rows where the value is missing, as `frame.dropna(subset=[name])[name]` does.

        Returns:
            The column of the other rows; itself where no value can be missing.

        Examples:
            >>> visits["cost"].dropna().mean().reveal()
            203.3
        """
        return self[self.notna()] if self.meant.info(self.of).nullable else self

    def __iter__(self) -> NoReturn:
        """Refuse to run through the rows, which are not here.

        Raises:
            UnsupportedError: Always; it says what to ask.

        Examples:
            >>> [*visits["age"]]
            Traceback (most recent call last):
            icm_ray.errors.UnsupportedError: a column is not run through: its rows are not here; ask it: ...
        """
        raise UnsupportedError(
            "a column is not run through: its rows are not here; ask it: column.sum(), column.max(), "
            "an.crosstab(column, other)"
        )

    def __len__(self) -> int:
        """Count the rows of all owners together: a public number.

        Examples:
            >>> len(visits["age"])
            5
        """
        return self.meant.dataset_facts.count

    def _numbers(self) -> tuple[str, Of]:
        """Of which rows and of what a statistic of numbers is."""
        if self.kind not in NUMBERS:
            raise ColumnError(f"column {self.name!r} holds {self.kind}, and no numbers", column=self.name)
        return self.meant.name(), self.of

    def _query(self, statistic: Statistic) -> Query:
        return Query([self.meant.part(statistic)], self.meant.titled(statistic.title))

    def _in_kind(self, name: str, statistic: Callable[[str, Of], Statistic]) -> Query:
        """A statistic of numbers, or of times, durations and decimals, whose results are given back in kind."""
        found = shown(self.meant, self.of, self.name, name)
        made = statistic(self.meant.name(), found.of)
        title = self.meant.titled(made.title)
        return Query([self.meant.part(made)], title, lambda results: found.show(results[0]))

    def count(self) -> Query:
        """Count the values.

        Returns:
            A query for an int: missing values do not count.

        Examples:
            >>> visits["age"].count().reveal()
            5
        """
        return self._query(Count(self.meant.name(), self.of))

    def sum(self, *, skipna: bool = True) -> Query:
        """Add the values up.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for the sum, in the column's unit: an exact int for integers and booleans, a Decimal for decimals,
            a pandas.Timedelta for durations, a float for floats.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].sum().reveal()
            241
        """
        skipped(skipna)
        return self._in_kind("sum", Sum)

    def mean(self, *, skipna: bool = True) -> Query:
        """Take the arithmetic mean. The sum is opened, and the number of values where it is not public.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float, in the column's unit.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].mean().reveal()
            48.2
        """
        skipped(skipna)
        return self._in_kind("mean", Mean)

    def var(self, ddof: int = 1, *, skipna: bool = True) -> Query:
        """Take the variance with divisor N - ddof, for N rows. No sum is opened.

        Args:
            ddof: Delta degrees of freedom, a whole number from 0 on; 1, as pandas has it, for a sample's variance, 0
                for a population's.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float, in the column's unit squared; NaN where N <= ddof.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits["age"].var(ddof=0).reveal()
            242.16
        """
        skipped(skipna)
        return self._in_kind("var", partial(Variance, ddof=freedom(ddof)))

    def std(self, ddof: int = 1, *, skipna: bool = True) -> Query:
        """Take the standard deviation with divisor N - ddof, for N rows. No sum is opened.

        Args:
            ddof: Delta degrees of freedom, as in `var`.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float, in the column's unit; NaN where N <= ddof.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits["cost"].std().reveal()
            148.54...
        """
        skipped(skipna)
        return self._in_kind("std", partial(Variance, ddof=freedom(ddof), root=True))

    def min(self, *, skipna: bool = True) -> Query:
        """Find the least value; -0.0 is less than 0.0.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for the value, in the column's unit: an int for integers and booleans, a float for floats.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].min().reveal()
            29
        """
        skipped(skipna)
        return self._in_kind("min", partial(MinMax, least=True))

    def max(self, *, skipna: bool = True) -> Query:
        """Find the largest value; 0.0 is larger than -0.0.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for the value, in the column's unit: an int for integers and booleans, a float for floats.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["cost"].max().reveal()
            410.75
        """
        skipped(skipna)
        return self._in_kind("max", MinMax)

    def median(self, *, skipna: bool = True) -> Query:
        """Find the median: the middle one of the sorted values, or the mean of the two in the middle.

        Owners count their values below public thresholds, a question for each digit of the result; nothing is sorted
        and no count is opened. All owners and parties learn the result, of two in the middle both. Shared rows
        are sorted on shares; only who receives the result learns it.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float, in the column's unit; NaN of no values.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].median().reveal()
            47.0
        """
        skipped(skipna)
        return self.quantile(0.5)

    def quantile(self, q: float | Sequence[float] = 0.5, interpolation: str = "linear") -> Query:
        """Find quantiles as pandas has them: values at the places q (N - 1) among the N sorted values.

        They are found as the median is. q stands for the fraction of small terms that rounds to it (0.1 for 1/10), so
        that a place is whole exactly where it should be.

        Args:
            q: A number from 0 to 1, or several.
            interpolation: What is taken of a place between two values: "linear", "midpoint", or the value that is
                "lower", "higher" or "nearest" (the one of even rank where both are).

        Returns:
            A query for a number in the column's unit: a float, or of "lower", "higher" and "nearest" what the column
            holds, as of times and durations (a whole number of their ticks); NaN of no values. Of several a pandas
            Series, with q as its index.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: A q or an interpolation that cannot be.

        Examples:
            >>> visits["age"].quantile([0.25, 0.75]).reveal().tolist()
            [34.0, 61.0]
            >>> visits["age"].quantile(0.3, interpolation="higher").reveal()
            47
        """
        found = shown(self.meant, self.of, self.name, "median")
        return quantiles(self.meant, found, label_of(self), q, interpolation)

    def nlargest(self, n: int = 5) -> Query:
        """Find the n largest values: values alone, for rows have no index. They are found as the median is.

        All owners and parties learn them. A policy allows them only where it names "nlargest", and no fewer than its
        `min_rows`.

        Args:
            n: How many, 1 to 100.

        Returns:
            A query for a pandas Series, the largest first, with 0, 1, 2, ... as its index; fewer where there are.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: An n that cannot be.

        Examples:
            >>> visits["age"].nlargest(3).reveal().tolist()
            [70, 61, 47]
        """
        return most(self.meant, shown(self.meant, self.of, self.name, "min"), label_of(self), n, least=False)

    def nsmallest(self, n: int = 5) -> Query:
        """Find the n smallest values, as `nlargest` does.

        Args:
            n: How many, 1 to 100.

        Returns:
            A query for a pandas Series, the smallest first.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: An n that cannot be.

        Examples:
            >>> visits["age"].nsmallest(2).reveal().tolist()
            [29, 34]
        """
        return most(self.meant, shown(self.meant, self.of, self.name, "min"), label_of(self), n, least=True)

    def histogram(
        self,
        bins: int | Sequence[float] = 16,
        range: tuple[float, float] | None = None,
        density: bool = False,
        weights: SecureColumn | None = None,
    ) -> Query:
        """Count the values in bins, as numpy.histogram does.

        The last bin is closed, values outside of the range are not counted. Edges given as integers compare exactly
        with integers of any size; equal bins have float64 edges for columns of float32 too, where numpy's are float32.
        On shares of floats values and edges are rounded alike: a value equal to an edge counts as numpy has it,
        `explain` says how near to one another may count as equal.

        Args:
            bins: The number of equal bins over `range`, 1 to 4096, or the edges themselves, in order.
            range: The least and the largest edge, in the column's unit; needed with a number of bins, since edges are
                public and must not depend on the data. Where edges are given it has no meaning.
            density: Whether to divide by the sum of the counts and by the widths of bins: float64.
            weights: A column of numbers of the same rows, whose values are added up in the place of ones; rows that
                lack one are left out.

        Returns:
            A query for (counts, edges), a `HistogramCounts`: int64 (bins,), float64 where weights are, and float64
            (bins + 1,) or the integers that were given. Where a policy withholds counts, they come as a
            numpy.ma.MaskedArray. `plot()` draws it.

        Raises:
            ColumnError: The column, or weights, hold no numbers.
            InputError: Edges that would depend on the data, are not in order or are not finite; weights of other rows.
            PolicyError: When it is revealed: the sum for a density is not known, since counts are withheld.

        Examples:
            >>> counts, edges = visits["age"].histogram(bins=4, range=(20, 80)).reveal()
            >>> counts.tolist(), edges.tolist()
            ([2, 1, 1, 1], [20.0, 35.0, 50.0, 65.0, 80.0])
        """
        self._numbers()
        return histogram(self, edges_of(bins, range), density=density, weights=weights)
