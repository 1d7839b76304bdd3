"""A column of merged rows, and the statistics that can be asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analytics.accessors import Accessors
from analytics.elementwise import Elementwise
from analytics.merged_meant import MergedMeant
from analytics.moments import freedom, skipped
from analytics.no_arrays import NoArrays
from analytics.quantiles import quantiles
from analytics.query import Query
from analytics.shown import Shown, shown
from icm_ray.query.expressions.tree import Expression, Of
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance

__all__ = ["MergedColumn"]


class MergedColumn(NoArrays, Elementwise, Accessors):
    """A column of merged rows offers statistics, those of pandas on the merged rows; missing values are skipped.

    Operators and comparisons make columns of what one frame holds, which its owners compute.

    Args:
        meant: The merged rows.
        of: What the column holds: the name of a column, or an expression.
        name: Its name; None: the expression in words.

    Examples:
        >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
        >>> an.merge(visits, wards, on="ward")["age"].mean().reveal()
        40.5
    """

    __slots__ = ("kind", "meant", "name", "of")

    def __init__(self, meant: MergedMeant, of: Of, name: str | None = None) -> None:
        self.meant: MergedMeant = meant
        self.of = of
        info = meant.info(of)
        self.name, self.kind = info.name if name is None else name, info.kind

    def _like(self, of: Expression) -> MergedColumn:
        return MergedColumn(self.meant, of)

    def __repr__(self) -> str:
        return f"<MergedColumn {self.name!r}>"

    def __bool__(self) -> bool:
        raise TypeError("a column is neither true nor false: conditions are joined with & | ~")

    def _ask(self, name: str, statistic: Callable[[str, Of], Statistic]) -> Query:
        found = Shown(self.of, lambda result: result)
        if self.kind != "null":  # of no values at all there is nothing, as of numbers
            found = shown(self.meant, self.of, self.name, name)
        made = statistic(self.meant.name(), found.of)
        self.meant.rows().check_column(found.of)  # refuses what is of both sides, or not computed
        return Query([self.meant.part(made)], f"{made.title} of merged rows", lambda results: found.show(results[0]))

    def count(self) -> Query:
        """Count the values that are there.

        Returns:
            A query for an int.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward", how="left")["beds"].count().reveal()
            2
        """
        made = Count(self.meant.name(), self.of)
        return Query([self.meant.part(made)], f"{made.title} of merged rows")

    def sum(self, *, skipna: bool = True) -> Query:
        """Add up the values.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for an int, exactly, or of floats for a float.

        Raises:
            ColumnError: The column holds no numbers, or is of both frames.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].sum().reveal()
            20
        """
        skipped(skipna)
        return self._ask("sum", Sum)

    def mean(self, *, skipna: bool = True) -> Query:
        """Take the arithmetic mean.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float; NaN of nothing.

        Raises:
            ColumnError: The column holds no numbers, or is of both frames.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].mean().reveal()
            10.0
        """
        skipped(skipna)
        return self._ask("mean", Mean)

    def var(self, ddof: int = 1, *, skipna: bool = True) -> Query:
        """Take the variance.

        Args:
            ddof: What is taken off the number of values in the divisor.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float; NaN of too few values.

        Raises:
            ColumnError: The column holds no numbers, or is of both frames.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].var().reveal()
            0.0
        """
        skipped(skipna)
        return self._ask("var", lambda dataset, of: Variance(dataset, of, freedom(ddof)))

    def std(self, ddof: int = 1, *, skipna: bool = True) -> Query:
        """Take the standard deviation.

        Args:
            ddof: What is taken off the number of values in the divisor.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float; NaN of too few values.

        Raises:
            ColumnError: The column holds no numbers, or is of both frames.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].std().reveal()
            0.0
        """
        skipped(skipna)
        return self._ask("std", lambda dataset, of: Variance(dataset, of, freedom(ddof), root=True))

    def sem(self, ddof: int = 1, *, skipna: bool = True) -> Query:
        """Take the standard error of the mean.

        Args:
            ddof: What is taken off the number of values in the divisor.
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float; NaN of too few values.

        Raises:
            ColumnError: The column holds no numbers, or is of both frames.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].sem().reveal()
            0.0
        """
        skipped(skipna)
        return self._ask("sem", lambda dataset, of: Variance(dataset, of, freedom(ddof), root=True, of_mean=True))

    def min(self, *, skipna: bool = True) -> Query:
        """Find the least value.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a value of the column's kind; NaN of nothing.

        Raises:
            ColumnError: The column holds no numbers, or is of both frames.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].min().reveal()
            10
        """
        skipped(skipna)
        return self._ask("min", lambda dataset, of: MinMax(dataset, of, least=True))

    def max(self, *, skipna: bool = True) -> Query:
        """Find the largest value.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a value of the column's kind; NaN of nothing.

        Raises:
            ColumnError: The column holds no numbers, or is of both frames.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "c"], "beds": [10, 20]})})
            >>> an.merge(visits, wards, on="ward")["beds"].max().reveal()
            10
        """
        skipped(skipna)
        return self._ask("max", MinMax)

    def median(self, *, skipna: bool = True) -> Query:
        """Find the median, of merged rows of shared frames: they are sorted on shares.

        Args:
            skipna: True: missing values are skipped; False, which pandas has, is refused.

        Returns:
            A query for a float, in the column's unit; NaN of no values.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: The frames are held by their owners.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "b"], "beds": [10, 20]})})
            >>> shared = (frame.share(domain={"ward": ["a", "b"]}) for frame in (visits, wards))
            >>> an.merge(*shared, on="ward")["age"].median().reveal()
            47.0
        """
        skipped(skipna)
        return self.quantile(0.5)

    def quantile(self, q: float | Sequence[float] = 0.5, interpolation: str = "linear") -> Query:
        """Find quantiles as `SecureColumn.quantile` does, of merged rows of shared frames.

        Args:
            q: A number from 0 to 1, or several.
            interpolation: What is taken of a place between two values: "linear", "midpoint", "lower", "higher" or
                "nearest".

        Returns:
            A query for a number in the column's unit; NaN of no values. Of several a pandas Series, with q as its
            index.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: A q or an interpolation that cannot be, or frames that are held by their owners.

        Examples:
            >>> wards = an.from_pandas(session, {"bob": pd.DataFrame({"ward": ["a", "b"], "beds": [10, 20]})})
            >>> shared = (frame.share(domain={"ward": ["a", "b"]}) for frame in (visits, wards))
            >>> an.merge(*shared, on="ward")["age"].quantile([0.25, 0.75]).reveal().tolist()
            [34.0, 61.0]
        """
        self.meant.rows().check_column(self.of)
        found = shown(self.meant, self.of, self.name, "median")
        return quantiles(self.meant, found, self.name, q, interpolation)
