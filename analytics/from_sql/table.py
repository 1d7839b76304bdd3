"""What follows from opened results, computed by whoever has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from analytics.from_sql.values import series_of_unit
from icm_ray.owner.expressions.evaluate import evaluate
from icm_ray.owner.expressions.kinds import arrow_type
from icm_ray.query.arrow_kinds import unit_kind
from icm_ray.query.expressions.tree import Of, columns_of
from icm_ray.query.expressions.typing import typed
from icm_ray.query.tasks import ColumnInfo
from icm_ray.query.withheld import Withheld

__all__ = ["Step", "Table"]

_INT64, _UINT64 = (-(1 << 63), (1 << 63) - 1), (0, (1 << 64) - 1)


@dataclass(frozen=True, slots=True)
class Step:
    """A SELECT of opened results. columns: names, and what they hold. having: which rows stay; None: all. order: by
    what, whether downwards, whether NULL comes first. limit, offset: how many rows, after how many.
    """

    columns: tuple[tuple[str, Of], ...]
    having: Of | None = None
    order: tuple[tuple[Of, bool, bool], ...] = ()
    limit: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """infos: of the columns. values: of each, in Python's types; None is NULL, `Withheld` what was not opened."""

    infos: tuple[ColumnInfo, ...]
    values: tuple[tuple[Any, ...], ...]
    rows: int

    def column(self, name: str) -> ColumnInfo:
        """The facts of a column."""
        return self.infos[self._place(name)]

    def _place(self, name: str) -> int:
        return next(place for place, info in enumerate(self.infos) if info.name == name)

    def then(self, step: Step) -> Table:
        """The table after a step. Errors: `BoundError` where whole numbers leave 64 bits."""
        chosen: Sequence[int] = range(self.rows)
        if step.having is not None:
            chosen = [row for row, value in enumerate(self._evaluated(step.having)) if value is True]
        for of, down, nulls_first in reversed(step.order):
            chosen = _sorted(chosen, self._evaluated(of), down=down, nulls_first=nulls_first)
        end = None if step.limit is None else step.offset + step.limit
        chosen = chosen[step.offset : end]
        columns = [self._evaluated(of) for _, of in step.columns]
        infos = tuple(self._info(name, of) for name, of in step.columns)
        return Table(infos, tuple(tuple(column[row] for row in chosen) for column in columns), len(chosen))

    def _info(self, name: str, of: Of) -> ColumnInfo:
        found = typed(of, self.column)
        return ColumnInfo(name, found.kind, nullable=found.nullable)

    def _evaluated(self, of: Of) -> Sequence[Any]:
        if isinstance(of, str):
            return self.values[self._place(of)]
        values: list[Any] = evaluate(of, lambda name, _: self._array(name), self.rows).to_pylist()
        for name in columns_of(of):
            for row, value in enumerate(self.values[self._place(name)]):
                if isinstance(value, Withheld):
                    values[row] = value
        return values

    def _array(self, name: str) -> Any:
        """As owners evaluate them. Whole numbers beyond 64 bits, which sums may be, are floats."""
        import pyarrow as pa

        place = self._place(name)
        values = [None if isinstance(value, Withheld) else value for value in self.values[place]]
        kind = self.infos[place].kind
        if kind == "int":
            there = [value for value in values if value is not None]
            if _within(there, _INT64):
                return pa.array(values, pa.int64())
            if _within(there, _UINT64):
                return pa.array(values, pa.uint64())
            return pa.array([None if value is None else float(value) for value in values], pa.float64())
        if (unit := unit_kind(kind)) is not None:
            return pa.array(values, arrow_type(unit))
        types = {"float": pa.float64(), "bool": pa.bool_(), "string": pa.string(), "null": pa.null()}
        return pa.array(values, types[kind])

    def to_pandas(self) -> Any:
        """A DataFrame; what was withheld is missing there."""
        import pandas as pd

        series = [
            _series(info.kind, [None if isinstance(value, Withheld) else value for value in values])
            for info, values in zip(self.infos, self.values, strict=True)
        ]
        frame = pd.concat(series, axis=1) if series else pd.DataFrame(index=range(self.rows))
        frame.columns = pd.Index([info.name for info in self.infos])
        return frame


def _sorted(rows: Sequence[int], values: Sequence[Any], *, down: bool, nulls_first: bool) -> list[int]:
    """Rows in the order of their values, those of equal ones as they were."""
    lacking = [row for row in rows if _lacks(values[row])]
    there = sorted((row for row in rows if not _lacks(values[row])), key=lambda row: values[row], reverse=down)
    return [*lacking, *there] if nulls_first else [*there, *lacking]


def _within(values: Sequence[int], limits: tuple[int, int]) -> bool:
    low, high = limits
    return all(low <= value <= high for value in values)


def _lacks(value: Any) -> bool:
    return value is None or isinstance(value, Withheld)


def _series(kind: str, values: list[Any]) -> Any:
    """In pandas' dtype of the kind; whole numbers and booleans with NULL among them in its nullable one."""
    import pandas as pd

    lacks = any(value is None for value in values)
    if kind == "int":
        there = [value for value in values if value is not None]
        for name, nullable, fits in (("int64", "Int64", _INT64), ("uint64", "UInt64", _UINT64)):
            if _within(there, fits):
                return pd.Series(values, dtype=nullable if lacks else name)
        return pd.Series(values, dtype=object)
    if kind == "float":
        return pd.Series(values, dtype="float64")
    if kind == "bool":
        return pd.Series(values, dtype="boolean" if lacks else "bool")
    if unit_kind(kind) is not None:
        return series_of_unit(kind, values)
    return pd.Series(values, dtype="str" if kind == "string" else object)
