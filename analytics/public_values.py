"""Public values that columns are compared and computed with, as literals of the kind that the column asks for."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final

import numpy as np

from icm_ray.errors import InputError
from icm_ray.query.arrow_kinds import TICKS_A_SECOND, Family, UnitKind, duration, timestamp, unit_kind
from icm_ray.query.expressions.tree import Expression, Literal, Scalar, literal

__all__ = ["lacking", "literal_of", "plain"]


_MAY_LACK: Final = float | np.floating | np.datetime64 | np.timedelta64 | dt.datetime | dt.timedelta


def plain(value: Any) -> Scalar:
    """A public value as Python's own: numpy's scalars become numbers.

    Errors: `InputError` for what is no single value.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is not None and not isinstance(value, bool | int | float | str):
        raise InputError(
            f"a column is compared and computed with columns and single values, not {type(value).__name__}"
        )
    return value


def lacking(value: Any) -> bool:
    """Whether it stands for a missing value: None, NaN, NaT or pandas.NA."""
    import pandas as pd

    return value is None or value is pd.NA or (isinstance(value, _MAY_LACK) and bool(pd.isna(value)))


def literal_of(value: Any, kind: str) -> Expression:
    """A value beside a column of a kind: dates and times as pandas reads them, also from text.

    Errors: `InputError` for what is no single value, or no time where one is needed; for a time with a zone beside
    times without, and the other way round.
    """
    unit = unit_kind(kind)
    lengths = dt.timedelta | np.timedelta64
    if unit is None or value is None or isinstance(value, bool | np.bool_):
        if isinstance(value, lengths):
            return _duration(value)
        return literal(plain(value))
    if unit.family is Family.DECIMAL:
        return _decimal(value)
    if isinstance(value, lengths):  # numpy takes its own for integers
        return _duration(value)
    if isinstance(value, int | np.integer) or (isinstance(value, float) and unit.family is Family.DURATION):
        return literal(plain(value))  # the number of times that a duration is taken
    if unit.family is Family.DURATION:
        return _duration(value)
    return _time(value, unit)


def _decimal(value: Any) -> Expression:
    """A float as it is written: 9.99 is that, and no binary fraction beside it."""
    if isinstance(value, int | np.integer):
        return literal(plain(value))
    if isinstance(value, float | np.floating):
        value = Decimal(repr(float(value)))
    if not isinstance(value, Decimal) or not value.is_finite():
        raise InputError(f"a column of decimals is compared with finite numbers, not {value!r}")
    _, digits, exponent = value.as_tuple()
    scale = max(-int(exponent), 0)
    size = max(len(digits) + max(int(exponent), 0), scale, 1)
    if size > 38:
        raise InputError(f"{value} has more than 38 digits")
    return Expression((Literal(format(value, "f"), f"decimal128({size}, {scale})"),))


def _duration(value: Any) -> Expression:
    import pandas as pd

    try:
        found = pd.Timedelta(value)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{value!r} is no duration") from None
    if found is pd.NaT:
        raise InputError("NaT equals nothing and is no value to compare or to compute with: use isna(), notna()")
    days = found.days * 24 * 3600 + found.seconds
    whole = (days * 1000_000 + found.microseconds) * 1000 + found.nanoseconds
    unit, ticks = _coarsest(whole)
    return Expression((Literal(f"{ticks}{unit}", duration(unit)),))


def _coarsest(nanoseconds: int) -> tuple[str, int]:
    """The unit, and how many of them."""
    for unit, ticks in TICKS_A_SECOND.items():
        number, rest = divmod(nanoseconds * ticks, 10**9)
        if not rest:
            return unit, number
    return "ns", nanoseconds


def _time(value: Any, unit: UnitKind) -> Expression:
    import pandas as pd

    if not isinstance(value, str | dt.date | np.datetime64):
        raise InputError(f"a column of times is compared with times, not {type(value).__name__}")
    try:
        found = pd.Timestamp(value)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{value!r} is no time") from None
    if found is pd.NaT:
        raise InputError("NaT equals nothing and is no value to compare or to compute with: use isna(), notna()")
    if unit.zone and found.tz is None and isinstance(value, str):
        found = found.tz_localize(unit.zone)  # as pandas reads it
    if (found.tz is None) != (not unit.zone):
        raise InputError(f"times with a zone are not compared with times without one: {value!r}")
    if found.tz is not None:
        found = found.tz_convert("UTC").tz_localize(None)
    if unit.unit == "day" and found == found.normalize():
        return Expression((Literal(found.date().isoformat(), "date32[day]"),))
    precise = _coarsest(found.microsecond * 1000 + found.nanosecond)[0]
    return Expression((Literal(found.isoformat() + ("Z" if unit.zone else ""), timestamp(precise, unit.zone)),))
