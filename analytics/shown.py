"""How what is found of a column is shown: of times, durations and decimals whole numbers are computed with, and results
are given back in kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, Literal, cast

from analytics.meant import Meant
from icm_ray.errors import ColumnError
from icm_ray.query.arrow_kinds import Family, UnitKind, unit_kind
from icm_ray.query.expressions.tree import Of
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.withheld import Withheld

__all__ = ["Shown", "in_kind", "shown"]

_OF_FAMILY: Final = {
    Family.NAIVE: {"min", "max", "mean", "median", "std"},
    Family.AWARE: {"min", "max", "mean", "median", "std"},
    Family.DURATION: {"min", "max", "mean", "median", "sum", "std"},
    Family.DECIMAL: {"min", "max", "mean", "median", "sum", "std", "var", "sem"},
}


@dataclass(frozen=True, slots=True)
class Shown:
    """of: what a statistic is computed of. show: from its result to what users see. whole: whether that is of whole
    ticks, as times are. in_units: whether it is shown as a time, a duration or a decimal.
    """

    of: Of
    show: Callable[[Any], Any]
    whole: bool = False
    in_units: bool = False


def shown(meant: Meant, of: Of, name: str, statistic: str) -> Shown:
    """A statistic ("min", "sum", ...; "" for those of numbers alone) of a column.

    Errors: `ColumnError` where the column has no such statistic.
    """
    kind = meant.info(of).kind
    if kind in NUMBERS:
        return Shown(of, lambda result: result)
    unit = unit_kind(kind)
    if unit is None:
        way_out = ": sort_values().head(1) shows the first" if kind == "string" and statistic in {"min", "max"} else ""
        raise ColumnError(f"column {name!r} holds {kind}, and no numbers{way_out}", column=name)
    if statistic not in _OF_FAMILY[unit.family] or (unit.unit == "day" and statistic == "std"):
        way_out = ": take astype('float')" if unit.family is Family.DECIMAL else ""
        raise ColumnError(f"column {name!r} holds {kind}, of which there is no such statistic{way_out}", column=name)
    ticks = meant.ticks(of, from_zero=statistic == "sum")
    whole = unit.family is not Family.DECIMAL and ticks.step == 1
    if statistic in {"std", "var", "sem"}:
        power = 2 if statistic == "var" else 1
        return Shown(ticks.of, lambda result: in_kind(ticks.sizes(result, power), unit, statistic), whole, True)
    return Shown(ticks.of, lambda result: in_kind(ticks.units(result), unit, statistic), whole, True)


def in_kind(result: Any, unit: UnitKind, statistic: str) -> Any:
    """What was found of whole numbers of a unit, as users see it: times, durations, decimals."""
    if isinstance(result, Withheld):
        return result
    if unit.family is Family.DECIMAL:
        return _decimal(result, unit.scale, statistic)
    import numpy as np
    import pandas as pd

    if isinstance(result, float) and math.isnan(result):
        return pd.NaT
    ticks = math.floor(result) if statistic == "median" else int(result)
    ticked = cast("Literal['s', 'ms', 'us', 'ns']", unit.unit)
    if unit.family is Family.DURATION or statistic == "std":
        return pd.Timedelta(np.timedelta64(ticks, ticked))
    if unit.unit == "day":
        if statistic == "mean":
            return pd.Timestamp(np.datetime64(round(result * 24 * 3600), "s"))
        return np.datetime64(ticks, "D").item()
    found = pd.Timestamp(np.datetime64(ticks, ticked))
    return found.tz_localize("UTC").tz_convert(unit.zone) if unit.zone else found


def _decimal(result: Any, scale: int, statistic: str) -> Decimal | float:
    """Exactly, or a float of what is divided."""
    if math.isnan(result):
        return math.nan
    if statistic in {"sum", "min", "max"}:  # whole numbers, Python's or numpy's
        return Decimal(f"{int(result)}E{-scale}")
    return float(Fraction(result) / Fraction(10) ** (scale * (2 if statistic == "var" else 1)))
