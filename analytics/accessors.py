"""What columns of text and of times offer beside, under pandas' names."""

from __future__ import annotations

from typing import Self

from analytics.operators import Operators
from analytics.text_methods import SecureText
from analytics.time_methods import SecureDates

__all__ = ["Accessors"]


class Accessors(Operators):
    """`column.str` and `column.dt`."""

    __slots__ = ()

    @property
    def str(self) -> SecureText[Self]:
        """Methods of text.

        Examples:
            >>> visits["ward"].str.upper().isin(["A"]).sum().reveal()
            2
        """
        return SecureText(self)

    @property
    def dt(self) -> SecureDates[Self]:
        """Parts of dates, times and durations.

        Examples:
            >>> (stays["came"].dt.year == 2024).sum().reveal()
            2
        """
        return SecureDates(self)
