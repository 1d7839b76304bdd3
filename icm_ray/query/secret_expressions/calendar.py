"""Parts of dates and times on shares, exactly: years, months, days and hours are blocks (`blocks`) of public starts.

Of many years centuries come first, then 20 years, 4 years and years, all from March on, so that a leap day is the last
one of its block and shortens none that follows. What is of another zone than UTC has blocks of other lengths, and is
refused.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from icm_ray.errors import BoundError
from icm_ray.program.build import Value
from icm_ray.query.arrow_kinds import Family, unit_kind
from icm_ray.query.expressions.tree import Scalar
from icm_ray.query.grid import Grid
from icm_ray.query.secret_expressions.blocks import Span, Terms, left, number, span, split, whole
from icm_ray.query.secret_expressions.operand import Operand, RowBuild, Secret, before_sharing

__all__ = ["date", "days", "floor", "part"]

_DAY: Final = 24 * 60 * 60
_SECONDS: Final = {
    "day": Fraction(_DAY), "hour": Fraction(3600), "minute": Fraction(60), "second": Fraction(1),
    "millisecond": Fraction(1, 10**3), "microsecond": Fraction(1, 10**6), "nanosecond": Fraction(1, 10**9),
}  # fmt: skip
_LARGER: Final = {
    "hour": _SECONDS["day"], "minute": _SECONDS["hour"], "second": _SECONDS["minute"],
    "microsecond": _SECONDS["second"], "nanosecond": _SECONDS["microsecond"],
}  # fmt: skip
"""Of what each is a part."""
_MONTHS: Final = (0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337, 366)
"""Days from the first of March on at which months begin."""
_QUARTERS: Final = (0, 31, 122, 214, 306, 366)
_FEW_YEARS: Final = 16
"""Each compared with by itself."""
_MOST_YEARS: Final = 1024
_MOST_EACH: Final = 64
_UTC: Final = frozenset({"UTC", "Etc/UTC", "GMT", "Z", "+00:00"})
# --- years


def _start(year: int, month: int) -> int:
    """Seconds from 1970 to the first of January, or of March, of a year."""
    before = year - 1
    days = 365 * before + before // 4 - before // 100 + before // 400 - 719_162
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return _DAY * (days + (0 if month == 1 else 59 + leap))


def _year(time: Fraction, month: int) -> int:
    """The year, from January or from March on, that a time is in."""
    year = 1970 + math.floor(time / _DAY * 400 / 146_097)
    while _start(year + 1, month) <= time:
        year += 1
    while _start(year, month) > time:
        year -= 1
    return year


def _years(rows: RowBuild, x: Span, month: int) -> tuple[int, Terms, Span]:
    """A year, how many of them a time is later, and the time since its year began; years begin in that month."""
    first, last = _year(x.least, month), _year(x.most, month)
    if last - first >= (_MOST_YEARS if month == 3 else _MOST_EACH):
        raise BoundError(f"parts of times of {last - first + 1} years: declare narrower bounds, bounds={{...: ...}}")
    if month == 1 or last - first < _FEW_YEARS:
        bits, x = split(rows, x, [_start(year, month) for year in range(first, last + 2)])
        return first, [(1, bit) for bit in bits], x
    first, last = first // 100 * 100, last // 100 * 100
    bits, x = split(rows, x, [_start(year, month) for year in range(first, last + 101, 100)])
    terms: Terms = [(100, bit) for bit in bits]
    for years, length in ((20, 7305), (4, 1461)):
        bits, x = split(rows, x, [_DAY * length * place for place in range(6)])
        terms += [(years, bit) for bit in bits]
    bits, x = split(rows, x, [_DAY * start for start in (0, 365, 730, 1095, 1461)])
    return first, [*terms, *((1, bit) for bit in bits)], x


def _in_days(rows: RowBuild, x: Span, name: str) -> Value:
    day = _SECONDS["day"]
    if name == "day_of_week":
        return whole(rows, left(rows, x, 7 * day, -3 * _DAY), day)  # 1970 began on a Thursday
    if name == "day_of_year":
        return rows.plus(whole(rows, _years(rows, x, 1)[2], day), 1)
    if name == "year" and _year(x.most, 1) - _year(x.least, 1) < _FEW_YEARS:
        first, terms, _ = _years(rows, x, 1)
        return number(rows, terms, first, first, first + len(terms))
    low, high = _year(x.least, 1), _year(x.most, 1)
    first, terms, x = _years(rows, x, 3)
    if name == "year":
        (january,), _ = split(rows, x, (0, _DAY * 306, _DAY * 366))
        return number(rows, [*terms, (1, january)], first, low, high)
    if name == "quarter":
        bits, _ = split(rows, x, [_DAY * start for start in _QUARTERS])
        return number(rows, [*((1, bit) for bit in bits), (-4, bits[-1])], 1, 1, 4)
    bits, x = split(rows, x, [_DAY * start for start in _MONTHS])
    if name == "month":
        return number(rows, [*((1, bit) for bit in bits), (-12, bits[9])], 3, 1, 12)
    return rows.plus(whole(rows, x, day), 1)


# --- functions


def _naive(x: Secret, what: str) -> None:
    """Errors: `ColumnError` for times of a zone whose days are not all as long."""
    unit = unit_kind(x.kind)
    if unit is not None and unit.family is Family.AWARE and unit.zone not in _UTC:
        raise before_sharing(f"{what} of the wall time in {unit.zone}, unlike that of UTC (dt.tz_convert('UTC')),")


def part(rows: RowBuild, x: Secret, options: Sequence[Scalar]) -> Operand:
    """`dt.year` and the like. Errors: `ColumnError` (a zone), `BoundError` (too many years)."""
    name = str(options[0])
    _naive(x, f"dt.{name}")
    unit, larger = _SECONDS.get(name, _SECONDS["day"]), _LARGER.get(name)
    if larger is None:
        found = _in_days(rows, span(rows, x, unit), name)
    elif x.grid.step % larger:
        found = whole(rows, left(rows, span(rows, x, unit), larger), unit)
    else:
        found = rows.constant(math.floor(x.grid.origin % larger / unit))
    return Secret("int", found, x.there)


def days(rows: RowBuild, x: Secret, _: Sequence[Scalar]) -> Operand:
    """`dt.days` of durations, rounded down."""
    return Secret("int", whole(rows, span(rows, x, _SECONDS["day"]), _SECONDS["day"]), x.there)


def date(rows: RowBuild, x: Secret, _: Sequence[Scalar]) -> Operand:
    """`dt.date`. Errors: `ColumnError` (a zone)."""
    _naive(x, "dt.date")
    found = whole(rows, span(rows, x, _SECONDS["day"]), _SECONDS["day"])
    return Secret("date32[day]", found, x.there, grid=Grid(step=_SECONDS["day"]))


def floor(rows: RowBuild, x: Secret, options: Sequence[Scalar]) -> Operand:
    """`dt.floor`. Errors: `ColumnError` (a zone)."""
    _naive(x, "dt.floor(...)")
    unit = int(options[0] or 1) * _SECONDS[str(options[1])]
    if not x.grid.step % unit and not x.grid.origin % unit:
        return x
    return Secret(x.kind, whole(rows, span(rows, x, unit), unit), x.there, grid=Grid(step=unit))
