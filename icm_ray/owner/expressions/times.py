"""Dates, times and durations with Arrow's functions, in the wall time of their zone; decimals as whole numbers."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from icm_ray.owner.expressions.blocks import unscaled
from icm_ray.owner.expressions.casts import each_once
from icm_ray.owner.expressions.evaluator import Evaluator, Unfit
from icm_ray.query.arrow_kinds import TICKS_A_SECOND
from icm_ray.query.expressions.tree import Scalar

__all__ = ["EVALUATORS"]

_DAY = 24 * 60 * 60
_QUARTER = 15 * 60
_NANOSECONDS: Mapping[str, int] = {
    "day": _DAY * 10**9, "hour": 3600 * 10**9, "minute": 60 * 10**9, "second": 10**9, "millisecond": 10**6,
    "microsecond": 1000, "nanosecond": 1,
}  # fmt: skip
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FROM_2037 = 2_114_380_800
"""Seconds from 1970 on."""


def _ticks(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    """Whole numbers of units; options: from which on, and of how many, of which all are multiples then."""
    import pyarrow as pa
    import pyarrow.compute as pc

    (values,) = arguments
    if pa.types.is_date32(values.type):
        ticks = values.cast(pa.int32()).cast(pa.int64())
    else:
        ticks = unscaled(values) if pa.types.is_decimal(values.type) else values.cast(pa.int64())
    origin, step = options or (0, 1)
    try:
        moved = pc.subtract_checked(ticks, origin) if origin else ticks
    except pa.ArrowInvalid:  # its text holds values
        raise OverflowError from None
    if step == 1:
        return moved
    whole = pc.divide(moved, step)
    if not pc.all(pc.equal(pc.multiply(whole, step), moved)).as_py() and pc.count(moved).as_py():
        raise Unfit("some are no whole number of steps that are shared: round them, dt.floor(...), or narrow bounds=")
    return whole


def _local(values: Any) -> Any:
    """Times in a zone as wall times without one. Arrow knows no summer time from 2037 on; Python does."""
    import pyarrow as pa
    import pyarrow.compute as pc

    unit, zone = values.type.unit, values.type.tz
    if not zone:
        return values
    if isinstance(values, pa.Scalar):
        return _local(pa.array([values.as_py()], values.type))[0]
    if not _late(values):
        return pc.local_timestamp(values)
    ticks = values.cast(pa.int64()).fill_null(0).to_numpy()
    shifted = ticks + _offsets(ticks // TICKS_A_SECOND[unit], zone, wall=False) * TICKS_A_SECOND[unit]
    return _as_times(shifted, values, pa.timestamp(unit))


def _late(values: Any) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    last = pc.max(values.cast(pa.int64())).as_py()
    return last is not None and last >= _FROM_2037 * TICKS_A_SECOND[values.type.unit]


def _offsets(seconds: Any, zone: str, *, wall: bool, later: bool | None = None) -> Any:
    """Seconds that a zone is ahead of UTC, at times (rows,) of UTC, or of its wall clock. They change at a quarter of
    an hour. later: of two such times, which are as far apart as offsets are, the second; None: there are none.

    Raises `Unfit` beyond Python's years.
    """
    quarters, places = np.unique(seconds // _QUARTER, return_inverse=True)
    there = zoneinfo.ZoneInfo(zone)
    offsets = []
    for quarter in quarters.tolist():
        try:
            time = _EPOCH + dt.timedelta(seconds=quarter * _QUARTER)
            local = time.replace(tzinfo=there, fold=int(bool(later))) if wall else time.astimezone(there)
        except OverflowError:
            raise Unfit("times beyond the year 9999 are in no zone") from None
        if wall and later is None and local.utcoffset() != local.replace(fold=1).utcoffset():
            raise Unfit("some of these times are twice, or not at all, on the zone's clocks")
        offsets.append(int((local.utcoffset() or dt.timedelta()).total_seconds()))
    return np.array(offsets, np.int64)[places]


def _as_times(ticks: Any, like: Any, kind: Any) -> Any:
    """Ticks (rows,) as times, missing where others are."""
    import pyarrow as pa

    missing = like.is_null().to_numpy(zero_copy_only=False)
    return pa.array(ticks, mask=missing if missing.any() else None).cast(kind)


def _part(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    (values,), part = arguments, str(options[0])
    if pa.types.is_timestamp(values.type):
        values = _local(values)
    if part == "microsecond":  # of the second, as pandas counts them
        return pc.add(pc.multiply(pc.millisecond(values), 1000), pc.microsecond(values))
    return pc.call_function(part, [values]).cast(pa.int64())


def _date(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    (values,) = arguments
    if pa.types.is_date32(values.type):
        return values
    return pc.floor_temporal(_local(values), unit="day").cast(pa.date32())


def _floor(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    (values,), zone = arguments, arguments[0].type.tz
    floored = partial(pc.floor_temporal, multiple=int(options[0] or 1), unit=str(options[1]))
    if not zone or isinstance(values, pa.Scalar) or not _late(values):
        return floored(values)
    ticks = floored(_local(values)).cast(pa.int64()).fill_null(0).to_numpy()
    a_second = TICKS_A_SECOND[values.type.unit]
    return _as_times(ticks - _offsets(ticks // a_second, zone, wall=True) * a_second, values, values.type)


def _up(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    return _on_wall(arguments[0], options, lambda ticks, period: -(-ticks // period) * period)


def _nearest(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    """A half to the even multiple, as pandas has it."""

    def rounded(ticks: Any, period: int) -> Any:
        below, rest = np.divmod(ticks, period)
        return (below + (2 * rest + below % 2 > period)) * period

    return _on_wall(arguments[0], options, rounded)


def _on_wall(values: Any, options: Sequence[Scalar], rounded: Callable[[Any, int], Any]) -> Any:
    """Wall times moved to multiples of some units."""
    import pyarrow as pa

    if isinstance(values, pa.Scalar):
        return _on_wall(pa.array([values.as_py()], values.type), options, rounded)[0]
    many, unit = int(options[0] or 1), str(options[1])
    period, rest = divmod(many * TICKS_A_SECOND[values.type.unit] * _NANOSECONDS[unit], 10**9)
    if not period:
        return values
    if rest:
        raise Unfit("times are rounded to whole numbers of their own unit")
    naive = pa.timestamp(values.type.unit)
    moved = _as_times(rounded(_local(values).cast(pa.int64()).fill_null(0).to_numpy(), period), values, naive)
    return moved if values.type.tz is None else _localize([moved], (values.type.tz, "raise", "raise"))


def _localize(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    """Wall times of a zone; without one, the wall times of aware ones."""
    import pyarrow as pa
    import pyarrow.compute as pc

    (values,), zone = arguments, str(options[0])
    if not zone:
        return _local(values)
    if isinstance(values, pa.Scalar):
        return _localize([pa.array([values.as_py()], values.type)], options)[0]
    kind = pa.timestamp(values.type.unit, zone)
    wall = values.cast(pa.int64()).fill_null(0).to_numpy()
    if _late(values):
        a_second = TICKS_A_SECOND[values.type.unit]
        try:
            first, second = (_offsets(wall // a_second, zone, wall=True, later=later) for later in (False, True))
        except (KeyError, ValueError):
            raise Unfit("the owner knows no such zone") from None
        ticks, twice, never = wall - first * a_second, first > second, first < second
    else:
        both = [
            pc.assume_timezone(values, zone, ambiguous=which, nonexistent=which) for which in ("earliest", "latest")
        ]
        ticks, other = (found.cast(pa.int64()).fill_null(0).to_numpy() for found in both)
        never = pc.local_timestamp(both[0]).cast(pa.int64()).fill_null(0).to_numpy() != wall
        twice = (ticks != other) & ~never
    there = values.is_valid().to_numpy(zero_copy_only=False)
    for what, lacking, how in ((twice, "twice", options[1]), (never, "never", options[2])):
        if how == "raise" and (what & there).any():
            name = "ambiguous" if lacking == "twice" else "nonexistent"
            raise Unfit(f"some times are {lacking} there in that zone: {name}='NaT' makes them missing")
    missing = ~there | twice | never
    return pa.array(ticks, mask=missing if missing.any() else None).cast(kind)


def _convert(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    import pyarrow as pa

    (values,), zone = arguments, str(options[0])
    kind = pa.timestamp(values.type.unit, zone or None)
    return values.cast(pa.int64()).cast(kind)


def _days(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow as pa

    (values,) = arguments
    per_day = _DAY * TICKS_A_SECOND[values.type.unit]
    missing = values.is_null().to_numpy(zero_copy_only=False)
    ticks = values.cast(pa.int64()).fill_null(0).to_numpy()
    return pa.array(ticks // per_day, mask=missing if missing.any() else None)


def _total_seconds(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    (values,) = arguments
    ticks = values.cast(pa.int64()).cast(pa.float64(), safe=False)
    return pc.divide(ticks, float(TICKS_A_SECOND[values.type.unit]))


def _to_datetime(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    """Each different text is read once, as Python's datetime reads it: dates are few."""
    import pyarrow as pa

    (values,), (form, utc, coerced) = arguments, options
    kind = pa.timestamp("us", "UTC" if utc else None)
    if pa.types.is_null(values.type):
        return values.cast(kind)

    def read(text: str) -> dt.datetime | None:
        try:
            found = dt.datetime.strptime(text, str(form)) if form else dt.datetime.fromisoformat(text)  # noqa: DTZ007
        except re.error:
            raise Unfit("this format cannot be read: a part of it is there twice") from None
        except ValueError:  # its text holds the value
            if coerced:
                return None
            raise Unfit("some text is no such time; errors='coerce' makes it missing") from None
        if utc:
            return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
        if found.tzinfo:
            raise Unfit("some text has a zone: utc=True reads it")
        return found

    if isinstance(values, pa.Scalar):
        text = values.as_py()
        return pa.scalar(None if text is None else read(text), kind)
    return each_once(values, read, kind)


EVALUATORS: Mapping[str, Evaluator] = {
    "ticks": _ticks,
    "part": _part,
    "date": _date,
    "floor": _floor,
    "ceil": _up,
    "round_time": _nearest,
    "localize": _localize,
    "convert": _convert,
    "days": _days,
    "total_seconds": _total_seconds,
    "to_datetime": _to_datetime,
}
