"""A column of a secure frame, and the statistics that can be asked of it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from analytics.histogram import Histogram, edges_of
from analytics.measures import Count, Extreme, Mean, Total, Variance
from analytics.quantity import Rows
from analytics.query import Query
from icm_ray.errors import ColumnError, InputError

__all__ = ["SecureColumn"]

_NUMBERS = frozenset({"int", "float", "bool"})


class SecureColumn:
    """One column of a `SecureFrame`. Every method returns a `Query`; results are those of pandas on the pooled rows.

    `kind`: "int", "float", "bool", or the Arrow type's name. Integers and booleans give exact Python ints for
    count, sum, min and max; booleans count as 0 and 1.
    Errors of all statistics: `ColumnError` where there are no numbers.
    """

    __slots__ = ("_rows", "kind", "name")

    def __init__(self, rows: Rows, name: str) -> None:
        self._rows, self.name = rows, name
        self.kind = next(info.kind for info in rows.columns if info.name == name)

    def __repr__(self) -> str:
        held = "shares" if self._rows.shared else "held by"
        return (
            f"<SecureColumn {self.name!r}: {self.kind}, {self._rows.count} rows, {held} {', '.join(self._rows.owners)}>"
        )

    def __len__(self) -> int:
        """Rows of all owners together: public."""
        return self._rows.count

    def _number(self) -> Rows:
        if self.kind not in _NUMBERS:
            raise ColumnError(f"column {self.name!r} holds {self.kind}, and no numbers", column=self.name)
        return self._rows

    def count(self) -> Query:
        """The number of values, which is that of the rows: an owner's missing values are refused (`NullError`)."""
        return Query(Count(self._rows, self.name))

    def sum(self) -> Query:
        """The sum, in the column's unit."""
        return Query(Total(self._number(), self.name))

    def mean(self) -> Query:
        """The arithmetic mean, in the column's unit. The sum is opened: the number of rows is public."""
        return Query(Mean(self._number(), self.name))

    def var(self, ddof: int = 1) -> Query:
        """The variance with divisor N - ddof, in the column's unit squared; NaN where N <= ddof. No sum is opened."""
        return Query(Variance(self._number(), self.name, _freedom(ddof)))

    def std(self, ddof: int = 1) -> Query:
        """The standard deviation with divisor N - ddof, in the column's unit; NaN where N <= ddof."""
        return Query(Variance(self._number(), self.name, _freedom(ddof), root=True))

    def min(self) -> Query:
        """The least value."""
        return Query(Extreme(self._number(), self.name, least=True))

    def max(self) -> Query:
        """The largest value."""
        return Query(Extreme(self._number(), self.name))

    def histogram(self, bins: int | Sequence[float] = 16, range: tuple[float, float] | None = None) -> Query:
        """numpy.histogram: (counts int64 (bins,), edges (bins + 1,)).

        The last bin is closed, values outside of the range are not counted. bins: equal bins over `range`, which must
        be given then, or the edges themselves. On shares of floats: `analytics.histogram` says what rounding does.

        Errors: `InputError` for edges that would depend on data.
        """
        return Query(Histogram.of(self._number(), self.name, edges_of(bins, range)))


def _freedom(ddof: Any) -> int:
    number = -1
    if not isinstance(ddof, bool):
        with suppress(TypeError):
            number = operator.index(ddof)
    if number < 0:
        raise InputError(f"ddof must be a whole number from 0 on, not {ddof!r}")
    return number
