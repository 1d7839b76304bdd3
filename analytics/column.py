"""A column of a secure frame, and the statistics that can be asked of it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from analytics.dataset import Dataset
from analytics.query import Query
from analytics.uncompared import Uncompared
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.rows import column_of
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.histogram import Histogram, edges_of
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.statistics.variance import Variance

__all__ = ["SecureColumn"]

_NUMBERS = frozenset({"int", "float", "bool"})


class SecureColumn(Uncompared):
    """A column of a `SecureFrame` offers statistics; their results are those of pandas on the pooled rows.

    Every method returns a `Query`, which computes nothing before its `reveal`. Booleans count as 0 and 1. Picking makes
    columns, as in `frame["age"]`: users do not call the class. Columns are not compared, and are neither true nor
    false (`TypeError`): rows are filtered by their owners, before they are read.

    Args:
        dataset: The rows: their public facts, and the session whose workers hold them.
        name: The name of the column.

    Attributes:
        name (str): The name of the column.
        kind (str): "int", "float", "bool", or the Arrow type's name.

    Examples:
        >>> visits["age"]
        <SecureColumn 'age': int, 5 rows, held by alice, bob>
    """

    __slots__ = ("_dataset", "kind", "name")

    def __init__(self, dataset: Dataset, name: str) -> None:
        self._dataset, self.name = dataset, name
        self.kind = column_of(dataset.facts, name).kind

    def __repr__(self) -> str:
        rows = self._dataset.facts
        held = "shares" if rows.shared else "held by"
        return f"<SecureColumn {self.name!r}: {self.kind}, {rows.count} rows, {held} {', '.join(rows.owners)}>"

    def _why(self) -> str:
        return (
            f"column {self.name!r} is neither compared nor true or false: rows are not filtered by a condition yet. "
            "Let each owner filter before reading: an.from_pandas(session, {owner: df[condition], ...})"
        )

    def __bool__(self) -> bool:
        raise TypeError(self._why())

    def __len__(self) -> int:
        """Count the rows of all owners together: a public number.

        Examples:
            >>> len(visits["age"])
            5
        """
        return self._dataset.facts.count

    def _number(self) -> str:
        if self.kind not in _NUMBERS:
            raise ColumnError(f"column {self.name!r} holds {self.kind}, and no numbers", column=self.name)
        return self._dataset.facts.name

    def _query(self, statistic: Statistic) -> Query:
        return Query(self._dataset, statistic)

    def count(self) -> Query:
        """Count the values.

        Returns:
            A query for an int, the number of rows: revealing it refuses an owner's missing values (`NullError`).

        Examples:
            >>> visits["age"].count().reveal()
            5
        """
        return self._query(Count(self._dataset.facts.name, self.name))

    def sum(self) -> Query:
        """Add the values up.

        Returns:
            A query for the sum, in the column's unit: an exact int for integers and booleans, a float for floats.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].sum().reveal()
            241
        """
        return self._query(Sum(self._number(), self.name))

    def mean(self) -> Query:
        """Take the arithmetic mean. The sum is opened: the number of rows is public.

        Returns:
            A query for a float, in the column's unit.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].mean().reveal()
            48.2
        """
        return self._query(Mean(self._number(), self.name))

    def var(self, ddof: int = 1) -> Query:
        """Take the variance with divisor N - ddof, for N rows. No sum is opened.

        Args:
            ddof: Delta degrees of freedom, a whole number from 0 on; 1, as pandas has it, for a sample's variance, 0
                for a population's.

        Returns:
            A query for a float, in the column's unit squared; NaN where N <= ddof.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits["age"].var(ddof=0).reveal()
            242.16
        """
        return self._query(Variance(self._number(), self.name, _freedom(ddof)))

    def std(self, ddof: int = 1) -> Query:
        """Take the standard deviation with divisor N - ddof, for N rows. No sum is opened.

        Args:
            ddof: Delta degrees of freedom, as in `var`.

        Returns:
            A query for a float, in the column's unit; NaN where N <= ddof.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: A `ddof` that cannot be.

        Examples:
            >>> visits["cost"].std().reveal()
            148.54...
        """
        return self._query(Variance(self._number(), self.name, _freedom(ddof), root=True))

    def min(self) -> Query:
        """Find the least value; -0.0 is less than 0.0.

        Returns:
            A query for the value, in the column's unit: an int for integers and booleans, a float for floats.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["age"].min().reveal()
            29
        """
        return self._query(MinMax(self._number(), self.name, least=True))

    def max(self) -> Query:
        """Find the largest value; 0.0 is larger than -0.0.

        Returns:
            A query for the value, in the column's unit: an int for integers and booleans, a float for floats.

        Raises:
            ColumnError: The column holds no numbers.

        Examples:
            >>> visits["cost"].max().reveal()
            410.75
        """
        return self._query(MinMax(self._number(), self.name))

    def histogram(self, bins: int | Sequence[float] = 16, range: tuple[float, float] | None = None) -> Query:
        """Count the values in bins, as numpy.histogram does.

        The last bin is closed, values outside of the range are not counted. Edges given as integers compare exactly
        with integers of any size; equal bins have float64 edges for columns of float32 too, where numpy's are float32.
        On shares of floats values and edges are rounded alike: a value equal to an edge counts as numpy has it,
        `explain` says how near to one another may count as equal.

        Args:
            bins: The number of equal bins over `range`, 1 to 4096, or the edges themselves, in order.
            range: The least and the largest edge, in the column's unit; needed with a number of bins, since edges are
                public and must not depend on the data. Where edges are given it has no meaning.

        Returns:
            A query for (counts, edges): int64 (bins,), and float64 (bins + 1,) or the integers that were given. Where
            a policy withholds counts, they come as a numpy.ma.MaskedArray.

        Raises:
            ColumnError: The column holds no numbers.
            InputError: Edges that would depend on the data, are not in order or are not finite.

        Examples:
            >>> counts, edges = visits["age"].histogram(bins=4, range=(20, 80)).reveal()
            >>> counts.tolist(), edges.tolist()
            ([2, 1, 1, 1], [20.0, 35.0, 50.0, 65.0, 80.0])
        """
        return self._query(Histogram.of(self._number(), self.name, edges_of(bins, range)))


def _freedom(ddof: Any) -> int:
    number = -1
    if not isinstance(ddof, bool):
        with suppress(TypeError):
            number = operator.index(ddof)
    if number < 0:
        raise InputError(f"ddof must be a whole number from 0 on, not {ddof!r}")
    return number
