"""Mock rows: drawn from what is public of a table, never from its rows: whoever knows that has the same ones."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from decimal import Context, Decimal
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from icm_ray.errors import ColumnError
from icm_ray.owner.expressions.kinds import arrow_type, as_kind
from icm_ray.payload import Name
from icm_ray.policy import Policy
from icm_ray.query.arrow_kinds import Family, UnitKind, unit_kind
from icm_ray.query.tasks import ColumnInfo
from icm_ray.ring.prg import derive_key

__all__ = ["MOST_MOCK_ROWS", "MockColumn", "MockRows", "check_mock", "mock_table", "within_bounds"]

MOST_MOCK_ROWS: Final = 1 << 20
_MOST_CELLS: Final = 1 << 25
"""Of all columns: whoever asks draws them in its own memory."""
_LACKING: Final = 16
"""One of so many values is missing, where values may be."""
_RANGES: Final = {"int": ("0", "99"), "float": ("0", "100")}
_TIMES, _TICKS = ("2020-01-01", "2024-12-31"), ("0", "99")
_STEPS: Final = 1 << 16
_WORDS: Final = 1 << 64
Text = Annotated[str, msgspec.Meta(max_length=256)]


class MockColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What values of a column are drawn among, as its owner states it: `values`, or from the first to the last of
    `between`; where the last is "", they count on from the first, each once. All as text: of durations the number of
    units, of times in UTC.
    """

    name: Name
    values: Annotated[tuple[Text, ...], msgspec.Meta(max_length=1 << 12)] = ()
    between: tuple[Text, Text] | None = None


class MockRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """rows: how many. columns: of which something is stated; others have values of their kinds (`mock_table`)."""

    rows: Annotated[int, msgspec.Meta(ge=1, le=MOST_MOCK_ROWS)]
    columns: tuple[MockColumn, ...] = ()


def within_bounds(mock: MockRows, policy: Policy, columns: Sequence[ColumnInfo]) -> MockRows:
    """With the bounds that a policy's noise declares, of columns of which nothing is stated."""
    kinds = {info.name: info.kind for info in columns}
    stated = {column.name for column in mock.columns}
    more = [
        MockColumn(name, between=(_end(kinds[name], least), _end(kinds[name], most)))
        for name, least, most in (policy.noise.bounds if policy.noise is not None else ())
        if name not in stated and kinds.get(name) in _RANGES
    ]
    return replace(mock, columns=(*mock.columns, *more))


def _end(kind: str, bound: float) -> str:
    return str(math.trunc(bound) if kind == "int" else bound)


def check_mock(columns: Sequence[ColumnInfo], mock: MockRows) -> None:
    """Raise what `mock_table` would."""
    _check_size(columns, mock)
    mock_table(columns, replace(mock, rows=1))


def _check_size(columns: Sequence[ColumnInfo], mock: MockRows) -> None:
    if mock.rows * len(columns) > _MOST_CELLS:
        most = _MOST_CELLS // len(columns)
        raise ColumnError(f"{mock.rows} mock rows of {len(columns)} columns; {most} can be drawn of so many")


def mock_table(columns: Sequence[ColumnInfo], mock: MockRows, *names: str) -> Any:
    """Rows as an Arrow table, of the columns that can be used. names: whose, and of what: others have other values.

    Where nothing is stated: categories; integers from 0 to 99, floats to 100, letters from a to h, days of 2020 to
    2024, 0 to 99 units of durations and decimals. Kinds that nothing but counts is asked of have no values. One of 16
    is missing where values may be.

    Errors: `ColumnError` (what is stated is of no column, or no values of its kind; too many rows).
    """
    import pyarrow as pa

    _check_size(columns, mock)
    usable = {info.name: info for info in columns if info.kind and not info.fault}
    stated = {column.name: column for column in mock.columns}
    if unknown := [name for name in stated if name not in usable]:
        raise ColumnError(f"mock values of {unknown[0]!r}: there are {', '.join(usable)}", column=unknown[0])
    drawn = {name: _column(info, stated.get(name, MockColumn(name)), mock.rows, names) for name, info in usable.items()}
    return pa.table(drawn)


def _column(info: ColumnInfo, stated: MockColumn, rows: int, names: tuple[str, ...]) -> Any:
    import pyarrow as pa

    key = derive_key(b"mock rows", *names, info.name)
    try:
        found = _values(info, stated, key.words(0, 0, rows))
    except pa.ArrowException:
        raise ColumnError(f"{info.name}: mock values of {info.kind} do not fit it", column=info.name) from None
    if not info.nullable or pa.types.is_null(found.type):
        return found
    lacking = key.words(0, 1, rows) % np.uint64(_LACKING) == 0
    return pa.compute.if_else(pa.array(lacking), pa.scalar(None, found.type), found)


def _values(info: ColumnInfo, stated: MockColumn, words: NDArray[np.unsignedinteger]) -> Any:
    import pyarrow as pa

    unit, values = unit_kind(info.kind), stated.values
    if stated.between is None and not values:
        values = tuple(map(str, info.categories)) or (("false", "true") if info.kind == "bool" else ())
        values = tuple("abcdefgh") if info.kind == "string" and not values else values
    if values:
        among = pa.concat_arrays([pa.array([_scalar(info, value)]) for value in values])
        return among.take(pa.array(words % np.uint64(len(values))))
    if unit is not None:
        return _of_unit(info, unit, stated.between, words)
    if info.kind not in _RANGES:
        if stated.between is not None:
            raise ColumnError(f"{info.name}: mock values of {info.kind} are named one by one", column=info.name)
        return pa.nulls(len(words))
    if info.kind == "int":
        return pa.array(_whole(info, *_ends(info, stated.between or _RANGES["int"], pa.int64()), words))
    least, most = (_scalar(info, end).as_py() for end in stated.between or _RANGES["float"])
    _check_order(info, least, most)
    return pa.array(least + (most - least) * ((words % np.uint64(_STEPS + 1)).astype(np.float64) / _STEPS))


def _of_unit(
    info: ColumnInfo, unit: UnitKind, between: tuple[str, str] | None, words: NDArray[np.unsignedinteger]
) -> Any:
    import pyarrow as pa

    held = arrow_type(unit)
    if unit.family is Family.DECIMAL:
        largest = 10**unit.digits - 1
        ends = [int(_shifted(_scalar(info, end).as_py(), unit.scale)) for end in between] if between else None
        least, most = ends or (0, min(99 * 10 ** max(unit.scale, 0), largest))
        _check_order(info, least, most)
        picked = (least + ((most - least + 1) * int(word) >> 64) for word in words)
        return pa.array([_shifted(Decimal(number), -unit.scale) for number in picked], held)
    times = _TICKS if unit.family is Family.DURATION else _TIMES
    wide = pa.int32() if unit.unit == "day" else pa.int64()
    return pa.array(_whole(info, *_ends(info, between or times, wide), words)).cast(wide).cast(held)


def _shifted(number: Decimal, places: int) -> Decimal:
    return number.scaleb(places, Context(prec=100))


def _ends(info: ColumnInfo, between: tuple[str, str], held: Any) -> tuple[int, int | None]:
    """The least and the most as whole numbers; None: there is no most."""
    least, most = between
    return _scalar(info, least).cast(held).as_py(), _scalar(info, most).cast(held).as_py() if most else None


def _whole(info: ColumnInfo, least: int, most: int | None, words: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
    """From the least to the most, which fit int64; where there is no most, counted."""
    if most is None and least + len(words) > 1 << 63:
        raise ColumnError(f"{info.name}: mock values from {least} on do not fit", column=info.name)
    if most is None:
        return least + np.arange(len(words))
    _check_order(info, least, most)
    count = most - least + 1
    picked = words if count == _WORDS else words % np.uint64(count)
    return (picked + np.uint64(least % _WORDS)).view(np.int64)  # wraps where the least is negative


def _check_order(info: ColumnInfo, least: Any, most: Any) -> None:
    if not least <= most:
        raise ColumnError(f"{info.name}: mock values from {least} to {most}: the least comes first", column=info.name)


def _scalar(info: ColumnInfo, text: str) -> Any:
    """A value that is stated as text. Errors: `ColumnError` for what is none of the column's kind."""
    import pyarrow as pa

    unit = unit_kind(info.kind)
    try:
        if unit is not None:
            if not unit.zone:
                return as_kind(text, info.kind)
            return pa.scalar(text).cast(arrow_type(dataclasses.replace(unit, zone=""))).cast(arrow_type(unit))
        if info.kind == "int":
            return pa.scalar(int(text), pa.int64())
        if info.kind == "float":
            return pa.scalar(_finite(text), pa.float64())
        if info.kind == "bool":
            return pa.scalar({"false": False, "true": True}[text.lower()])
        if info.kind == "string":
            return pa.scalar(text)
    except (pa.ArrowException, ValueError, ArithmeticError, KeyError):
        raise ColumnError(f"{info.name}: {text!r} is no mock value of kind {info.kind}", column=info.name) from None
    raise ColumnError(f"{info.name}: there are no mock values of kind {info.kind}", column=info.name)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number
