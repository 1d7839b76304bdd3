"""CSV: streamed once to count rows and to settle types, streamed again where partitions are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from icm_ray.owner.columns import asked_for, chosen
from icm_ray.owner.compression import DAMAGED
from icm_ray.owner.csv_faults import check_quotes, unreadable
from icm_ray.owner.csv_stream import Reading, header, stream
from icm_ray.owner.csv_types import inspected
from icm_ray.owner.partitions import Group, Piece
from icm_ray.owner.paths import Stamp, expand
from icm_ray.owner.reading import FileFacts, FileTable, file_table
from icm_ray.query.dialect import Dialect
from icm_ray.query.kinds import one_form
from icm_ray.query.tasks import ColumnInfo, CsvSource

__all__ = ["open_csv"]


def open_csv(source: CsvSource, partition_bytes: int) -> FileTable:
    """Read the files once. Errors: `SourceError`, `ColumnError`; see `owner.tables.Tables.open`."""
    wanted = asked_for(source.columns)
    stamps = {path: Stamp.of(path) for path in expand(source.paths)}
    layout = _Csv(source.dialect)
    files = {path: layout.look_through(path, wanted) for path in stamps}
    return file_table(files, stamps, wanted, layout, partition_bytes)


class _Csv:
    together = True

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._readings: dict[str, Mapping[str, Reading]] = {}  # by file, by column
        self._lacking: set[tuple[str, str]] = set()  # file and column: it has missing values

    def look_through(self, path: str, wanted: Sequence[str] | None) -> FileFacts:
        """One pass over a file, or two where a type does not last. Errors: `SourceError`."""
        own = header(path, self._dialect)
        plain = [one_form(name) or f"Unnamed: {number}" for number, name in enumerate(own)]  # as pandas calls them
        names = chosen(plain, wanted)
        at = {name: own[plain.index(name)] for name in names}
        single = {name: own_name for name, own_name in at.items() if own.count(own_name) == plain.count(name) == 1}
        counting = single or {name: name for name in own[:1]}  # where nothing is read, rows are counted all the same
        readings, rows, size = inspected(path, self._dialect, counting)
        check_quotes(path, self._dialect)
        self._readings[path] = readings
        self._lacking.update((path, name) for name, reading in readings.items() if reading.nulls)
        columns = []
        for name in names:
            if name in single:
                read = readings[name]
                columns.append(ColumnInfo(name, read.kind, read.origin, read.fault, bool(read.nulls)))
            else:
                columns.append(ColumnInfo(name, "unequal", fault=f"{path}: column {name!r} is there twice"))
        return FileFacts(tuple(plain), tuple(columns), (Group(path, 0, rows),) if rows else (), size)

    def full(self, group: Group, column: str) -> bool:
        return (group.path, column) not in self._lacking

    def batches(self, piece: Piece, columns: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa

        path = piece.group.path
        try:
            yield from stream(path, self._dialect, {name: self._readings[path][name] for name in columns})
        except (*DAMAGED, UnicodeError, pa.ArrowException):
            raise unreadable(path, self._dialect) from None
