"""What is not added up in groups of private keys: quantiles, different values, and extremes of rows that are shared or
merged. A second question finds it in the groups that the first one opens, as those of stated values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.execute import Part
from analytics.from_sql.aggregates import Measure
from analytics.from_sql.private import PrivateGroups
from analytics.meant import Groups, Meant
from analytics.merged_meant import MergedMeant
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.quantile import Quantile

__all__ = ["Second", "is_second"]


def is_second(meant: Meant, measure: Measure) -> bool:
    """Whether a measure is found in groups of private keys once these are known."""
    if measure.different is not None:
        return True
    held = not meant.dataset.facts.shared and not isinstance(meant, MergedMeant)
    kinds = (Quantile,) if held else (Quantile, MinMax)
    return any(isinstance(make(meant.name()), kinds) for make in measure.statistics)


@dataclass(frozen=True, slots=True)
class Second:
    """private: the groups of the first question. asked: by groups of stated values each part of the second one. title:
    in words.
    """

    private: PrivateGroups
    asked: tuple[Callable[[Groups], Part], ...]
    title: str

    @property
    def of_any(self) -> tuple[Part, ...]:
        """What is asked of one group of stated values, which stands for any."""
        return tuple(make(self.private.one()) for make in self.asked)

    def parts(self, results: Sequence[Any]) -> tuple[tuple[Part, ...], Callable[[Sequence[Any]], list[Any]]]:
        """What is asked, and what makes of its results those of every place of the first question.

        results: of the first one. Nothing is asked where it opened no group. Errors: `InputError` (too many groups).
        """
        groups, cells = self.private.stated(results)
        if not cells:
            return (), lambda _: [[] for _ in self.asked]
        return tuple(make(groups) for make in self.asked), lambda more: [_placed(cells, found) for found in more]


def _placed(cells: Mapping[int, int], found: Sequence[Any]) -> dict[int, Any]:
    return {place: found[cell] for place, cell in cells.items()}
