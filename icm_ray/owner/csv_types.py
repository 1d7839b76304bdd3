"""What a CSV file holds: the number of its rows, and the type of each column over all of them.

The first rows are looked at as text, as pandas looks at cells; then Arrow reads the whole file with the types found
there, which is fast. Where one of them does not last, or a float column may hold integers that a double rounds, one
more pass reads the columns as text and settles all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from icm_ray.owner.cells import Inference
from icm_ray.owner.compression import DAMAGED
from icm_ray.owner.csv_faults import unreadable
from icm_ray.owner.csv_stream import Reading, stream
from icm_ray.query.dialect import Dialect

__all__ = ["inspected"]

_TYPES = {"int": ("int64", "uint64"), "float": ("double",), "bool": ("bool",), "string": ()}
_FIRST_ROWS = 1 << 12
_ROUNDING = 2.0**53  # from here on doubles skip integers


def inspected(path: str, dialect: Dialect, names: Mapping[str, str]) -> tuple[dict[str, Reading], int, int]:
    """(how each column is to be read, rows, bytes of columns of text). names: by column, its name in the file.

    Errors: `SourceError`.
    """
    import pyarrow as pa

    try:
        guessed = _guessed(path, dialect, names)
        if not dialect.thousands and not any(seen.rounded for seen in guessed.values()):
            readings = {name: _verdict(path, dialect, name, own, guessed[name]) for name, own in names.items()}
            counted = _counted(path, dialect, readings)
            if counted is not None:
                return counted
        return _settled(path, dialect, names, guessed)
    except (*DAMAGED, UnicodeError, pa.ArrowException):  # their texts may hold a cell's value
        raise unreadable(path, dialect) from None


def _text(names: Mapping[str, str]) -> dict[str, Reading]:
    return {name: Reading(own, "string") for name, own in names.items()}


def _inference(dialect: Dialect, name: str) -> Inference:
    given = dialect.given(name)
    return Inference(dialect, _TYPES[given]) if given else Inference(dialect)


def _guessed(path: str, dialect: Dialect, names: Mapping[str, str]) -> dict[str, Inference]:
    """What the first rows tell."""
    seen = {name: _inference(dialect, name) for name in names}
    for batch in stream(path, dialect, _text(names), ahead=False):
        for name, inference in seen.items():
            inference.add(batch.column(name).slice(0, _FIRST_ROWS))
        break
    return seen


def _counted(path: str, dialect: Dialect, readings: dict[str, Reading]) -> tuple[dict[str, Reading], int, int] | None:
    """A pass with types that are known; None where one of them does not last."""
    import pyarrow as pa

    rows = size = 0
    nulls = dict.fromkeys(readings, 0)
    try:
        for batch in stream(path, dialect, readings):
            rows += batch.num_rows
            for name, reading in readings.items():
                cells = batch.column(name)
                nulls[name] += cells.null_count
                size += cells.nbytes if reading.type == "string" else 0
                if reading.type == "double" and not dialect.given(name) and _may_round(cells):
                    return None
    except pa.ArrowException as error:
        if "conversion error" in str(error):
            return None
        raise
    return {name: replace(reading, nulls=nulls[name]) for name, reading in readings.items()}, rows, size


def _may_round(doubles: Any) -> bool:
    import pyarrow.compute as pc

    ends = pc.min_max(doubles).as_py()
    return any(end is not None and _ROUNDING <= abs(end) < float("inf") for end in ends.values())


def _settled(
    path: str, dialect: Dialect, names: Mapping[str, str], guessed: Mapping[str, Inference]
) -> tuple[dict[str, Reading], int, int]:
    """A pass over text, whatever its cells are."""
    open_to = {name: _inference(dialect, name) for name in names if dialect.thousands or guessed[name].viable}
    rows = 0
    sizes, nulls = dict.fromkeys(names, 0), dict.fromkeys(names, 0)
    for batch in stream(path, dialect, _text(names)):
        rows += batch.num_rows
        for name in names:
            cells = batch.column(name)
            sizes[name] += cells.nbytes
            nulls[name] += cells.null_count
            if name in open_to:
                open_to[name].add(cells)
    readings = {}
    for name, own in names.items():
        seen = open_to.get(name, guessed[name])
        readings[name] = replace(_verdict(path, dialect, name, own, seen), nulls=nulls[name])
    return readings, rows, sum(sizes[name] for name, reading in readings.items() if reading.type == "string")


def _verdict(path: str, dialect: Dialect, name: str, own: str, seen: Inference) -> Reading:
    given, fault = dialect.given(name), ""
    origin = f"data row {seen.misfit} is no number" if seen.misfit and not given else ""
    plain = Reading(own, seen.kind, origin=origin)
    if given not in {"", "string"} and seen.misfit:
        fault = (
            f"{path}: column {name!r}: data row {seen.misfit} is no {given}, as dtype says; leave the column out, or "
        )
        fault += f"read it with dtype={{{name!r}: 'string'}}"
    elif not given and plain.type == "double" and seen.rounded:
        fault = f"{path}: column {name!r}: data row {seen.rounded} is an integer that a float would round; "
        fault += f"dtype={{{name!r}: 'string'}} keeps it, 'float' rounds it"
    as_text = plain.type not in {"string", "null"} and bool(dialect.thousands or (seen.plus and plain.kind == "int"))
    return replace(plain, as_text=as_text, fault=fault)
