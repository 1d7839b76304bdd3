"""Between kinds of columns and Arrow's types."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from icm_ray.errors import ColumnError
from icm_ray.query.arrow_kinds import Family, UnitKind, common_kind, most_digits, unit_kind
from icm_ray.query.expressions.tree import Scalar

__all__ = ["arrow_type", "as_agreed", "as_kind", "is_float", "of_one_type", "without_nan"]


def is_float(array: Any) -> bool:
    """Whether an Arrow array or scalar holds floats."""
    import pyarrow as pa

    return bool(pa.types.is_floating(array.type))


def as_kind(value: Scalar, kind: str) -> Any:
    """A literal as an Arrow scalar. Errors: `ColumnError` for what is no value of the kind."""
    import pyarrow as pa

    unit = unit_kind(kind)
    if unit is not None:
        return _of_unit(value, kind, unit)
    types = {"int": pa.int64(), "float": pa.float64(), "bool": pa.bool_(), "string": pa.string(), "null": pa.null()}
    if kind == "int" and isinstance(value, int) and value >= 1 << 63:
        return pa.scalar(value, pa.uint64())
    if kind not in types:
        raise ColumnError(f"a value of kind {kind!r} cannot be written in an expression")
    return pa.scalar(value, types[kind])


def arrow_type(unit: UnitKind) -> Any:
    """Arrow's type of a kind that has a unit."""
    import pyarrow as pa

    if unit.family is Family.DECIMAL:
        wide = unit.digits > most_digits(1)
        return pa.decimal256(unit.digits, unit.scale) if wide else pa.decimal128(unit.digits, unit.scale)
    if unit.family is Family.DURATION:
        return pa.duration(unit.unit)
    return pa.date32() if unit.unit == "day" else pa.timestamp(unit.unit, unit.zone or None)


def _of_unit(value: Scalar, kind: str, unit: UnitKind) -> Any:
    """A literal that is text: ISO of dates and times (in UTC where they have a zone), "90s" of durations."""
    import pyarrow as pa

    try:
        if value is None:
            return pa.scalar(None, arrow_type(unit))
        if unit.family is Family.DECIMAL:
            return pa.scalar(Decimal(str(value)), arrow_type(unit))
        if unit.family is Family.DURATION:
            return pa.scalar(int(str(value).removesuffix(unit.unit)), pa.int64()).cast(arrow_type(unit))
        return pa.scalar(str(value)).cast(arrow_type(unit))
    except (pa.ArrowException, ValueError, ArithmeticError):
        raise ColumnError(f"{value!r} is no value of kind {kind!r}") from None


def as_agreed(array: Any, kind: str) -> Any:
    """A column's array as one of the kind that all owners agreed on, in the widest type of that kind; floats' NaN are
    nulls then, as pandas has it.
    """
    import pyarrow as pa

    held = array.type
    if pa.types.is_dictionary(held):
        array = array.cast(held.value_type)
        held = array.type
    if kind == "float":
        try:
            doubles = array if held == pa.float64() else array.cast(pa.float64(), safe=True)
        except pa.ArrowException:  # its text holds values
            raise ColumnError("integers beyond 2^53 in a column that is agreed to hold floats") from None
        return without_nan(doubles)
    if kind == "int" and pa.types.is_integer(held):
        return array.cast(pa.uint64() if held == pa.uint64() else pa.int64())
    if kind == "string" and held != pa.string():
        return array.cast(pa.large_string() if pa.types.is_large_string(held) else pa.string())
    unit = unit_kind(kind)
    if unit is not None and held != arrow_type(unit):
        try:
            return array.cast(arrow_type(unit))
        except pa.ArrowException:  # its text holds values
            raise ColumnError(f"some values do not fit into {kind}, which was agreed on") from None
    if pa.types.is_null(held):
        types = {"int": pa.int64(), "bool": pa.bool_(), "string": pa.string()}
        return array.cast(types[kind]) if kind in types else array
    return array


def of_one_type(arguments: Sequence[Any]) -> Sequence[Any]:
    """Values in one type that holds all: numbers as floats where one is, booleans beside integers as integers."""
    import pyarrow as pa

    types = {argument.type for argument in arguments if not pa.types.is_null(argument.type)}
    if len(types) <= 1:
        return arguments
    if any(pa.types.is_floating(held) for held in types):
        return [argument.cast(pa.float64(), safe=False) for argument in arguments]
    if all(pa.types.is_integer(held) or pa.types.is_boolean(held) for held in types):
        return [argument.cast(pa.int64()) for argument in arguments]
    common = unit_kind(common_kind([_kind(held) for held in types]))
    if common is not None:
        return [argument.cast(arrow_type(common)) for argument in arguments]
    if all(pa.types.is_string(held) or pa.types.is_large_string(held) for held in types):
        return [argument.cast(pa.large_string()) for argument in arguments]
    return arguments


def _kind(held: Any) -> str:
    import pyarrow as pa

    return "int" if pa.types.is_integer(held) else str(held)


def without_nan(doubles: Any) -> Any:
    """The array, null where it is NaN."""
    import numpy as np
    import pyarrow as pa

    plain = doubles.to_numpy(zero_copy_only=False)
    nan = np.isnan(plain)
    if not nan.any():
        return doubles
    return pa.array(plain, mask=nan)
