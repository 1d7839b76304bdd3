"""How what is found of a column is shown: of times, durations and decimals whole numbers are computed with, and results
are given back in kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from analytics.meant import Meant
from icm_ray.errors import ColumnError
from icm_ray.query.arrow_kinds import Family, UnitKind, unit_kind
from icm_ray.query.expressions.tree import Of
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.result_units import number_of, unit_of_result
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
    return Shown(ticks.of, lambda result: in_kind(ticks.of_result(result, statistic), unit, statistic), whole, True)


def in_kind(result: Any, unit: UnitKind, statistic: str) -> Any:
    """What was found of whole numbers of a unit, as users see it: times, durations, decimals."""
    if isinstance(result, Withheld):
        return result
    what, number = unit_of_result(unit, statistic), number_of(result, unit, statistic)
    if what.kind == "number" or isinstance(number, float):
        return number
    if what.kind == "decimal":
        return Decimal(f"{number}E{-what.scale}")
    import numpy as np
    import pandas as pd

    if number is None:
        return pd.NaT
    if what.kind == "duration":
        return pd.Timedelta(np.timedelta64(number, what.unit))
    if what.kind == "day":
        return np.datetime64(number, "D").item()
    found = pd.Timestamp(np.datetime64(number, what.unit))
    return found.tz_localize("UTC").tz_convert(what.zone) if what.zone else found
