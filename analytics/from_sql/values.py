"""Dates, times, durations and decimals in opened results: from whole numbers of their unit to values, and to pandas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from analytics.shown import in_kind
from icm_ray.query.arrow_kinds import Family, unit_kind
from icm_ray.query.result_units import Ticks

__all__ = ["read_ticks", "series_of_unit"]


def read_ticks(kind: str, ticks: Ticks | None = None) -> Callable[[Any], Any]:
    """What makes a value of a kind of how many units it is, or steps of these; of a kind without a unit the value."""
    unit = unit_kind(kind)
    if unit is None:
        return lambda value: value

    def read(value: Any) -> Any:
        number = int(value)
        return in_kind(number if ticks is None else ticks.units(number), unit, "min")

    return read


def series_of_unit(kind: str, values: Sequence[Any]) -> Any:
    """As pandas' Series: dates as times at midnight, decimals as Python's."""
    import pandas as pd

    unit = unit_kind(kind)
    if unit is None or unit.family is Family.DECIMAL:
        return pd.Series(list(values), dtype=object)
    precision = "s" if unit.unit == "day" else unit.unit
    if unit.family is Family.DURATION:
        return pd.Series(pd.to_timedelta(list(values)), dtype=f"timedelta64[{precision}]")
    made = pd.Series([pd.NaT if value is None else pd.Timestamp(value) for value in values], dtype="object")
    return made.astype(f"datetime64[{precision}, {unit.zone}]" if unit.zone else f"datetime64[{precision}]")
