"""Results of mock rows say so, wherever they are shown; what is computed with them is plain."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from analytics.histogram_counts import HistogramCounts, HistogramCounts2D
from analytics.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "SAID",
    "MockArray",
    "MockBool",
    "MockDate",
    "MockDecimal",
    "MockFloat",
    "MockInt",
    "MockReceipt",
    "MockText",
    "of_mock",
]

SAID: Final = "of mock rows"


class _Said:
    """What a value of a built-in type is shown as. mock: True."""

    __slots__ = ()
    mock = True

    def __repr__(self) -> str:
        return f"{super().__repr__()} ({SAID})"

    def __str__(self) -> str:
        return repr(self)


class MockFloat(_Said, float):
    """A float that says that it is of mock rows."""


class MockInt(_Said, int):
    """An int that says that it is of mock rows."""


class MockBool(_Said, int):
    """True or False, as 1 or 0: bool itself has no kinds of its own."""

    def __repr__(self) -> str:
        return f"{bool(self)} ({SAID})"


class MockText(_Said, str):
    """A text that says that it is of mock rows."""

    __slots__ = ()


class MockDecimal(_Said, Decimal):
    """A Decimal that says that it is of mock rows."""


class MockDate(_Said, dt.date):
    """A date that says that it is of mock rows."""


class MockReceipt(Receipt):
    """What stands for a result that would be another organisation's: nothing was delivered."""

    __slots__ = ()
    mock = True

    def __repr__(self) -> str:
        return f"<it would be delivered to {self.recipient} ({SAID})>"


class MockArray(np.ndarray[Any, Any]):
    """An array that says that it is of mock rows."""

    mock = True

    def __repr__(self) -> str:
        return f"{super().__repr__()} ({SAID})"

    def __str__(self) -> str:
        return f"{super().__str__()} ({SAID})"


def of_mock(result: Any) -> Any:
    """The same value, of a type that says what it is of. Times and durations, which are pandas' own, cannot."""
    kind: Callable[[Any], Any] | None = _PLAIN.get(type(result))
    if kind is not None:
        return kind(result)
    if isinstance(result, HistogramCounts):
        return HistogramCounts(of_mock(result.counts), result.edges, result.column, f"{result.what} {SAID}")
    if isinstance(result, HistogramCounts2D):
        return HistogramCounts2D(of_mock(result.counts), *result[1:], result.columns, f"{result.what} {SAID}")
    if isinstance(result, Receipt):
        return MockReceipt(result.recipient, result.number)
    if type(result) in {tuple, list}:
        return type(result)(map(of_mock, result))
    if isinstance(result, dict):
        return {key: of_mock(value) for key, value in result.items()}
    return _array(result) if isinstance(result, np.ndarray) else _table(result)


def _array(result: Any) -> Any:
    if not isinstance(result, np.ma.MaskedArray):
        return result.view(MockArray)
    marked: Any = result  # as it is: its mask, and why, stay
    marked.mock = True
    return marked


def _table(result: Any) -> Any:
    """A DataFrame or Series; anything else as it is."""
    from pandas import DataFrame, Series

    from analytics.mock_tables import MockFrame, MockSeries

    if type(result) not in {DataFrame, Series}:
        return result
    made = (MockFrame if type(result) is DataFrame else MockSeries)(result)
    made.attrs.update(result.attrs, mock=True)
    return made


_PLAIN: Final[dict[type, Any]] = {
    float: MockFloat,
    int: MockInt,
    bool: MockBool,
    str: MockText,
    Decimal: MockDecimal,
    dt.date: lambda day: MockDate(day.year, day.month, day.day),
    np.float64: MockFloat,
    np.int64: MockInt,
    np.bool_: MockBool,
}
