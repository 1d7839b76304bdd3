"""What follows of a day from its parts: pandas' `is_month_end` and the like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from analytics.operators import Operators

__all__ = ["CalendarParts"]

_Column = TypeVar("_Column", bound=Operators)


class CalendarParts(Generic[_Column]):
    """Of days that have parts. What is said of a missing one is False."""

    __slots__ = ()

    if TYPE_CHECKING:

        @property
        def year(self) -> _Column: ...

        @property
        def month(self) -> _Column: ...

        @property
        def day(self) -> _Column: ...

        @property
        def day_of_year(self) -> _Column: ...

    @property
    def days_in_month(self) -> _Column:
        """Count the days of the month; `daysinmonth` too.

        Examples:
            >>> stays["came"].dt.days_in_month.min().reveal()
            31
        """
        month: Any = self.month
        leap: Any = self.is_leap_year
        days: _Column = 30 + (month + month // 8) % 2 - (month == 2) * (2 - leap)
        return days

    @property
    def is_leap_year(self) -> _Column:
        """Say whether the year is a leap year; False where the time is missing.

        Examples:
            >>> stays["came"].dt.is_leap_year.sum().reveal()
            2
        """
        year: Any = self.year
        leap: _Column = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
        return leap

    @property
    def is_month_start(self) -> _Column:
        """Say whether it is the first day of a month.

        Examples:
            >>> stays["came"].dt.is_month_start.sum().reveal()
            0
        """
        return self.day._compare("equal", 1)

    @property
    def is_month_end(self) -> _Column:
        """Say whether it is the last day of a month.

        Examples:
            >>> stays["came"].dt.is_month_end.sum().reveal()
            1
        """
        return self.day._compare("equal", self.days_in_month)

    @property
    def is_quarter_start(self) -> _Column:
        """Say whether it is the first day of a quarter.

        Examples:
            >>> stays["came"].dt.is_quarter_start.sum().reveal()
            0
        """
        return self.is_month_start & (self.month % 3)._compare("equal", 1)

    @property
    def is_quarter_end(self) -> _Column:
        """Say whether it is the last day of a quarter.

        Examples:
            >>> stays["came"].dt.is_quarter_end.sum().reveal()
            1
        """
        return self.is_month_end & (self.month % 3)._compare("equal", 0)

    @property
    def is_year_start(self) -> _Column:
        """Say whether it is the first day of a year.

        Examples:
            >>> stays["came"].dt.is_year_start.sum().reveal()
            0
        """
        return self.day_of_year._compare("equal", 1)

    @property
    def is_year_end(self) -> _Column:
        """Say whether it is the last day of a year.

        Examples:
            >>> stays["came"].dt.is_year_end.sum().reveal()
            0
        """
        return self.is_month_end & self.month._compare("equal", 12)

    daysinmonth = days_in_month
