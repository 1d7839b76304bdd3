"""Parquet: row groups are merged and split into partitions; only the column that is needed is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from icm_ray.errors import SourceError
from icm_ray.owner.columns import NUMBERS, chosen
from icm_ray.owner.partitions import Group, Piece
from icm_ray.owner.reading import FileTable, Stamp, expand, file_table
from icm_ray.query.tasks import ColumnInfo, ParquetSource

__all__ = ["open_parquet"]

_BATCH_ROWS = 1 << 16


def open_parquet(source: ParquetSource, partition_bytes: int) -> FileTable:
    """Read the files' footers. Errors: `SourceError`, `ColumnError`; see `owner.tables.Tables.open`."""
    columns: dict[str, tuple[ColumnInfo, ...]] = {}
    groups: list[Group] = []
    other_bytes = 0
    stamps = {path: Stamp.of(path) for path in expand(source.paths)}
    for path in stamps:
        file = _opened(path)
        columns[path] = chosen(path, file.schema_arrow, source.columns)
        for number in range(file.metadata.num_row_groups):
            facts = file.metadata.row_group(number)
            groups.append(Group(path, number, facts.num_rows))
            other_bytes += _other_bytes(facts, columns[path])
        file.close()
    return file_table(source.paths, stamps, columns, groups, other_bytes, _Parquet(), partition_bytes)


def _other_bytes(row_group: Any, columns: Sequence[ColumnInfo]) -> int:
    """Uncompressed bytes of the columns that are no numbers."""
    others = {column.name for column in columns if column.kind not in NUMBERS}
    facts = [row_group.column(number) for number in range(row_group.num_columns)] if others else []
    return sum(fact.total_uncompressed_size for fact in facts if fact.path_in_schema.split(".")[0] in others)


def _opened(path: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException):
        raise SourceError(f"{path}: cannot be read as Parquet", path=path) from None


class _Parquet:
    together = False

    def batches(self, piece: Piece, columns: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa

        path = piece.group.path
        with _opened(path) as file:
            try:
                yield from file.iter_batches(_BATCH_ROWS, row_groups=[piece.group.number], columns=list(columns))
            except (OSError, pa.ArrowException):
                raise SourceError(f"{path}: row group {piece.group.number} cannot be read", path=path) from None
