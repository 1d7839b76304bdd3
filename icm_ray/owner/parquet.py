"""Parquet: row groups are merged and split into partitions; only the column that is needed is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from icm_ray.errors import SourceError
from icm_ray.owner.partitions import Group, Piece, cut
from icm_ray.owner.reading import FileTable, agreed, chosen, expand
from icm_ray.owner.tasks import ColumnInfo, ParquetSource, TableInfo

__all__ = ["open_parquet"]

_BATCH_ROWS = 1 << 16
_ELEMENT_BYTES = 8  # a number is a ring element once it is shared, whatever its width in the file


def open_parquet(source: ParquetSource, partition_bytes: int) -> FileTable:
    """Read the files' footers. Errors: `SourceError`, `ColumnError`; see `owner.tables.Tables.open`."""
    columns: dict[str, tuple[ColumnInfo, ...]] = {}
    groups: list[Group] = []
    text_bytes = 0
    for path in expand(source.paths):
        file = _opened(path)
        columns[path] = chosen(path, file.schema_arrow, source.columns)
        for number in range(file.metadata.num_row_groups):
            facts = file.metadata.row_group(number)
            groups.append(Group(path, number, facts.num_rows))
            text_bytes += _other_bytes(facts, columns[path])
        file.close()
    common = agreed(columns)
    rows = sum(group.rows for group in groups)
    if not rows:
        raise SourceError(f"{', '.join(source.paths)}: no rows", paths=source.paths)
    numbers = sum(column.kind in {"int", "float", "bool"} for column in common)
    partitions = cut(groups, _ELEMENT_BYTES * numbers + text_bytes / rows, partition_bytes)
    info = TableInfo(common, tuple(sum(piece.rows for piece in pieces) for pieces in partitions))
    return FileTable(info, partitions, _Parquet(), partition_bytes)


def _other_bytes(row_group: Any, columns: Sequence[ColumnInfo]) -> int:
    """Uncompressed bytes of the columns that are no numbers."""
    others = {column.name for column in columns if column.kind not in {"int", "float", "bool"}}
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
