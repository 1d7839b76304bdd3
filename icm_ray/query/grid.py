"""Between whole numbers that are shared and what they stand for: origin + step * number.

Times are counted in seconds since 1970 (UTC, or the wall clock without a zone), durations in seconds, decimals in ones:
so values in different units, and of different origins, are computed with one another exactly.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Final

from icm_ray.errors import ColumnError
from icm_ray.query.arrow_kinds import TICKS_A_SECOND, Family, UnitKind, unit_kind
from icm_ray.query.expressions.tree import Scalar

__all__ = ["ONES", "Grid", "common_step", "grid_from", "public_value", "tick_of"]

_DAY: Final = 24 * 60 * 60
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Grid:
    """origin: what 0 stands for. step: what 1 is more, above 0."""

    origin: Fraction = Fraction(0)
    step: Fraction = Fraction(1)

    def in_ticks(self, kind: str) -> tuple[int, int]:
        """Both in units of a kind, of which they are whole numbers."""
        tick = tick_of(kind)
        return int(self.origin / tick), int(self.step / tick)


ONES: Final = Grid()
"""Of plain numbers, and of decimals without a fraction."""


def grid_from(kind: str, origin: int, step: int) -> Grid:
    """Of both in units of a kind."""
    if (origin, step) == (0, 1) and unit_kind(kind) is None:
        return ONES
    tick = tick_of(kind)
    return Grid(origin * tick, step * tick)


def tick_of(kind: str) -> Fraction:
    """The unit of a kind: in seconds, of decimals in ones; 1 of numbers."""
    unit = unit_kind(kind)
    if unit is None:
        return Fraction(1)
    if unit.family is Family.DECIMAL:
        return Fraction(10) ** -unit.scale
    return Fraction(_DAY) if unit.unit == "day" else Fraction(1, TICKS_A_SECOND[unit.unit])


def common_step(steps: Iterable[Fraction]) -> Fraction:
    """The largest of which all are multiples; 0 of none but zeros."""
    found = Fraction(0)
    for step in steps:
        size = abs(step)
        found = Fraction(
            math.gcd(found.numerator * size.denominator, size.numerator * found.denominator),
            found.denominator * size.denominator,
        )
    return found


def public_value(value: Scalar, kind: str) -> Fraction | None:
    """A literal of a kind; None where it is missing. Errors: `ColumnError` for what is no value of the kind."""
    if value is None:
        return None
    unit = unit_kind(kind)
    try:
        if unit is not None:
            return _of_text(str(value), unit)
        if not isinstance(value, str):
            return Fraction(value)
    except (ValueError, InvalidOperation, OverflowError):
        pass
    raise ColumnError(f"{value!r} is no value of kind {kind!r}")


def _of_text(text: str, unit: UnitKind) -> Fraction:
    """As literals are written: ISO of dates and times (in UTC where they have a zone), "90s" of durations."""
    if unit.family is Family.DECIMAL:
        return Fraction(Decimal(text))
    if unit.family is Family.DURATION:
        return Fraction(int(text.removesuffix(unit.unit)), TICKS_A_SECOND[unit.unit])
    # a fraction of a second may have nine digits, more than Python reads
    whole, _, fraction = text.removesuffix("Z").replace(" ", "T").partition(".")
    read = dt.datetime.fromisoformat(whole).replace(tzinfo=dt.UTC)
    seconds = (read - _EPOCH) // dt.timedelta(seconds=1)
    return seconds + (Fraction(int(fraction), 10 ** len(fraction)) if fraction else Fraction(0))
