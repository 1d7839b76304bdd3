"""What `column.dt` offers: parts of dates, times and durations, as pandas has them; and times read from text."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from analytics.calendar_parts import CalendarParts
from analytics.operators import Operators
from analytics.rows_stay import OF_TIMES, refused
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.arrow_kinds import TICKS_A_SECOND, Family, unit_kind
from icm_ray.query.expressions.times import LACKING

if TYPE_CHECKING:
    from analytics.column import SecureColumn

__all__ = ["SecureDates", "to_datetime"]

_Column = TypeVar("_Column", bound=Operators)
_FREQUENCY = re.compile(r"([1-9]\d{0,5})?(D|h|min|s|ms|us|ns)")
_UNITS: Final = {
    "D": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond", "us": "microsecond",
    "ns": "nanosecond",
}  # fmt: skip


class SecureDates(CalendarParts[_Column]):
    """Parts of a column of dates, times or durations. Those of times in zones are of the wall time there.

    `SecureColumn.dt` gives it: users do not call the class.

    Args:
        column: The column.

    Raises:
        ColumnError: The column holds neither dates, times nor durations, or has no such part.

    Examples:
        >>> stays[stays["came"].dt.month == 3].count_rows().reveal()
        1
    """

    __slots__ = ("_times",)

    def __init__(self, column: _Column) -> None:
        unit = unit_kind(column.kind)
        if unit is None or unit.family is Family.DECIMAL:
            raise ColumnError(f"column holds {column.kind}, and neither dates, times nor durations: an.to_datetime")
        self._times = column

    def __getattr__(self, name: str) -> NoReturn:
        refused(name, like="dt", others=OF_TIMES)
        raise AttributeError(f"times have no attribute {name!r}")

    def _part(self, name: str) -> _Column:
        return self._times._apply("part", options=(name,))

    @property
    def year(self) -> _Column:
        """Take the year.

        Examples:
            >>> stays["came"].dt.year.max().reveal()
            2024
        """
        return self._part("year")

    @property
    def month(self) -> _Column:
        """Take the month, 1 to 12.

        Examples:
            >>> stays["came"].dt.month.max().reveal()
            3
        """
        return self._part("month")

    @property
    def day(self) -> _Column:
        """Take the day of the month, from 1 on.

        Examples:
            >>> stays["came"].dt.day.max().reveal()
            31
        """
        return self._part("day")

    @property
    def hour(self) -> _Column:
        """Take the hour, 0 to 23.

        Examples:
            >>> stays["came"].dt.hour.max().reveal()
            17
        """
        return self._part("hour")

    @property
    def minute(self) -> _Column:
        """Take the minute.

        Examples:
            >>> stays["came"].dt.minute.max().reveal()
            40
        """
        return self._part("minute")

    @property
    def second(self) -> _Column:
        """Take the second.

        Examples:
            >>> stays["came"].dt.second.max().reveal()
            5
        """
        return self._part("second")

    @property
    def microsecond(self) -> _Column:
        """Take the microsecond of the second.

        Examples:
            >>> stays["came"].dt.microsecond.max().reveal()
            250
        """
        return self._part("microsecond")

    @property
    def nanosecond(self) -> _Column:
        """Take the nanosecond of the microsecond.

        Examples:
            >>> stays["came"].dt.nanosecond.max().reveal()
            0
        """
        return self._part("nanosecond")

    @property
    def day_of_week(self) -> _Column:
        """Take the day of the week, 0 for Monday; `dayofweek` and `weekday` too.

        Examples:
            >>> stays["came"].dt.day_of_week.max().reveal()
            6
        """
        return self._part("day_of_week")

    @property
    def day_of_year(self) -> _Column:
        """Take the day of the year, from 1 on; `dayofyear` too.

        Examples:
            >>> stays["came"].dt.day_of_year.max().reveal()
            91
        """
        return self._part("day_of_year")

    dayofweek = weekday = day_of_week
    dayofyear = day_of_year

    @property
    def quarter(self) -> _Column:
        """Take the quarter of the year, 1 to 4.

        Examples:
            >>> stays["came"].dt.quarter.max().reveal()
            1
        """
        return self._part("quarter")

    @property
    def date(self) -> _Column:
        """Take the day alone.

        Examples:
            >>> stays["came"].dt.date.max().reveal()
            datetime.date(2024, 3, 31)
        """
        return self._times._apply("date")

    @property
    def days(self) -> _Column:
        """Take the whole days of a duration, rounded down.

        Examples:
            >>> (stays["left"] - stays["came"]).dt.days.max().reveal()
            3
        """
        return self._times._apply("days")

    @property
    def seconds(self) -> _Column:
        """Take the seconds of a duration beyond its whole days, 0 to 86399.

        Examples:
            >>> (stays["left"] - stays["came"]).dt.seconds.max().reveal()
            0
        """
        ticks, a_second = self._ticks()
        return ticks // a_second % 86400

    @property
    def microseconds(self) -> _Column:
        """Take the microseconds of a duration beyond its whole seconds.

        Examples:
            >>> (stays["left"] - stays["came"]).dt.microseconds.max().reveal()
            0
        """
        ticks, a_second = self._ticks()
        rest = ticks % a_second
        return rest // (a_second // 10**6) if a_second > 10**6 else rest * (10**6 // a_second)

    @property
    def nanoseconds(self) -> _Column:
        """Take the nanoseconds of a duration beyond its whole microseconds.

        Examples:
            >>> (stays["left"] - stays["came"]).dt.nanoseconds.max().reveal()
            0
        """
        ticks, a_second = self._ticks()
        return ticks % 1000 if a_second == 10**9 else ticks * 0

    def _ticks(self) -> tuple[_Column, int]:
        """The number of units of a duration, and how many are a second. Errors: `ColumnError` (no durations)."""
        unit = unit_kind(self._times.kind)
        if unit is None or unit.family is not Family.DURATION:
            name = self._times.name
            raise ColumnError(f"column {name!r} holds {self._times.kind}, and no durations", column=name)
        return self._times._apply("ticks"), TICKS_A_SECOND[unit.unit]

    def floor(self, freq: str) -> _Column:
        """Round times down.

        Args:
            freq: "D" (days), "h", "min", "s", "ms", "us" or "ns", with a number before it for several.

        Returns:
            A column of times.

        Raises:
            InputError: Another frequency.
            ColumnError: The column holds no times.

        Examples:
            >>> stays["came"].dt.floor("6h").max().reveal()
            Timestamp('2024-03-31 12:00:00')
        """
        return self._to_units("floor", freq)

    def ceil(self, freq: str) -> _Column:
        """Round times up.

        Args:
            freq: As of `floor`.

        Returns:
            A column of times.

        Raises:
            InputError: Another frequency.
            ColumnError: The column holds no times.

        Examples:
            >>> stays["came"].dt.ceil("6h").max().reveal()
            Timestamp('2024-03-31 18:00:00')
        """
        return self._to_units("ceil", freq)

    def round(self, freq: str) -> _Column:
        """Round times to the nearest multiple, a half to the even one.

        Args:
            freq: As of `floor`.

        Returns:
            A column of times.

        Raises:
            InputError: Another frequency.
            ColumnError: The column holds no times.

        Examples:
            >>> stays["came"].dt.round("D").max().reveal()
            Timestamp('2024-04-01 00:00:00')
        """
        return self._to_units("round_time", freq)

    def _to_units(self, function: str, freq: str) -> _Column:
        match = _FREQUENCY.fullmatch(str(freq))
        if match is None:
            raise InputError(f"freq is D, h, min, s, ms, us or ns, with a number before it or none, not {freq!r}")
        return self._times._apply(function, options=(int(match[1] or 1), _UNITS[match[2]]))

    def tz_localize(self, tz: str | None, ambiguous: str = "raise", nonexistent: str = "raise") -> _Column:
        """Take times without a zone for wall times of one; or drop the zone, and keep the wall times.

        Args:
            tz: The name of the zone; None: drop the one that there is.
            ambiguous: What becomes of times that are there twice, when clocks go back: "raise", their owner refuses
                them; "NaT", they are missing.
            nonexistent: The same of times that are never there.

        Returns:
            A column of times.

        Raises:
            InputError: No such zone, or another setting.
            ColumnError: The column holds no times, or has a zone already.

        Examples:
            >>> stays["came"].dt.tz_localize("Europe/Berlin").max().reveal()
            Timestamp('2024-03-31 17:40:05.000250+0200', tz='Europe/Berlin')
        """
        for name, given in (("ambiguous", ambiguous), ("nonexistent", nonexistent)):
            if given not in LACKING:
                raise InputError(f"{name} is {' or '.join(map(repr, LACKING))}, not {given!r}")
        return self._times._apply("localize", options=(_zone(tz), ambiguous, nonexistent))

    def tz_convert(self, tz: str | None) -> _Column:
        """Show times of a zone as of another one: they are the same moments.

        Args:
            tz: The name of the zone; None: UTC, without a zone.

        Returns:
            A column of times.

        Raises:
            InputError: No such zone.
            ColumnError: The column holds no times with a zone.

        Examples:
            >>> stays["came"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo").dt.hour.max().reveal()
            17
        """
        return self._times._apply("convert", options=(_zone(tz),))

    def normalize(self) -> _Column:
        """Round times down to midnight.

        Returns:
            A column of times.

        Raises:
            ColumnError: The column holds no times.

        Examples:
            >>> stays["came"].dt.normalize().max().reveal()
            Timestamp('2024-03-31 00:00:00')
        """
        return self.floor("D")

    def total_seconds(self) -> _Column:
        """Make seconds of durations.

        Returns:
            A column of floats.

        Raises:
            ColumnError: The column holds no durations.

        Examples:
            >>> (stays["left"] - stays["came"]).dt.total_seconds().max().reveal()
            259200.0
        """
        return self._times._apply("total_seconds")


def _zone(tz: Any) -> str:
    if tz is None:
        return ""
    try:
        return zoneinfo.ZoneInfo(tz).key
    except (KeyError, ValueError, TypeError, OSError):
        raise InputError(f"{tz!r} is no time zone: name one, as 'Europe/Berlin'") from None


def to_datetime(
    column: SecureColumn, format: str | None = None, *, utc: bool = False, errors: str = "raise"
) -> SecureColumn:
    """Read times from a column of text, in microseconds.

    Args:
        column: The column.
        format: As of `datetime.strptime`; None: ISO 8601.
        utc: Whether the times are of UTC, or have a zone each, of which they are taken to UTC.
        errors: "raise": text that is no such time is refused by its owner; "coerce": it is missing.

    Returns:
        A column of times.

    Raises:
        InputError: What is no column, or another setting.
        ColumnError: The column holds no text.

    Examples:
        >>> an.to_datetime(stays["born"], format="%d.%m.%Y").min().reveal()
        Timestamp('1950-02-01 00:00:00')
    """
    given: Any = column
    if not isinstance(given, Operators):
        raise InputError(f"a column is needed, not {type(given).__name__}")
    if errors not in ("raise", "coerce"):
        raise InputError(f"errors is 'raise' or 'coerce', not {errors!r}")
    if format is not None:
        _check_format(format)
    return column._apply("to_datetime", options=(format or "", bool(utc), errors == "coerce"))


def _check_format(given: Any) -> None:
    some = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    try:
        _ = dt.datetime.strptime(some.strftime(given), given)  # noqa: DTZ007 - for its error alone
    except (TypeError, ValueError, re.error):  # the last: a part is there twice
        raise InputError(f"{given!r} is no format of times") from None
