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
from icm_ray.query.expressions.tree import Of, apply
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.withheld import Withheld

__all__ = ["Shown", "in_kind", "shown"]

_OF_FAMILY: Final = {
    Family.NAIVE: {"min", "max", "mean", "median"},
    Family.AWARE: {"min", "max", "mean", "median"},
    Family.DURATION: {"min", "max", "mean", "median", "sum", "std"},
    Family.DECIMAL: {"min", "max", "mean", "median", "sum", "std", "var"},
}


@dataclass(frozen=True, slots=True)
class Shown:
    """of: what a statistic is computed of. show: from its result to what users see. whole: whether that is of whole
    ticks, as times are.
    """

    of: Of
    show: Callable[[Any], Any]
    whole: bool = False


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
    if statistic not in _OF_FAMILY[unit.family]:
        way_out = ": take astype('float')" if unit.family is Family.DECIMAL else ""
        raise ColumnError(f"column {name!r} holds {kind}, of which there is no such statistic{way_out}", column=name)
    whole = unit.family is not Family.DECIMAL
    return Shown(apply("ticks", (of,)), lambda result: in_kind(result, unit, statistic), whole)


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
    ticks, ticked = int(result), cast("Literal['s', 'ms', 'us', 'ns']", unit.unit)
    if unit.family is Family.DURATION:
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
