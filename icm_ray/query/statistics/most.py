"""The k largest or least values, each found at its rank (`rank_search`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

from icm_ray.errors import InputError, PolicyError
from icm_ray.program.build import Builder, Value
from icm_ray.query.doubles import DOUBLE
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.partials import Taken
from icm_ray.query.rows import Rows, public_count
from icm_ray.query.statistics.rank_search import RankSearch
from icm_ray.query.statistics.ranks import Rank
from icm_ray.query.statistics.sorted_values import SortedValues, opened_at_end

__all__ = ["MOST_VALUES", "Most"]

MOST_VALUES = 100


class Most(RankSearch, frozen=True, forbid_unknown_fields=True, tag="most"):
    """n: how many. least: the smallest ones, else the largest."""

    of_groups: ClassVar[bool] = False

    n: int = 5
    least: bool = False

    @property
    def operation(self) -> str:
        return "nsmallest" if self.least else "nlargest"

    @property
    def told_at(self) -> tuple[int, str]:
        return self.n, self.operation

    @property
    def title(self) -> str:
        return f"{self.n} {'smallest' if self.least else 'largest'} of {self.in_words}"

    def searched(self, rows: Rows) -> tuple[Rank, ...]:
        if not 1 <= self.n <= MOST_VALUES:
            raise InputError(f"1 to {MOST_VALUES} of the values are shown, not {self.n}")
        if rows.policy is not None and self.n < rows.policy.min_rows:
            reason = f"{self.title}: the policy asks for {rows.policy.min_rows} of them or more"
            raise PolicyError(reason, dataset=rows.source)
        if self.least:
            return tuple(Rank(Fraction(0), "lower", place) for place in range(self.n))
        return tuple(Rank(Fraction(1), "lower", -place) for place in range(self.n))

    def sorted_of_shares(self, rows: Rows) -> SortedValues:
        return SortedValues(self.column, negated=self.least and not public_count(rows, self.column))

    def at_secret_ranks(self, builder: Builder, values: Value, count: Value, rows: Rows) -> Mapping[str, Taken]:
        del count
        return opened_at_end(builder, values, len(self.searched(rows)), negated=self.least)

    def result(self, values: Sequence[int | float], beside: int | None, rows: Rows) -> list[Any]:
        return list(values)

    def error(self, rows: Rows) -> ErrorBound:
        if rows.shared and not self.whole(rows):
            return ErrorBound(rows.rounding(self.column), DOUBLE)
        return EXACT

    def discloses(self, rows: Rows) -> str:
        how = "" if rows.shared else ", digit by digit"
        return f"the {self.n} {'smallest' if self.least else 'largest'} values{how}; no count"
