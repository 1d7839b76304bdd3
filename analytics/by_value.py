"""What is asked of a column by its values, which are public: how many there are, which most often, how often each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.group_keys import domain_of
from analytics.groupby import grouped
from analytics.query import Query, together
from icm_ray.errors import InputError, PolicyError
from icm_ray.query.selection import MOST_CELLS
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.withheld import Withheld

if TYPE_CHECKING:
    from analytics.meant import Meant
    from icm_ray.query.expressions.tree import Of

__all__ = ["ByValue"]


class ByValue:
    """Statistics of columns of text, integers and booleans, over values that who asks states."""

    __slots__ = ()

    if TYPE_CHECKING:
        meant: Meant
        of: Of
        name: str
        kind: str

    def _domain(self, domain: Any, range: Any) -> tuple[Any, ...]:
        if range is None:
            return domain_of(self.meant.info(self.of), self.name, domain)
        if domain is not None:
            raise InputError("values are stated by domain= or by range=, not by both")
        if self.kind != "int":
            raise InputError(f"range= states values of whole numbers, and {self.name!r} holds {self.kind}: use domain=")
        return domain_of(self.meant.info(self.of), self.name, _whole(range))

    def nunique(self, *, domain: Iterable[Any] | None = None, range: tuple[int, int] | None = None) -> Query:
        """Count which values of a public domain are there: their number alone is opened, no count.

        Args:
            domain: The values; others are not counted. Booleans need none.
            range: Of integers the least and the largest value instead, both included.

        Returns:
            A query for an int.

        Raises:
            ColumnError: No text, integers or booleans, values of another kind, or a shared column.
            InputError: No values, or too many.

        Examples:
            >>> visits["ward"].nunique(domain=["a", "b", "c"]).reveal()
            2
        """
        return self._distinct(domain, range, modes=False)

    def mode(self, *, domain: Iterable[Any] | None = None, range: tuple[int, int] | None = None) -> Query:
        """Find which values of a public domain are there most often; no count is opened.

        Args:
            domain: The values; others are not counted. Booleans need none.
            range: Of integers the least and the largest value instead, both included.

        Returns:
            A query for a pandas Series of these values in order; empty where none of them is there.

        Raises:
            ColumnError: No text, integers or booleans, values of another kind, or a shared column.
            InputError: No values, or too many.

        Examples:
            >>> visits["ward"].mode(domain=["a", "b", "c"]).reveal().tolist()
            ['b']
        """
        return self._distinct(domain, range, modes=True)

    def _distinct(self, domain: Any, range: Any, *, modes: bool) -> Query:
        values = self._domain(domain, range)
        statistic = Distinct(self.meant.name(), self.of, domain=values, modes=modes)
        part = self.meant.part(statistic)
        statistic.partials(part.rows)  # refuses what cannot be
        if not modes:
            return Query([part], statistic.title)
        return Query([part], statistic.title, lambda results: _modes(results[0], values, self.name))

    def value_counts(
        self,
        normalize: bool = False,
        sort: bool = True,
        ascending: bool = False,
        *,
        domain: Iterable[Any] | None = None,
        range: tuple[int, int] | None = None,
    ) -> Query:
        """Count how often each value is there. Values that are not there are left out.

        Args:
            normalize: Whether to divide by the sum of the counts.
            sort: Whether to put the most frequent value first; equally frequent ones, and all where False, are in the
                order of values.
            ascending: Whether to put it last instead.
            domain: The values; others are not counted. None: values are private, as of `SecureFrame.groupby`, unless
                they are booleans.
            range: Of integers the least and the largest value instead, both included.

        Returns:
            A query for a pandas Series of int64, or of float64 where normalised, with the values as its index. Counts
            that a policy withholds are NaN, and `attrs["withheld"]` says why.

        Raises:
            ColumnError: No text, integers or booleans, or values of another kind.
            InputError: No values, or too many.
            PolicyError: A count that the others are to be divided by is withheld, or may be; of values that are stated
                this shows when it is revealed.

        Examples:
            >>> visits["ward"].value_counts(domain=["a", "b", "c"]).reveal()
            ward
            b    3
            a    2
            Name: count, dtype: int64
        """
        if range is not None:
            domain = self._domain(domain, range)
        groups = grouped(self.meant, {self.name: self.of}, [self], domain)
        if normalize and groups._some_unopened:
            raise PolicyError(
                "the sum of the counts is not known: values that are too rare are not opened. State domain="
            )
        counts = groups.size()

        def build(results: list[Any]) -> Any:
            return _counted(results[0], results[0].index.name, normalize=normalize, sort=sort, ascending=ascending)

        return together([counts], f"counts of the values of {self.name}", build)


def _whole(given: Any) -> Any:
    """The integers of a range, both ends included."""
    try:
        low, high = given
    except (TypeError, ValueError):
        low, high = None, None
    for end in (low, high):
        if isinstance(end, bool | np.bool_) or not isinstance(end, int | np.integer):
            raise InputError(f"range= is (least, largest), two whole numbers, not {given!r}")
    if not 0 <= int(high) - int(low) < MOST_CELLS:
        raise InputError(f"range= holds 1 to {MOST_CELLS} whole numbers, in order, not {given!r}")
    return range(int(low), int(high) + 1)


def _modes(found: Any, values: tuple[Any, ...], name: str) -> Any:
    import pandas as pd

    if isinstance(found, Withheld):
        return found
    return pd.Series(pd.Index(list(values)).take([values.index(value) for value in found]), name=name)


def _counted(counts: Any, name: str, *, normalize: bool, sort: bool, ascending: bool) -> Any:
    withheld = counts.attrs["withheld"]
    if normalize and withheld:
        raise PolicyError(f"the sum of the counts is not known: {withheld[0]}. Ask without normalize")
    made = counts.rename_axis(name).rename("count")
    if normalize:
        made = (made / made.sum()).rename("proportion")
    if sort:
        made = made.sort_values(ascending=ascending, kind="stable")
    made.attrs["withheld"] = withheld
    return made
