"""How dates, times, durations and decimals are shared: as whole numbers of steps from an origin on, both public.

The step is the finest unit whose numbers fit, from the column's own to seconds: an owner with a value between two steps
refuses. What is known to be rounded (`dt.floor`) is shared in steps of that.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from icm_ray.errors import BoundError
from icm_ray.ops.values import log2_ceil
from icm_ray.query.arrow_kinds import TICKS_A_SECOND, Family, UnitKind, unit_kind
from icm_ray.query.expressions.tree import Apply, Of, nodes_of
from icm_ray.query.grid import tick_of
from icm_ray.query.tasks import ColumnInfo

__all__ = ["MOST_YEARS", "steps_of"]

MOST_YEARS: Final = 136
"""Before and after 2000 that times are shared of, and that durations are long, where no bounds say otherwise."""
_DAY: Final = 24 * 60 * 60
_Y2000: Final = 946_684_800
_SPAN: Final = MOST_YEARS * 1461 // 4 * _DAY
_LOG2_WHOLE: Final = 31
_SECONDS: Final = {
    "day": Fraction(_DAY), "hour": Fraction(3600), "minute": Fraction(60), "second": Fraction(1),
    "millisecond": Fraction(1, 10**3), "microsecond": Fraction(1, 10**6), "nanosecond": Fraction(1, 10**9),
}  # fmt: skip


def steps_of(column: ColumnInfo, of: Of, declared: tuple[int, int] | None, room: int) -> tuple[int, int, int]:
    """From which number of the column's units on, in steps of how many, and log2 of the most steps, for a column of a
    kind that has a unit. of: what it is computed of. declared: its least and largest number. room: bits that are left.

    Errors: `BoundError` where no step fits.
    """
    unit, tick = unit_kind(column.kind) or UnitKind(Family.DECIMAL), tick_of(column.kind)
    low, high = declared or _default(unit, tick)
    bound = room
    for step in _steps(unit, tick, of):
        middle = (low + high) // 2 if unit.family in {Family.NAIVE, Family.AWARE} else 0
        origin = middle // step * step
        bound = log2_ceil(max(-(-(high - origin) // step), -(-(origin - low) // step), 1))
        if bound <= room:
            return origin, step, bound
    raise BoundError(
        f"column {column.name!r}: {column.kind} with numbers to 2^{bound} do not fit, 2^{room} do. Declare narrower "
        f"bounds: bounds={{{column.name!r}: (least, largest)}}",
        column=column.name,
        bound=bound,
    )


def _default(unit: UnitKind, tick: Fraction) -> tuple[int, int]:
    if unit.family is Family.DECIMAL:
        most = min(10**unit.digits - 1, int(2**_LOG2_WHOLE / tick))
        return -most, most
    middle = 0 if unit.family is Family.DURATION else _Y2000
    return int((middle - _SPAN) / tick), int((middle + _SPAN) / tick)


def _steps(unit: UnitKind, tick: Fraction, of: Of) -> list[int]:
    """The sizes that a step may have, in the column's units, the finest first."""
    if unit.family is Family.DECIMAL:
        return [1]
    finest = max(_rounded(unit, of), tick)
    coarser = [Fraction(1, ticks) for ticks in sorted(TICKS_A_SECOND.values(), reverse=True)]
    return [int(step / tick) for step in (finest, *(step for step in coarser if step > finest))]


def _rounded(unit: UnitKind, of: Of) -> Fraction:
    """The seconds of which times are known to be multiples; 0 of none. Whole minutes of a zone may be none of UTC."""
    last = nodes_of(of)[-1]
    if not isinstance(last, Apply) or last.function not in {"floor", "ceil", "round_time"}:
        return Fraction(0)
    many, name = last.options
    seconds = int(many or 1) * _SECONDS[str(name)]
    return Fraction(0) if unit.zone and seconds > 1 else seconds
