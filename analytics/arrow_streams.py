"""Tables that other libraries offer as Arrow streams: polars, duckdb, pyarrow itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from icm_ray.errors import ColumnError, InputError
from icm_ray.owner.columns import kind_of
from icm_ray.query.kinds import one_form
from icm_ray.query.tasks import ColumnInfo

__all__ = ["ArrowRows", "Rows", "streams", "twice"]

_SAMPLE = 1000


class Rows(Protocol):
    """What an owner brings, in this process's memory. columns: those that cannot be sent have a `fault`."""

    @property
    def columns(self) -> tuple[ColumnInfo, ...]:
        """Names, kinds and faults."""

    def __len__(self) -> int:
        """The number of rows."""

    def cut(self, start: int, stop: int) -> Any:
        """Rows start to stop (excluded) of the columns without a fault, as an Arrow table; always of one schema."""


def twice(owner: str, name: str) -> str:
    """The fault of a column whose name another one has, too."""
    return f"{owner}: column {name!r} is there twice; rename one of them"


@dataclass(frozen=True, slots=True)
class ArrowRows:
    """An Arrow table, its columns' names in their one form. columns: as in `Rows`."""

    table: Any
    columns: tuple[ColumnInfo, ...]

    @classmethod
    def of(cls, owner: str, source: Any) -> ArrowRows | None:
        """The rows of whatever offers an Arrow stream or array; None for what does not.

        Errors: `InputError` (a stream that breaks off, or that is no table), `ColumnError` (no columns).
        """
        import pyarrow as pa

        try:
            if hasattr(source, "__arrow_c_stream__"):
                table = pa.RecordBatchReader.from_stream(source).read_all()
            elif hasattr(source, "__arrow_c_array__"):
                table = pa.Table.from_batches([pa.record_batch(source)])
            else:
                return None
        except (pa.ArrowException, OSError, TypeError, ValueError):
            reason = f"owner {owner!r}: the Arrow stream of {type(source).__name__} is no table, or breaks off"
            raise InputError(reason, owner=owner) from None
        infos: list[ColumnInfo] = []
        kept: list[int] = []
        names = [one_form(name) for name in table.column_names]
        for position, name in enumerate(names):
            if name in names[:position]:
                continue
            empty = len(table) > 0 and table.column(position).null_count == len(table)
            fault = twice(owner, name) if names.count(name) > 1 else ""
            infos.append(ColumnInfo(name, "null" if empty else kind_of(table.schema.field(position)), fault=fault))
            kept += [] if fault else [position]
        if not kept:
            reason = infos[0].fault if infos else f"{owner}: the table has no columns"
            raise ColumnError(reason, owner=owner)
        return cls(table.select(kept).rename_columns([names[position] for position in kept]), tuple(infos))

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def cut(self, start: int, stop: int) -> Any:
        return self.table.slice(start, stop - start)


def streams(rows: Rows, partition_bytes: int) -> tuple[int, Iterator[bytes]]:
    """(number of partitions, an Arrow IPC stream for each, made when it is asked for): about `partition_bytes` each, 8
    bytes a number, texts as in the first rows. One partition at least, which may be empty.
    """
    sample = rows.cut(0, min(_SAMPLE, len(rows)))
    each = max(1, sample.nbytes // max(sample.num_rows, 1))
    most = max(1, int(partition_bytes) // int(each))
    return max(1, -(-len(rows) // most)), _ipc(rows, most)


def _ipc(rows: Rows, most: int) -> Iterator[bytes]:
    import pyarrow as pa

    for start in range(0, max(len(rows), 1), most):
        table = rows.cut(start, min(start + most, len(rows)))
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        yield sink.getvalue().to_pybytes()
