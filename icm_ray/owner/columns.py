"""Columns of files: which are asked for, of what kind they are, and whether files agree on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from icm_ray.errors import ColumnError
from icm_ray.query.tasks import ColumnInfo

__all__ = ["NUMBERS", "agreed", "chosen", "kind_of"]

NUMBERS = frozenset({"int", "float", "bool"})
"""The kinds that arithmetic is offered on."""


def kind_of(arrow_type: Any) -> str:
    """ "int", "float" or "bool" for what arithmetic is offered on; the name of the Arrow type for all else."""
    import pyarrow as pa

    for kind, holds in (("int", pa.types.is_integer), ("float", pa.types.is_floating), ("bool", pa.types.is_boolean)):
        if holds(arrow_type):
            return kind
    return str(arrow_type)


def chosen(path: str, schema: Any, columns: Sequence[str] | None) -> tuple[ColumnInfo, ...]:
    """The requested columns of an Arrow schema, in the order of the request; all for None.

    Errors: `ColumnError` naming the file, and a column that is missing or there twice, or a request for none.
    """
    there: dict[str, ColumnInfo] = {}
    for field in schema:
        if field.name in there and (columns is None or field.name in columns):
            raise ColumnError(f"{path}: column {field.name!r} is there twice", path=path, column=field.name)
        there[field.name] = ColumnInfo(field.name, kind_of(field.type))
    for name in columns or ():
        if name not in there:
            listed = ", ".join(there)
            raise ColumnError(f"{path}: there is no column {name!r}; it has {listed}", path=path, column=name)
    wanted = tuple(there if columns is None else dict.fromkeys(columns))
    if not wanted:
        raise ColumnError(f"{path}: no column is asked for, or the file has none", path=path)
    return tuple(there[name] for name in wanted)


def agreed(columns: Mapping[str, tuple[ColumnInfo, ...]]) -> tuple[ColumnInfo, ...]:
    """The columns that all of some files (or partitions), by name, have: those of the first.

    Errors: `ColumnError` naming the file and the column that differ; the order of columns may differ.
    """
    (first_name, first), *rest = columns.items()
    for name, found in rest:
        kinds = {column.name: column.kind for column in found}
        for column in first:
            if column.name not in kinds:
                reason = f"{name}: there is no column {column.name!r}, which {first_name} has"
                raise ColumnError(reason, path=name, column=column.name)
            if kinds.pop(column.name) != column.kind:
                kind = next(other.kind for other in found if other.name == column.name)
                reason = f"{name}: column {column.name!r} is {kind}, but {column.kind} in {first_name}"
                raise ColumnError(reason, path=name, column=column.name)
        for extra in kinds:
            reason = f"{name}: there is a column {extra!r}, which {first_name} does not have"
            raise ColumnError(reason, path=name, column=extra)
    return first
