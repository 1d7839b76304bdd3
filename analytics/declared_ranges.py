"""Bounds of columns of dates, times, durations and decimals: the least and the largest value that there may be."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analytics.public_values import literal_of
from icm_ray.errors import BoundError, InputError
from icm_ray.query.arrow_kinds import Family, unit_kind
from icm_ray.query.expressions.tree import Literal
from icm_ray.query.grid import public_value, tick_of
from icm_ray.query.kinds import one_form
from icm_ray.query.tasks import ColumnInfo

__all__ = ["declared_ranges", "of_unit"]


def of_unit(bound: Any) -> bool:
    """Whether a bound can only be one of a kind that has a unit: a pair, a time, a duration."""
    pair = isinstance(bound, tuple | list) and len(bound) == 2
    return pair or isinstance(bound, dt.date | dt.timedelta | np.datetime64 | np.timedelta64)


def declared_ranges(
    bounds: Mapping[str, Any] | None, columns: Sequence[ColumnInfo]
) -> tuple[tuple[str, int, int], ...]:
    """Of columns whose kind has a unit the name, the least and the largest number of units.

    Errors: `BoundError` (what is no bound of such a column).
    """
    kinds = {info.name: info.kind for info in columns if unit_kind(info.kind) is not None}
    given = [(one_form(str(name)), bound) for name, bound in (bounds or {}).items()]
    return tuple((name, *_range(name, kinds[name], bound)) for name, bound in given if name in kinds)


def _range(name: str, kind: str, bound: Any) -> tuple[int, int]:
    unit = unit_kind(kind)
    if isinstance(bound, tuple | list) and len(bound) == 2:
        low, high = (_units(name, kind, end) for end in bound)
        if low > high:
            raise BoundError(f"the bounds of {name!r} are the least and the largest value, in that order", column=name)
        return math.floor(low), math.ceil(high)
    if unit is not None and unit.family in {Family.NAIVE, Family.AWARE}:
        reason = f"the bounds of {name!r} ({kind}) are the first and the last time: bounds={{{name!r}: (first, last)}}"
        raise BoundError(reason, column=name)
    most = math.ceil(_units(name, kind, bound))
    if most <= 0:
        raise BoundError(f"the bound of {name!r} must be above 0, not {bound!r:.50}", column=name)
    return -most, most


def _units(name: str, kind: str, value: Any) -> Any:
    unit = unit_kind(kind)
    try:
        (found,) = literal_of(value, kind).nodes
        if isinstance(found, Literal) and unit is not None:
            made = public_value(found.value, found.kind)
            beside = unit_kind(found.kind)
            same = beside.family is unit.family if beside else unit.family is Family.DECIMAL and found.kind == "int"
            if made is not None and same:
                return made / tick_of(kind)
    except InputError as error:
        raise BoundError(f"the bounds of {name!r}: {error}", column=name) from None
    raise BoundError(f"the bounds of {name!r} are of {kind}, not {value!r:.50}", column=name)
