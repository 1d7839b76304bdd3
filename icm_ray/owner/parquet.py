"""Parquet: row groups are merged and split into partitions; only the column that is needed is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from icm_ray.errors import SourceError
from icm_ray.owner.columns import asked_for, chosen, kind_of
from icm_ray.owner.partitions import Group, Piece
from icm_ray.owner.paths import Stamp, expand
from icm_ray.owner.reading import FileFacts, FileTable, file_table
from icm_ray.query.kinds import NUMBERS, one_form
from icm_ray.query.tasks import ColumnInfo, ParquetSource

__all__ = ["open_parquet"]

_BATCH_ROWS = 1 << 16


def open_parquet(source: ParquetSource, partition_bytes: int) -> FileTable:
    """Read the files' footers. Errors: `SourceError`, `ColumnError`; see `owner.tables.Tables.open`."""
    stamps = {path: Stamp.of(path) for path in expand(source.paths)}
    wanted = asked_for(source.columns)
    files: dict[str, FileFacts] = {}
    layout = _Parquet()
    for path in stamps:
        with _opened(path) as file:
            files[path] = layout.look_through(path, file, wanted)
    return file_table(files, stamps, wanted, layout, partition_bytes)


def _opened(path: str) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException):
        raise SourceError(f"{path}: cannot be read as Parquet", path=path) from None


class _Parquet:
    together = False

    def __init__(self) -> None:
        self._own: dict[str, Mapping[str, str]] = {}  # by file: the names that it has for columns
        self._nulls: dict[tuple[str, int], Mapping[str, int | None]] = {}  # by row group: as its writer counted them
        self._doubles: set[tuple[str, str]] = set()  # file and column: writers do not count NaN

    def look_through(self, path: str, file: Any, wanted: Sequence[str] | None) -> FileFacts:
        """What the footer of a file tells."""
        fields: dict[str, Any] = {}
        twice: set[str] = set()
        for field in file.schema_arrow:
            name = one_form(field.name)
            twice.update({name} & set(fields))
            fields[name] = field
        names = chosen(tuple(fields), wanted)
        self._own[path] = {name: fields[name].name for name in names}
        rows = file.metadata.num_rows
        groups, other_bytes = [], 0
        missing: dict[str, int | None] = dict.fromkeys(names, 0)
        kinds = {name: kind_of(fields[name]) for name in names}
        self._doubles.update((path, name) for name in names if kinds[name] not in {"int", "bool", "string"})
        for number in range(file.metadata.num_row_groups):
            facts = file.metadata.row_group(number)
            groups.append(Group(path, number, facts.num_rows))
            found = self._look_at(path, facts, number, {own: name for name, own in self._own[path].items()})
            for name in names:
                before, more = missing[name], found.get(name)
                missing[name] = None if before is None or more is None else before + more
            other_bytes += _other_bytes(facts, {self._own[path][name] for name in names if kinds[name] not in NUMBERS})
        columns = []
        for name in names:
            kind = "null" if rows and missing[name] == rows else kinds[name]
            fault = f"{path}: column {name!r} is there twice" if name in twice else ""
            nullable = missing[name] != 0 or kinds[name] == "float"
            columns.append(ColumnInfo(name, kind, fault=fault, nullable=nullable))
        return FileFacts(tuple(fields), tuple(columns), tuple(groups), other_bytes)

    def _look_at(self, path: str, facts: Any, number: int, plain: Mapping[str, str]) -> Mapping[str, int | None]:
        """The nulls of each flat column of a row group, as its writer counted them; None where it did not."""
        nulls: dict[str, int | None] = {}
        for index in range(facts.num_columns):
            chunk = facts.column(index)
            if chunk.path_in_schema in plain:
                counted = chunk.is_stats_set and chunk.statistics.has_null_count
                nulls[plain[chunk.path_in_schema]] = chunk.statistics.null_count if counted else None
        self._nulls[path, number] = nulls
        return nulls

    def full(self, group: Group, column: str) -> bool:
        return self._nulls[group.path, group.number].get(column) == 0 and (group.path, column) not in self._doubles

    def batches(self, piece: Piece, columns: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa

        path, number = piece.group.path, piece.group.number
        own = [self._own[path][name] for name in columns]
        with _opened(path) as file:
            try:
                for batch in file.iter_batches(_BATCH_ROWS, row_groups=[number], columns=own):
                    yield batch.select(own).rename_columns(list(columns))
            except (OSError, pa.ArrowException):
                raise SourceError(f"{path}: row group {number} cannot be read", path=path) from None


def _other_bytes(row_group: Any, names: set[str]) -> int:
    """Uncompressed bytes of some columns, by their names in the file."""
    facts = [row_group.column(number) for number in range(row_group.num_columns)] if names else []
    return sum(fact.total_uncompressed_size for fact in facts if fact.path_in_schema.split(".")[0] in names)
