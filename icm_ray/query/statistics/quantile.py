"""A quantile: the value at a place among the sorted values, exactly (`rank_search`).

Between two values ("linear", "midpoint") both are found. How far from the lower one a quantile lies follows from the
number of values N; where that is secret, q (N - 1) modulo 1 is opened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Final

from icm_ray.errors import ProgramError
from icm_ray.program.build import Builder
from icm_ray.query.doubles import DOUBLE, TINIEST, nearest
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.opened import Known
from icm_ray.query.partials import Taken
from icm_ray.query.rows import Rows, public_count
from icm_ray.query.statistics.rank_search import RankSearch
from icm_ray.query.statistics.ranks import Interpolation, Rank, fraction_of, place_between, ranks

__all__ = ["Quantile"]

_PLACE: Final = "place between two values"


class Quantile(RankSearch, frozen=True, forbid_unknown_fields=True, tag="quantile"):
    """q: from 0 to 1. interpolation: what is taken between two values. whole_ticks: whether results are whole numbers,
    towards the lower value.
    """

    q: float = 0.5
    interpolation: Interpolation = "linear"
    whole_ticks: bool = False

    @property
    def operation(self) -> str:
        return "median" if self.q == 0.5 and self.interpolation == "linear" else "quantile"

    @property
    def fraction(self) -> float:
        """Which part of the values is below: policies ask for some on either side."""
        return self.q

    @property
    def told_at(self) -> tuple[float, str]:
        return self.q, self.interpolation

    @property
    def title(self) -> str:
        if self.operation == "median":
            return f"median of {self.in_words}"
        how = "" if self.interpolation == "linear" else f" ({self.interpolation})"
        return f"{self.q:g} quantile of {self.in_words}{how}"

    @property
    def _fraction(self) -> Fraction:
        if not 0 <= self.q <= 1:
            raise ProgramError(f"a quantile lies from 0 to 1, not at {self.q}")
        return fraction_of(self.q)

    def searched(self, rows: Rows) -> tuple[Rank, ...]:
        return ranks(self._fraction, self.interpolation, rows.count if public_count(rows, self.column) else None)

    def beside(self, builder: Builder, count: Taken, rows: Rows) -> Mapping[str, Taken]:
        if isinstance(count, Known) or self.interpolation != "linear" or len(self.searched(rows)) == 1:
            return {}
        return {_PLACE: place_between(builder, count, self._fraction, rows.count)}

    def result(self, values: Sequence[int | float], beside: int | None, rows: Rows) -> int | float:
        if not values:
            return math.nan  # of no values, as pandas has it
        if self.interpolation in {"lower", "higher", "nearest"}:
            return values[0]
        if values[0] == values[-1]:
            return values[0] if self.whole_ticks else float(values[0])
        low, high = map(Fraction, values)
        share = Fraction(1, 2)
        if self.interpolation == "linear":
            p, d = self._fraction.as_integer_ratio()
            share = Fraction((rows.count - 1) * p % d if beside is None else beside, d)
        between = low + (high - low) * share
        return math.floor(between) if self.whole_ticks else nearest(between)

    def error(self, rows: Rows) -> ErrorBound:
        if rows.shared and not self.whole(rows):
            return ErrorBound(rows.rounding(self.column) + TINIEST, DOUBLE)
        if self.interpolation in {"lower", "higher", "nearest"}:
            return EXACT
        return ErrorBound(TINIEST, DOUBLE)

    def discloses(self, rows: Rows) -> str:
        both = " and the value above it" if len(self.searched(rows)) > 1 else ""
        between = public_count(rows, self.column) or self.interpolation != "linear" or not both
        place = "" if between else ", and the place between them: q (N - 1) modulo 1, N the number of values"
        how = "" if rows.shared else ", digit by digit"
        return f"the value at {self.q:g} of the sorted values{both}{how}{place}; no count"
