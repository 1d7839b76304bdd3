"""pandas frames that this process holds for the owners: sent to the owners' workers, a partition at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from analytics.frame import SecureFrame
from analytics.source_checks import check_columns, check_owners, frame_of, log2_bounds
from icm_ray.errors import ColumnError, IcmError, InputError, NullError, OwnerError
from icm_ray.policy import Policy
from icm_ray.query.tasks import ColumnInfo, PushedSource
from icm_ray.runtime.driver.engine import Engine, Table

__all__ = ["from_pandas"]

_SAMPLE = 1000


def from_pandas(
    session: Engine,
    sources: Mapping[str, Any],
    bounds: Mapping[str, float] | None = None,
    policy: Policy | None = None,
) -> SecureFrame:
    """One frame over a pandas.DataFrame of every owner; indices are left out. bounds, policy: as in `read_csv`.

    Integers, floats and booleans, nullable ones too, are numbers; a column of Python objects is what its values are.
    Errors, before anything leaves this process: `OwnerError` (unknown, or without rows), `NullError` (a null, NaN or
    infinite number), `ColumnError` (unequal columns or kinds, names that are no strings or there twice, mixed values),
    `BoundError` (a bound that is none).

    Examples:
        >>> frame = an.from_pandas(session, {"alice": north, "bob": south})
        >>> len(frame)
        5
    """
    import pandas as pd

    check_owners(session, sources, policy)
    schemas: dict[str, Any] = {}
    columns: dict[str, tuple[ColumnInfo, ...]] = {}
    for owner, frame in sources.items():
        if not isinstance(frame, pd.DataFrame):
            raise InputError(f"owner {owner!r}: a pandas.DataFrame is needed, not {type(frame).__name__}", owner=owner)
        if not len(frame):
            raise OwnerError(f"owner {owner!r} brings no rows", owner=owner)
        schemas[owner] = _schema(owner, frame)
        columns[owner] = _infos(schemas[owner])
    log2_bounds(bounds, check_columns(columns))
    for owner, frame in sources.items():
        _check_values(owner, frame, columns[owner])
    tables: dict[str, Table] = {}
    try:
        for owner, frame in sources.items():
            rows = _rows_of_a_partition(frame, schemas[owner], session.config.partition_bytes)
            partitions = -(-len(frame) // rows)
            tables[owner] = session.open_table(owner, PushedSource(partitions), _streams(frame, schemas[owner], rows))
    except IcmError:
        session.forget([table.name for table in tables.values()])
        raise
    return frame_of(session, tables, bounds, policy)


def _schema(owner: str, frame: Any) -> Any:
    """The Arrow types of a frame's columns. Errors: `ColumnError` naming owner and column."""
    import pyarrow as pa

    fields: dict[str, Any] = {}
    for position, name in enumerate(frame.columns):
        if not isinstance(name, str):
            raise ColumnError(f"{owner}: column names must be strings, not {name!r}", owner=owner, column=str(name))
        if name in fields:
            raise ColumnError(f"{owner}: column {name!r} is there twice", owner=owner, column=name)
        try:
            fields[name] = pa.array(frame.iloc[:, position], from_pandas=True).type
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            held = frame.dtypes.iloc[position]
            reason = f"{owner}: column {name!r} ({held}) holds values of different types; convert it to one"
            raise ColumnError(reason, owner=owner, column=name) from None
    if not fields:
        raise ColumnError(f"{owner}: the frame has no columns", owner=owner)
    return pa.schema(list(fields.items()))


def _infos(schema: Any) -> tuple[ColumnInfo, ...]:
    import pyarrow as pa

    def kind(held: Any) -> str:
        if pa.types.is_boolean(held):
            return "bool"
        if pa.types.is_integer(held):
            return "int"
        return "float" if pa.types.is_floating(held) else str(held)

    return tuple(ColumnInfo(field.name, kind(field.type)) for field in schema)


def _check_values(owner: str, frame: Any, columns: tuple[ColumnInfo, ...]) -> None:
    import numpy as np

    for info in columns:
        if info.kind not in {"int", "float", "bool"}:
            continue
        column = frame[info.name]
        if bool(column.isna().any()):
            what = "null or NaN values"
        elif info.kind == "float" and not bool(np.isfinite(column.to_numpy(np.float64)).all()):
            what = "NaN or infinite values"
        else:
            continue
        reason = f"{owner}: column {info.name!r} has {what}; fill them or drop the rows first (or leave the column out)"
        raise NullError(reason, owner=owner, column=info.name)


def _rows_of_a_partition(frame: Any, schema: Any, partition_bytes: int) -> int:
    """Rows that make about `partition_bytes` in Arrow: 8 bytes a number, texts as in the first rows."""
    sample = _table(frame.iloc[:_SAMPLE], schema)
    row = max(1, sample.nbytes // max(sample.num_rows, 1))
    return max(1, int(partition_bytes) // int(row))


def _streams(frame: Any, schema: Any, rows: int) -> Iterator[bytes]:
    """Arrow IPC streams, one a partition, each made when it is asked for."""
    import pyarrow as pa

    for start in range(0, len(frame), rows):
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(_table(frame.iloc[start : start + rows], schema))
        yield sink.getvalue().to_pybytes()


def _table(frame: Any, schema: Any) -> Any:
    import pyarrow as pa

    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
