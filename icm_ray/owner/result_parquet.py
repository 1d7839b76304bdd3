"""A table of results as a Parquet file, for the organisation that they are for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from icm_ray.errors import ProgramError
from icm_ray.query.result_table import ResultTable
from icm_ray.query.result_units import Unit

__all__ = ["parquet_of", "with_rows"]

_SIGNED, _UNSIGNED = 1 << 63, 1 << 64
_DIGITS: Final = 76
"""Of Arrow's widest whole numbers."""


def parquet_of(table: ResultTable) -> bytes:
    """The file: whole numbers and doubles as they are, null for what is withheld, keys of groups as pandas' index."""
    arrays = [_of_unit(column.values, column.unit) for column in table.columns]
    names = [column.name for column in table.columns]
    made = pa.table(arrays, names=names)
    index = names[: table.keys]
    kinds = {"pandas_type": "", "numpy_type": "object", "metadata": None}
    named = [{"name": name, "field_name": name, **kinds} for name in index]
    facts = {"index_columns": index, "columns": named, "column_indexes": []}
    told = {b"pandas": msgspec.json.encode(facts), b"withheld": msgspec.json.encode(table.withheld)}
    out = io.BytesIO()
    pq.write_table(made.replace_schema_metadata(told), out)
    return out.getvalue()


def with_rows(before: bytes, more: bytes) -> tuple[int, bytes]:
    """The rows of two files of one table, by their first column, and how many they are: of equal ones the latter's.

    Errors: `ProgramError` for files of two tables.
    """
    one, two = (pq.read_table(io.BytesIO(payload)) for payload in (before, more))
    if not one.schema.equals(two.schema) or not two.num_columns:
        raise ProgramError("these rows are of another table than those that were there")
    key = two.column_names[0]
    kept = one.filter(pc.invert(pc.is_in(one[key], value_set=two[key].combine_chunks())))
    made = pa.concat_tables([kept, two]).sort_by(key).replace_schema_metadata(one.schema.metadata)
    out = io.BytesIO()
    pq.write_table(made, out)
    return made.num_rows, out.getvalue()


def _of_unit(values: Sequence[Any], unit: Unit) -> Any:
    if unit.kind == "number":
        return _array(values)
    if unit.kind == "decimal":
        scaled = [Decimal(f"{value}E{-unit.scale}") if isinstance(value, int) else None for value in values]
        return pa.array(scaled, pa.decimal256(_DIGITS, max(unit.scale, 0)))
    if unit.kind == "day":
        return pa.array(values, pa.int32()).cast(pa.date32())
    whole = pa.array(values, pa.int64())
    return whole.cast(pa.duration(unit.unit) if unit.kind == "duration" else pa.timestamp(unit.unit, unit.zone or None))


def _array(values: Sequence[Any]) -> Any:
    """Of one type that holds all of them."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {str}:
        return pa.array(values, pa.string())
    if kinds == {int}:
        return pa.array(values, _whole([value for value in values if value is not None]))
    return pa.array([None if value is None else float(value) for value in values], pa.float64())


def _whole(values: Sequence[int]) -> Any:
    if all(-_SIGNED <= value < _SIGNED for value in values):
        return pa.int64()
    if all(0 <= value < _UNSIGNED for value in values):
        return pa.uint64()
    return pa.decimal256(_DIGITS, 0)
