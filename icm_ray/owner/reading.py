"""Partitions of an owner's files, read on demand: in order at the cost of one pass, the last ones from memory.

Nothing of an Arrow error's text is repeated in an error here: it may hold a cell's value.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from icm_ray.errors import ColumnError, ProgramError
from icm_ray.owner.hive import Constants, partition_columns, partition_infos
from icm_ray.owner.partitions import Group, Piece, cut
from icm_ray.owner.paths import Stamp, changed, from_home
from icm_ray.query.kinds import NUMBERS, PartColumns, agreed
from icm_ray.query.tasks import ColumnInfo, FileInfo, TableInfo

__all__ = ["FileFacts", "FileTable", "Format", "PushedTable", "Readable", "file_table"]


_REPEATED_ROWS = 1 << 16
_ELEMENT_BYTES = 8  # a number is a ring element once it is shared, whatever its width in the file


class Readable(Protocol):
    """An opened table."""

    info: TableInfo

    def blocks(self, partition: int, column: str) -> Iterator[Any]:
        """The Arrow arrays of one partition of a column, in order; the caller has checked both."""

    def batches(self, partition: int, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Rows of one partition in order: how many, and the Arrow array of each column; the caller has checked both."""

    def full(self, partition: int, column: str) -> bool:
        """Whether it is known, without reading, that no value is missing."""


class Format(Protocol):
    """How one kind of file is read. together: all columns come from the same pass, so all of them are kept."""

    together: bool

    def batches(self, piece: Piece, columns: Sequence[str]) -> Iterator[Any]:
        """Record batches of the piece's group, from the group's first row on. Errors: `SourceError`."""

    def full(self, group: Group, column: str) -> bool:
        """Whether opening the file told that no value of the group is missing."""


# --- opened tables ------------------------------------------------------------------------------------------------


@dataclass(slots=True, repr=False)
class _Cursor:
    """An open pass over one group: batches from row `position` on are still to come, `rest` first."""

    source: Iterator[Any]
    position: int = 0
    rest: Any = None

    def until(self, piece: Piece) -> Iterator[Any]:
        """Batches that make up rows start to stop of a piece. Errors: `SourceError` where the file ends early."""
        while self.position < piece.stop:
            batch = self.rest if self.rest is not None else next(self.source, None)
            self.rest = None
            if batch is None:
                raise changed(piece.group.path)
            skipped = min(max(piece.start - self.position, 0), batch.num_rows)
            taken = min(piece.stop - self.position, batch.num_rows)
            self.position += taken
            if taken < batch.num_rows:
                self.rest = batch.slice(taken)
            if taken > skipped:
                yield batch.slice(skipped, taken - skipped)


class FileTable:
    """Partitions of files: lazily, one pass for partitions in order, the last used kept up to `cache_bytes`."""

    def __init__(
        self,
        info: TableInfo,
        partitions: tuple[tuple[Piece, ...], ...],
        stamps: Mapping[str, Stamp],
        constants: Mapping[str, Constants],
        layout: Format,
        cache_bytes: int,
    ) -> None:
        self.info = info
        self._constants = constants
        self._partitions, self._format, self._cache_bytes = partitions, layout, cache_bytes
        self._stamps = dict(stamps)
        self._in_paths = {name for given in constants.values() for name in given}  # every file has them
        readable = [column.name for column in info.columns if not column.fault]
        self._columns = tuple(name for name in readable if name not in self._in_paths)
        self._kept: OrderedDict[tuple[int, tuple[str, ...]], tuple[int, list[Any]]] = OrderedDict()
        self._cursor_key: tuple[Any, ...] | None = None
        self._cursor: _Cursor | None = None

    def blocks(self, partition: int, column: str) -> Iterator[Any]:
        if column in self._in_paths:
            yield from self._repeated(partition, column)
            return
        for batch in self._batches(partition, self._columns if self._format.together else (column,)):
            yield batch.column(column)

    def batches(self, partition: int, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        import pyarrow as pa

        of_file = tuple(sorted(name for name in columns if name not in self._in_paths))
        of_path = [name for name in columns if name in self._in_paths]
        pieces = iter(self._partitions[partition])
        piece = next(pieces)
        left = piece.rows
        for count, found in self._of_files(partition, of_file):
            while not left:
                piece = next(pieces)
                left = piece.rows
            left -= count  # no batch is of two pieces
            for name in of_path:
                found[name] = pa.repeat(pa.scalar(self._constants[piece.group.path][name]), count)
            yield count, found

    def _of_files(self, partition: int, names: tuple[str, ...]) -> Iterator[tuple[int, dict[str, Any]]]:
        if not names:
            for piece in self._partitions[partition]:
                for start in range(0, piece.rows, _REPEATED_ROWS):
                    yield min(_REPEATED_ROWS, piece.rows - start), {}
            return
        for batch in self._batches(partition, self._columns if self._format.together else names):
            yield batch.num_rows, {name: batch.column(name) for name in names}

    def _repeated(self, partition: int, column: str) -> Iterator[Any]:
        import pyarrow as pa

        for piece in self._partitions[partition]:
            value = pa.scalar(self._constants[piece.group.path][column])
            for start in range(0, piece.rows, _REPEATED_ROWS):
                yield pa.repeat(value, min(_REPEATED_ROWS, piece.rows - start))

    def full(self, partition: int, column: str) -> bool:
        return all(
            self._constants[piece.group.path][column] is not None
            if column in self._in_paths
            else self._format.full(piece.group, column)
            for piece in self._partitions[partition]
        )

    def _batches(self, partition: int, columns: tuple[str, ...]) -> Iterator[Any]:
        key = (partition, columns)
        for piece in self._partitions[partition]:
            self._stamps[piece.group.path].check(piece.group.path)
        if key in self._kept:
            self._kept.move_to_end(key)
            yield from self._kept[key][1]
            return
        read: list[Any] = []
        size = 0
        for piece in self._partitions[partition]:
            for batch in self._rows(piece, columns):
                size += batch.nbytes
                if size <= self._cache_bytes:
                    read.append(batch)
                else:
                    read.clear()
                yield batch
        if size <= self._cache_bytes:
            self._keep(key, size, read)

    def _rows(self, piece: Piece, columns: tuple[str, ...]) -> Iterator[Any]:
        """Batches of a piece, from the open pass if the piece is still ahead of it, else from a new one."""
        key = (piece.group, columns)
        cursor, self._cursor = self._cursor, None  # a pass that fails, or is left half way, is not gone on with
        if cursor is None or self._cursor_key != key or cursor.position > piece.start:
            cursor = _Cursor(self._format.batches(piece, columns))
        yield from cursor.until(piece)
        self._cursor_key, self._cursor = key, cursor

    def _keep(self, key: tuple[int, tuple[str, ...]], size: int, batches: list[Any]) -> None:
        self._kept[key] = (size, batches)
        while sum(held for held, _ in self._kept.values()) > self._cache_bytes:
            self._kept.popitem(last=False)


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What opening told of one file. names: of all its columns. columns: those that are read. other_bytes: of all of
    these that are no numbers.
    """

    names: tuple[str, ...]
    columns: tuple[ColumnInfo, ...]
    groups: tuple[Group, ...]
    other_bytes: int

    @property
    def rows(self) -> int:
        """Rows of all groups."""
        return sum(group.rows for group in self.groups)


def file_table(
    files: Mapping[str, FileFacts],
    stamps: Mapping[str, Stamp],
    wanted: Sequence[str] | None,
    layout: Format,
    partition_bytes: int,
) -> FileTable:
    """A table of files that were looked through, by path. wanted: columns, None for all.

    Errors: `SourceError` (a file was changed meanwhile), `ColumnError` (a wanted column is in none of the files).
    """
    constants = partition_columns(files)
    parts = []
    for path, facts in files.items():
        found = {column.name: _from(path, column) for column in facts.columns} | partition_infos(path, constants[path])
        names = found if wanted is None else [name for name in wanted if name in found]
        parts.append(PartColumns(path, tuple(found[name] for name in names), facts.rows))
    common = agreed(parts)
    there = {column.name: column for column in common}
    for name in wanted or ():
        if name not in there:
            known = [*(facts.names for facts in files.values()), *constants.values()]
            listed = ", ".join(dict.fromkeys(name for names in known for name in names))
            raise ColumnError(f"{', '.join(files)}: there is no column {name!r}; there are {listed}", column=name)
    common = common if wanted is None else tuple(there[name] for name in wanted)
    if not common:
        raise ColumnError(f"{', '.join(files)}: no column is asked for, or there is none")
    for path, stamp in stamps.items():
        stamp.check(path)
    rows = sum(facts.rows for facts in files.values())
    numbers = sum(column.kind in NUMBERS for column in common)
    others = sum(facts.other_bytes for facts in files.values()) / max(rows, 1)
    groups = [group for facts in files.values() for group in facts.groups]
    partitions = cut(groups, _ELEMENT_BYTES * numbers + others, partition_bytes)
    seen = tuple(
        FileInfo(from_home(path), stamps[path].size, stamps[path].modified, files[path].rows) for path in files
    )
    info = TableInfo(common, tuple(sum(piece.rows for piece in pieces) for pieces in partitions), seen)
    return FileTable(info, partitions, stamps, constants, layout, partition_bytes)


def _from(path: str, column: ColumnInfo) -> ColumnInfo:
    origin = f"{path}: {column.origin}" if column.origin else path
    return ColumnInfo(column.name, column.kind, origin, column.fault, column.nullable)


class PushedTable:
    """Partitions that were sent here, in memory."""

    def __init__(self, info: TableInfo, tables: Mapping[int, Any]) -> None:
        self.info = info
        self._tables = dict(tables)

    def blocks(self, partition: int, column: str) -> Iterator[Any]:
        if partition not in self._tables:
            raise ProgramError(f"partition {partition} is not held by this worker")
        yield from self._tables[partition].column(column).chunks

    def batches(self, partition: int, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
        if partition not in self._tables:
            raise ProgramError(f"partition {partition} is not held by this worker")
        table = self._tables[partition]
        if not columns:
            yield table.num_rows, {}
            return
        for batch in table.select(list(columns)).to_batches():
            yield batch.num_rows, dict(zip(columns, batch.columns, strict=True))

    def full(self, partition: int, column: str) -> bool:
        return False  # it is in memory: counting costs nothing
