"""What is asked of a column by its values, which are public: how many there are, which most often, how often each."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from analytics.distinct_values import different_of_all
from analytics.group_keys import TEXT, domain_of, public_of
from analytics.groupby import grouped
from analytics.query import Query, together
from analytics.unit_keys import UnitKey, unit_key
from analytics.withheld import Reasons, mark
from icm_ray.errors import InputError, PolicyError
from icm_ray.query.expressions.tree import apply
from icm_ray.query.selection import MOST_CELLS
from icm_ray.query.statistics.distinct import Distinct
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.tasks import GroupKey
from icm_ray.query.withheld import Withheld

if TYPE_CHECKING:
    from analytics.column import SecureColumn
    from analytics.meant import Groups, Meant
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

    def _domain(self, domain: Any, range: Any, unit: UnitKey | None = None) -> tuple[Any, ...]:
        if range is None:
            stated = domain if unit is None or domain is None else unit.numbers(self.name, domain)
            return domain_of(self.meant.info(self.of), self.name, stated)
        if domain is not None:
            raise InputError("values are stated by domain= or by range=, not by both")
        if self.kind != "int":
            raise InputError(f"range= states values of whole numbers, and {self.name!r} holds {self.kind}: use domain=")
        return domain_of(self.meant.info(self.of), self.name, _whole(range))

    def nunique(
        self,
        *,
        domain: Iterable[Any] | None = None,
        range: tuple[int, int] | None = None,
        max_groups: int | None = None,
        max_bytes: int = TEXT,
    ) -> Query:
        """Count the different values: their number alone is opened, neither which they are, nor a count.

        Args:
            domain: The values that count. None: all that there are, as of private keys of `SecureFrame.groupby`.
            range: Of integers the least and the largest value that counts instead, both included.
            max_groups: Without a domain, room for so many values of each owner, as of `SecureFrame.groupby`.
            max_bytes: Without a domain, the most bytes of a text.

        Returns:
            A query for an int.

        Raises:
            ColumnError: Values of another kind, or shared floats whose values are not stated.
            InputError: No values, or too many.
            PolicyError: A dataset with a policy whose values are not stated, or that is shared.

        Examples:
            >>> visits["ward"].nunique().reveal()
            2
            >>> visits["ward"].nunique(domain=["a", "b", "c"]).reveal()
            2
        """
        info = self.meant.info(self.of)
        stated = domain is not None or range is not None or info.kind == "bool" or info.categories
        if stated:
            return self._distinct(domain, range, modes=False)
        part = different_of_all(self.meant, self.of, max_groups, max_bytes)
        return Query([part], part.statistic.title)

    def mode(self, *, domain: Iterable[Any] | None = None, range: tuple[int, int] | None = None) -> Query:
        """Find which values of a public domain are there most often; no count is opened.

        Args:
            domain: The values; others are not counted. Booleans, categories and text that is shared need none.
            range: Of integers the least and the largest value instead, both included.

        Returns:
            A query for a pandas Series of these values in order; empty where none of them is there.

        Raises:
            ColumnError: No text, integers or booleans, or values of another kind.
            InputError: No values, or too many.
            PolicyError: A shared column of a dataset with a policy.

        Examples:
            >>> visits["ward"].mode(domain=["a", "b", "c"]).reveal().tolist()
            ['b']
        """
        if domain is None and range is None:
            domain = public_of(self.meant, self.of) or None
            if domain is None:
                raise InputError(
                    f"the values of {self.name!r} are not public; state those that may be the mode, domain=[...]; "
                    "value_counts() opens the values that are there, the most frequent first, as far as a policy allows"
                )
        return self._distinct(domain, range, modes=True)

    def _distinct(self, domain: Any, range: Any, *, modes: bool) -> Query:
        unit = unit_key(self.meant, self.of)
        values, of = self._domain(domain, range, unit), self.of if unit is None else unit.ticks.of
        by = [GroupKey(of, values)] if self.meant.dataset.facts.shared or self.meant.added_up else []
        statistic = Distinct(self.meant.name(by), of, domain=() if by else values, modes=modes)
        query = self._asked(statistic, by)
        if not modes:
            return query
        return together([query], statistic.title, lambda found: _modes(found[0], values, self.name, unit))

    def _asked(self, statistic: Distinct, by: Groups) -> Query:
        part = self.meant.part(statistic, by)
        statistic.partials(part.rows)  # refuses what cannot be
        return Query([part], statistic.title)

    def any(self: Any) -> Query:
        """Say whether any value is true, or another number than 0; a missing one is not.

        Returns:
            A query for a bool; False of no values.

        Raises:
            ColumnError: The column holds neither booleans nor numbers.

        Examples:
            >>> (visits["age"] >= 65).any().reveal()
            True
        """
        return _truth(self, least=False)

    def all(self: Any) -> Query:
        """Say whether all values are true, or other numbers than 0; missing ones are left out.

        Returns:
            A query for a bool; True of no values.

        Raises:
            ColumnError: The column holds neither booleans nor numbers.

        Examples:
            >>> (visits["age"] >= 65).all().reveal()
            False
        """
        return _truth(self, least=True)

    def value_counts(
        self,
        normalize: bool = False,
        sort: bool = True,
        ascending: bool = False,
        dropna: bool = True,
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
            dropna: Whether missing values are left out; else they are counted too, under NaN.
            domain: The values; others are not counted. None: values are private, as of `SecureFrame.groupby`, unless
                they are booleans.
            range: Of integers the least and the largest value instead, both included.

        Returns:
            A query for a pandas Series of int64, or of float64 where normalised, with the values as its index. Counts
            that a policy withholds are NaN, and `withheld` of the result says why.

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
        asked = [groups.size()]
        if not dropna and self.meant.info(self.of).nullable:
            # the sum of a condition, which policies hold against the groups: a count of values they hold against none
            missing = Sum(self.meant.name(), apply("is_null", (self.of,)))
            asked.append(Query([self.meant.part(missing)], f"missing values of {self.name}"))

        def build(results: list[Any]) -> Any:
            counts = _with_missing(*results)
            return _counted(counts, counts.index.name, normalize=normalize, sort=sort, ascending=ascending)

        return together(asked, f"counts of the values of {self.name}", build)


def _truth(column: SecureColumn, *, least: bool) -> Query:
    """The least, or the largest, of booleans."""
    true = column if column.kind == "bool" else column._apply("not_equal", 0)

    def build(results: list[Any]) -> Any:
        (found,) = results
        return found if isinstance(found, Withheld) else least if math.isnan(found) else bool(found)

    name = "all" if least else "any"
    return together([true.min() if least else true.max()], f"{name} of {column.name}", build)


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


def _modes(found: Any, values: tuple[Any, ...], name: str, unit: UnitKey | None) -> Any:
    import pandas as pd

    if isinstance(found, Withheld):
        return found
    index = pd.Index(list(values)) if unit is None else unit.index(values)
    return pd.Series(index.take([values.index(value) for value in found]), name=name)


def _with_missing(counts: Any, missing: Any = 0) -> Any:
    """The counts of values, and of those that are missing."""
    import pandas as pd

    withheld: Reasons = counts.attrs["withheld"]
    if isinstance(missing, Withheld):
        cells = (*withheld.cells, ((float("nan"),), missing.reason))
        missing, withheld = float("nan"), Reasons(cells, tuple(withheld))
    elif not missing:
        return counts
    index = pd.Index([*counts.index, None if counts.index.dtype == object else float("nan")], name=counts.index.name)
    return mark(pd.Series([*counts, missing], index=index), withheld)


def _counted(counts: Any, name: str, *, normalize: bool, sort: bool, ascending: bool) -> Any:
    withheld: Reasons = counts.attrs["withheld"]
    if normalize and withheld:
        raise PolicyError(f"the sum of the counts is not known: {withheld[0]}. Ask without normalize")
    made = counts.rename_axis(name).rename("count")
    if normalize:
        made = (made / made.sum()).rename("proportion")
    if sort:
        made = made.sort_values(ascending=ascending, kind="stable")
    return mark(made, withheld)
