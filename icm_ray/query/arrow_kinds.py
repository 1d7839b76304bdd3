"""Kinds of columns that have a unit: dates, times, durations and decimals, read from their names, which are Arrow's."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

__all__ = [
    "TICKS_A_SECOND", "Family", "UnitKind", "common_kind", "decimal", "duration", "most_digits", "timestamp",
    "unit_kind",
]  # fmt: skip

_UNITS: Final = ("s", "ms", "us", "ns")
TICKS_A_SECOND: Final = {"s": 1, "ms": 1000, "us": 1000_000, "ns": 1000_000_000}
"""By unit of timestamps and durations."""
_MOST_DIGITS, _MOST_WIDE_DIGITS = 38, 76
"""Of Arrow's decimal128 and decimal256."""
_DIGITS_OF_INTEGERS = 19
_TIMES = re.compile(r"(timestamp|duration)\[(s|ms|us|ns)(?:, tz=([^\]]+))?\]")
_DECIMAL = re.compile(r"decimal\d+\((\d+), (-?\d+)\)")


class Family(Enum):
    """What is compared, and computed with, among one another."""

    NAIVE = auto()
    """Dates, and times without a zone."""
    AWARE = auto()
    DURATION = auto()
    DECIMAL = auto()


@dataclass(frozen=True, slots=True)
class UnitKind:
    """unit: "s", "ms", "us", "ns", of dates "day". zone: of aware times. digits, scale: of decimals."""

    family: Family
    unit: str = ""
    zone: str = ""
    digits: int = 0
    scale: int = 0


def unit_kind(kind: str) -> UnitKind | None:
    """What the name of a kind says; None for a kind without a unit."""
    if kind == "date32[day]":
        return UnitKind(Family.NAIVE, "day")
    if match := _TIMES.fullmatch(kind):
        what, unit, zone = match.groups()
        if what == "duration":
            return None if zone else UnitKind(Family.DURATION, unit)
        return UnitKind(Family.AWARE, unit, zone) if zone else UnitKind(Family.NAIVE, unit)
    if match := _DECIMAL.fullmatch(kind):
        return UnitKind(Family.DECIMAL, digits=int(match[1]), scale=int(match[2]))
    return None


def timestamp(unit: str, zone: str = "") -> str:
    """The kind of times in a unit ("day": of seconds), in a zone where one is named."""
    unit = "s" if unit == "day" else unit
    return f"timestamp[{unit}, tz={zone}]" if zone else f"timestamp[{unit}]"


def most_digits(digits: int) -> int:
    """The digits that decimals have room for where some have so many."""
    return _MOST_DIGITS if digits <= _MOST_DIGITS else _MOST_WIDE_DIGITS


def decimal(digits: int, scale: int) -> str:
    """The kind of decimals of so many digits, `scale` of them behind the point."""
    return f"decimal{128 if digits <= _MOST_DIGITS else 256}({digits}, {scale})"


def duration(unit: str) -> str:
    """The kind of durations in a unit ("day": of seconds)."""
    return f"duration[{'s' if unit == 'day' else unit}]"


def common_kind(kinds: Collection[str]) -> str:
    """The kind that holds the values of several (decimals, beside integers too); "" where there is none."""
    found = [unit_kind(kind) for kind in kinds]
    units = [unit for unit in found if unit is not None]
    families = {unit.family for unit in units}
    if len(families) != 1 or (len(units) < len(found) and families != {Family.DECIMAL}):
        return ""
    if len(set(kinds)) == 1:
        return next(iter(kinds))
    if families == {Family.DECIMAL}:
        return _common_decimal(kinds, units)
    finest = max((unit.unit for unit in units if unit.unit != "day"), key=_UNITS.index)
    if families == {Family.DURATION}:
        return duration(finest)
    zones = {unit.zone for unit in units}
    return timestamp(finest, next(iter(zones)) if len(zones) == 1 else "UTC")


def _common_decimal(kinds: Collection[str], units: Collection[UnitKind]) -> str:
    if any(unit_kind(kind) is None and kind != "int" for kind in kinds):
        return ""
    whole = max(unit.digits - unit.scale for unit in units)
    if "int" in kinds:
        whole = max(whole, _DIGITS_OF_INTEGERS)
    scale = max(unit.scale for unit in units)
    return decimal(min(whole + scale, most_digits(max(unit.digits for unit in units))), scale)
