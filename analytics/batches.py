"""A question about many groups is asked in parts: sums of doubles are wide, and a worker holds a few copies of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from icm_ray.query.partials import PartialOf, RowCount
from icm_ray.query.rows import cells, column_of

if TYPE_CHECKING:
    from analytics.execute import Part

__all__ = ["batches"]

_MOST_WORDS: Final = 1 << 24
"""Of partial aggregates of groups in one question: 128 MiB in each share."""


def batches(parts: Sequence[Part]) -> list[list[int]]:
    """The places of the parts that are asked together, in order. What several of them take counts once.

    Groups of private keys come in an order of their own in each question: what is asked of them stays together.
    """
    found: list[list[int]] = []
    taken: dict[PartialOf, int] = {}
    for place, part in enumerate(parts):
        own = _words(part)
        if not found or (own and sum((taken | own).values()) > _MOST_WORDS):
            found.append([])
            taken = {}
        found[-1].append(place)
        taken |= own
    return found if len(found) > 1 and all(part.rows.private is None for part in parts) else [[*range(len(parts))]]


def _words(part: Part) -> dict[PartialOf, int]:
    """The size of each partial aggregate of groups of owners' rows; others are small."""
    rows = part.rows
    if not rows.by or rows.shared or rows.private is not None:
        return {}
    name = part.statistic.dataset
    partials = [partial for partial in part.statistic.partials(rows) if not isinstance(partial, RowCount)]
    types = [partial.type(column_of(rows, partial.column), rows.count, cells(rows)) for partial in partials]
    return {
        PartialOf(name, partial): kind.count * max(kind.limbs, 1) for partial, kind in zip(partials, types, strict=True)
    }
