"""Within which bounds sums count values where parties add noise: what one row can change is known then."""

from __future__ import annotations

import math
from typing import Final

from icm_ray.query.expressions.tree import Of, apply, literal
from icm_ray.query.rows import Rows, column_of

__all__ = ["change_of_a_row", "clipped", "noisy"]

_LARGEST: Final = (1 << 63) - 1


def noisy(rows: Rows) -> bool:
    """Whether noise is added to sums, which then need more room than one word has."""
    return rows.policy is not None and rows.policy.noise is not None


def clipped(of: Of, rows: Rows) -> Of:
    """What sums take in a column's place: its values within the policy's bounds, where parties add noise."""
    bounds = _bounds(of, rows)
    if bounds is None:
        return of
    least, most = bounds
    low, high = literal(least), literal(most)
    if column_of(rows, of).kind == "int":
        low, high = literal(max(math.ceil(least), -_LARGEST)), literal(min(math.floor(most), _LARGEST))
    return apply("minimum", (apply("maximum", (of, low)), high))


def change_of_a_row(of: Of, rows: Rows) -> float | None:
    """By how much one row, other than it is or in another group, can change a sum; None where no bounds say so."""
    if column_of(rows, of).kind == "bool":
        return 1.0
    bounds = _bounds(of, rows)
    return None if bounds is None else max(abs(bounds[0]), abs(bounds[1]), bounds[1] - bounds[0])


def _bounds(of: Of, rows: Rows) -> tuple[float, float] | None:
    if rows.policy is None or rows.policy.noise is None or not isinstance(of, str):
        return None
    return rows.policy.noise.within(of) if column_of(rows, of).kind in {"int", "float"} else None
