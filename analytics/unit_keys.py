"""Keys of groups that are dates, times, durations or decimals: whole numbers, shown as what they stand for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from analytics.meant import Meant
from analytics.public_values import literal_of
from analytics.shown import in_kind
from icm_ray.errors import InputError
from icm_ray.query.arrow_kinds import Family, UnitKind, unit_kind
from icm_ray.query.expressions.tree import Literal, Of
from icm_ray.query.grid import public_value, tick_of
from icm_ray.query.result_units import Ticks

__all__ = ["UnitKey", "unit_key"]


@dataclass(frozen=True, slots=True)
class UnitKey:
    """of: the column. ticks: what rows are grouped by in its place."""

    of: Of
    kind: str
    unit: UnitKind
    ticks: Ticks

    def numbers(self, name: str | None, values: Any) -> tuple[int, ...]:
        """Stated values as numbers, each once and in order. Errors: `InputError` (what is none of these)."""
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise InputError(f"the values of {name!r} are a list, not {values!r}")
        return tuple(sorted({self._number(name, value) for value in values}))

    def _number(self, name: str | None, value: Any) -> int:
        (found,) = literal_of(value, self.kind).nodes
        made = public_value(found.value, found.kind) if isinstance(found, Literal) else None
        if made is None:
            raise InputError(f"{value!r} is no value of {name!r} ({self.kind})")
        number = (made / tick_of(self.kind) - self.ticks.origin) / self.ticks.step
        if number.denominator > 1:
            raise InputError(f"{value!r} lies between values that {name!r} ({self.kind}) has here")
        return int(number)

    def index(self, numbers: Sequence[int]) -> Any:
        """As pandas' index."""
        import pandas as pd

        values = [in_kind(self.ticks.units(number), self.unit, "min") for number in numbers]
        if self.unit.family is Family.DECIMAL or self.unit.unit == "day":
            return pd.Index(values, dtype=object)
        if self.unit.family is Family.DURATION:
            return pd.TimedeltaIndex(values).as_unit(self.unit.unit)
        return pd.DatetimeIndex(values, tz=self.unit.zone or None).as_unit(self.unit.unit)


def unit_key(meant: Meant, of: Of) -> UnitKey | None:
    """A column as a key where its kind has a unit; None of others."""
    kind = meant.info(of).kind
    unit = unit_kind(kind)
    return None if unit is None else UnitKey(of, kind, unit, meant.ticks(of))
