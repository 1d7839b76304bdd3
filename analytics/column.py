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
    """One column of a `SecureFrame`. Every method returns a `Query`; results are those of pandas on the pooled rows.

    `kind`: "int", "float", "bool", or the Arrow type's name. Integers and booleans give exact Python ints for
    count, sum, min and max; booleans count as 0 and 1.
    Errors of all statistics: `ColumnError` where there are no numbers.

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
        """Rows of all owners together: public."""
        return self._dataset.facts.count

    def _number(self) -> str:
        if self.kind not in _NUMBERS:
            raise ColumnError(f"column {self.name!r} holds {self.kind}, and no numbers", column=self.name)
        return self._dataset.facts.name

    def _query(self, statistic: Statistic) -> Query:
        return Query(self._dataset, statistic)

    def count(self) -> Query:
        """The number of values, which is that of the rows: an owner's missing values are refused (`NullError`).

        Examples:
            >>> visits["age"].count().reveal()
            5
        """
        return self._query(Count(self._dataset.facts.name, self.name))

    def sum(self) -> Query:
        """The sum, in the column's unit.

        Examples:
            >>> visits["age"].sum().reveal()
            241
        """
        return self._query(Sum(self._number(), self.name))

    def mean(self) -> Query:
        """The arithmetic mean, in the column's unit. The sum is opened: the number of rows is public.

        Examples:
            >>> visits["age"].mean().reveal()
            48.2
        """
        return self._query(Mean(self._number(), self.name))

    def var(self, ddof: int = 1) -> Query:
        """The variance with divisor N - ddof, in the column's unit squared; NaN where N <= ddof. No sum is opened.

        Examples:
            >>> visits["age"].var(ddof=0).reveal()
            242.16
        """
        return self._query(Variance(self._number(), self.name, _freedom(ddof)))

    def std(self, ddof: int = 1) -> Query:
        """The standard deviation with divisor N - ddof, in the column's unit; NaN where N <= ddof.

        Examples:
            >>> visits["cost"].std().reveal()
            148.54...
        """
        return self._query(Variance(self._number(), self.name, _freedom(ddof), root=True))

    def min(self) -> Query:
        """The least value; -0.0 is less than 0.0.

        Examples:
            >>> visits["age"].min().reveal()
            29
        """
        return self._query(MinMax(self._number(), self.name, least=True))

    def max(self) -> Query:
        """The largest value; 0.0 is larger than -0.0.

        Examples:
            >>> visits["cost"].max().reveal()
            410.75
        """
        return self._query(MinMax(self._number(), self.name))

    def histogram(self, bins: int | Sequence[float] = 16, range: tuple[float, float] | None = None) -> Query:
        """numpy.histogram: (counts int64 (bins,), edges (bins + 1,)).

        The last bin is closed, values outside of the range are not counted. bins: equal bins over `range`, which must
        be given then, or the edges themselves. Edges given as integers compare exactly with integers of any size;
        equal bins have float64 edges for columns of float32 too, where numpy's are float32. On shares of floats values
        and edges are rounded alike: a value equal to an edge counts as numpy has it, `explain` says how near to one
        another may count as equal.

        Errors: `InputError` for edges that would depend on data.

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
