"""What is found of dates, times, durations and decimals: whole numbers of a unit, and what these stand for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from icm_ray.query.arrow_kinds import Family, UnitKind, unit_kind
from icm_ray.query.expressions.tree import Apply, Column, Expression, Of
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.withheld import Withheld

__all__ = ["Ticks", "TicksOfKind", "Unit", "number_of", "ticks_in", "unit_of_result"]

_SECONDS_OF_DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Ticks:
    """Whole numbers: of, in steps of so many units of a kind from a number of units on."""

    of: Of
    origin: int = 0
    step: int = 1

    def units(self, number: Any) -> Any:
        """The number of units, exactly; of what is withheld, or NaN, itself."""
        if isinstance(number, Withheld) or (self.origin, self.step) == (0, 1) or math.isnan(number):
            return number
        found = self.origin + self.step * Fraction(number)
        return found.numerator if found.denominator == 1 else found

    def sizes(self, number: Any, power: int = 1) -> Any:
        """Of a difference of numbers, or of what has such a power of their unit."""
        return number if isinstance(number, Withheld) or self.step == 1 else number * self.step**power

    def of_result(self, result: Any, statistic: str) -> Any:
        """The number of units of what a statistic has found of the numbers."""
        if statistic in {"std", "var", "sem"}:
            return self.sizes(result, 2 if statistic == "var" else 1)
        return self.units(result)


@dataclass(frozen=True, slots=True)
class TicksOfKind:
    """The ticks that an expression is, and of which kind of values."""

    ticks: Ticks
    unit: UnitKind


def ticks_in(of: Of, rows: Rows) -> TicksOfKind | None:
    """What an expression of these rows counts; None of one that is no number of units."""
    last = of.nodes[-1] if isinstance(of, Expression) else None
    if not isinstance(of, Expression) or not isinstance(last, Apply) or last.function != "ticks":
        return None
    (place,) = last.arguments
    node = of.nodes[place]
    counted = node.name if isinstance(node, Column) and not node.kind else Expression(of.nodes[: place + 1])
    unit = unit_kind(column_of(rows, counted).kind)
    origin, step = (int(option or 0) for option in last.options or (0, 1))
    return None if unit is None else TicksOfKind(Ticks(of, origin, step), unit)


@dataclass(frozen=True, slots=True)
class Unit:
    """What a number stands for: a time or a duration of so many `unit`s (of times since 1970, in `zone` where there is
    one), a day since 1970, so many 10^-scale, or itself.
    """

    kind: Literal["time", "duration", "day", "decimal", "number"]
    unit: Literal["s", "ms", "us", "ns"] = "s"
    zone: str = ""
    scale: int = 0


_UNITS: dict[str, Literal["s", "ms", "us", "ns"]] = {"s": "s", "ms": "ms", "us": "us", "ns": "ns"}


def unit_of_result(unit: UnitKind, statistic: str) -> Unit:
    """What the numbers of a statistic ("min", "mean", ...) of values of a kind stand for."""
    if unit.family is Family.DECIMAL:
        return Unit("decimal", scale=unit.scale) if statistic in {"sum", "min", "max"} else Unit("number")
    ticked = _UNITS.get(unit.unit, "s")
    if unit.family is Family.DURATION or statistic == "std":
        return Unit("duration", ticked)
    if unit.unit == "day":
        return Unit("time") if statistic == "mean" else Unit("day")
    return Unit("time", ticked, unit.zone)


def number_of(result: Any, unit: UnitKind, statistic: str) -> int | float | None:
    """The number of what `unit_of_result` says, of a number of units; where there is none None, of decimals NaN."""
    if unit.family is Family.DECIMAL:
        if math.isnan(result):
            return math.nan
        if statistic in {"sum", "min", "max"}:  # whole numbers, Python's or numpy's
            return int(result)
        return float(Fraction(result) / Fraction(10) ** (unit.scale * (2 if statistic == "var" else 1)))
    if isinstance(result, float) and math.isnan(result):
        return None
    if unit.unit == "day" and statistic == "mean":
        seconds: int = round(result * _SECONDS_OF_DAY)
        return seconds
    return math.floor(result) if statistic == "median" else int(result)
