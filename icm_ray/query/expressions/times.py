"""Dates, times, durations; and the whole numbers, in a column's unit, that these and decimals are computed with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from icm_ray.errors import ColumnError
from icm_ray.query.arrow_kinds import Family, timestamp, unit_kind
from icm_ray.query.expressions.function import Function, Infer, Typed, Words, any_nullable
from icm_ray.query.expressions.tree import Scalar

__all__ = ["FLOORS", "FUNCTIONS", "PARTS"]

PARTS: Final = (
    "year", "month", "day", "hour", "minute", "second", "microsecond", "nanosecond", "day_of_week", "day_of_year",
    "quarter",
)  # fmt: skip
"""Of dates and times; of dates those from days on."""
_OF_DAYS: Final = {"year", "month", "day", "day_of_week", "day_of_year", "quarter"}
_RANGES: Final[Mapping[Scalar, tuple[int, ...]]] = {
    "month": tuple(range(1, 13)),
    "day": tuple(range(1, 32)),
    "hour": tuple(range(24)),
    "minute": tuple(range(60)),
    "second": tuple(range(60)),
    "day_of_week": tuple(range(7)),
    "quarter": tuple(range(1, 5)),
}
"""Of parts that are few: public, whatever the times are."""
FLOORS: Final = ("day", "hour", "minute", "second", "millisecond", "microsecond", "nanosecond")
_MOST_UNITS = 1 << 20
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
LACKING: Final = ("raise", "NaT")
"""What becomes of wall times that a zone has twice, and of those that it does not have."""


def _of(what: str, families: set[Family], kind: str) -> Infer:
    def infer(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
        (argument,) = arguments
        unit = unit_kind(argument.kind)
        if unit is None or unit.family not in families or options:
            raise ColumnError(f"{what} is not of {argument.kind}")
        return Typed(kind, any_nullable(arguments))

    return infer


def _counted(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    """options: none, or from which number of units on, and in steps of how many."""
    if options and ([type(option) for option in options] != [int, int] or int(options[1] or 0) < 1):
        raise ColumnError("ticks takes a number of units to count from, and of how many a step is")
    return _of("a number of units", set(Family), "int")(arguments, ())


_TIMES: Final = {Family.NAIVE, Family.AWARE}


def _part(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    (argument,) = arguments
    part = options[0] if len(options) == 1 else None
    unit = unit_kind(argument.kind)
    if part not in PARTS:
        raise ColumnError(f"dt has {', '.join(PARTS)}")
    if unit is None or unit.family not in _TIMES or (unit.unit == "day" and part not in _OF_DAYS):
        raise ColumnError(f"dt.{part} is not of {argument.kind}")
    return Typed("int", any_nullable(arguments), categories=_RANGES.get(part, ()))


def _to_units(what: str) -> Infer:
    def infer(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
        (argument,) = arguments
        unit = unit_kind(argument.kind)
        if len(options) != 2 or options[1] not in FLOORS:
            raise ColumnError(f"dt.{what} takes a number of units, and one of {', '.join(FLOORS)}")
        many = options[0]
        if isinstance(many, bool) or not isinstance(many, int) or not 1 <= many <= _MOST_UNITS:
            raise ColumnError(f"dt.{what} takes 1 to {_MOST_UNITS} units")
        if unit is None or unit.family not in _TIMES or unit.unit == "day":
            raise ColumnError(f"dt.{what} is not of {argument.kind}")
        return Typed(argument.kind, any_nullable(arguments))

    return infer


def _rounds(name: str, what: str) -> Function:
    return Function(
        name,
        1,
        _to_units(what),
        lambda arguments, options: f"{arguments[0]}.dt.{what}('{options[0]} {options[1]}')",
    )


def _zone(options: Sequence[Scalar]) -> str:
    zone = options[0] if options else None
    if not isinstance(zone, str) or (zone and not _ZONE.fullmatch(zone)):
        raise ColumnError("a zone is given by its name, as Europe/Berlin is one")
    return zone


def _localized(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    """options: the zone ("": the wall time without one), what becomes of times that are there twice, and never."""
    (argument,) = arguments
    zone, unit = _zone(options), unit_kind(argument.kind)
    if len(options) != 3 or any(option not in LACKING for option in options[1:]):
        raise ColumnError(f"dt.tz_localize takes {' or '.join(LACKING)} for ambiguous= and nonexistent=")
    family = Family.NAIVE if zone else Family.AWARE
    if unit is None or unit.family is not family or unit.unit == "day":
        raise ColumnError(f"dt.tz_localize({zone or None!r}) is not of {argument.kind}")
    return Typed(timestamp(unit.unit, zone), any_nullable(arguments) or "NaT" in options[1:])


def _converted(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    (argument,) = arguments
    zone, unit = _zone(options), unit_kind(argument.kind)
    if len(options) != 1 or unit is None or unit.family is not Family.AWARE:
        raise ColumnError(f"dt.tz_convert is not of {argument.kind}: dt.tz_localize gives times a zone")
    return Typed(timestamp(unit.unit, zone), any_nullable(arguments))


def _read(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    (argument,) = arguments
    if argument.kind not in {"string", "null"}:
        raise ColumnError(f"to_datetime takes text, not {argument.kind}")
    if [type(option) for option in options] != [str, bool, bool]:
        raise ColumnError("to_datetime takes a format, whether times are of UTC, and whether others are missing")
    _, utc, coerced = options
    return Typed(timestamp("us", "UTC" if utc else ""), any_nullable(arguments) or bool(coerced))


def _attribute(name: str) -> Words:
    return lambda arguments, _: f"{arguments[0]}.dt.{name}"


FUNCTIONS = (
    Function("ticks", 1, _counted, lambda arguments, _: arguments[0]),
    Function("part", 1, _part, lambda arguments, options: f"{arguments[0]}.dt.{options[0]}"),
    Function("date", 1, _of("dt.date", _TIMES, "date32[day]"), _attribute("date")),
    _rounds("floor", "floor"),
    _rounds("ceil", "ceil"),
    _rounds("round_time", "round"),
    Function(
        "localize", 1, _localized, lambda arguments, options: f"{arguments[0]}.dt.tz_localize({options[0] or None!r})"
    ),
    Function(
        "convert", 1, _converted, lambda arguments, options: f"{arguments[0]}.dt.tz_convert({options[0] or None!r})"
    ),
    Function("days", 1, _of("dt.days", {Family.DURATION}, "int"), _attribute("days")),
    Function(
        "total_seconds",
        1,
        _of("dt.total_seconds", {Family.DURATION}, "float"),
        _attribute("total_seconds()"),
    ),
    Function("to_datetime", 1, _read, lambda arguments, _: f"to_datetime({arguments[0]})"),
)
