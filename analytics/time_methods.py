"""What `column.dt` offers: parts of dates, times and durations, as pandas has them; and times read from text."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from analytics.operators import Operators
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.arrow_kinds import Family, unit_kind

if TYPE_CHECKING:
    from analytics.column import SecureColumn

__all__ = ["SecureDates", "to_datetime"]

_Column = TypeVar("_Column", bound=Operators)
_FREQUENCY = re.compile(r"([1-9]\d{0,5})?(D|h|min|s|ms|us|ns)")
_UNITS: Final = {
    "D": "day", "h": "hour", "min": "minute", "s": "second", "ms": "millisecond", "us": "microsecond",
    "ns": "nanosecond",
}  # fmt: skip


class SecureDates(Generic[_Column]):
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
        match = _FREQUENCY.fullmatch(str(freq))
        if match is None:
            raise InputError(f"freq is D, h, min, s, ms, us or ns, with a number before it or none, not {freq!r}")
        return self._times._apply("floor", options=(int(match[1] or 1), _UNITS[match[2]]))

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
    if errors not in {"raise", "coerce"}:
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
