"""Partitions of an owner's files, read on demand: in order at the cost of one pass, the last ones from memory.

Nothing of an Arrow error's text is repeated in an error here: it may hold a cell's value.
"""

from __future__ import annotations

import glob
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from icm_ray.errors import ProgramError, SourceError
from icm_ray.owner.columns import NUMBERS, agreed
from icm_ray.owner.partitions import Group, Piece, cut
from icm_ray.query.tasks import ColumnInfo, TableInfo

__all__ = ["FileTable", "Format", "PushedTable", "Readable", "Stamp", "expand", "file_table"]


_ELEMENT_BYTES = 8  # a number is a ring element once it is shared, whatever its width in the file


class Readable(Protocol):
    """An opened table."""

    info: TableInfo

    def blocks(self, partition: int, column: str) -> Iterator[Any]:
        """The Arrow arrays of one partition of a column, in order; the caller has checked both."""


class Format(Protocol):
    """How one kind of file is read. together: all columns come from the same pass, so all of them are kept."""

    together: bool

    def batches(self, piece: Piece, columns: Sequence[str]) -> Iterator[Any]:
        """Record batches of the piece's group, from the group's first row on. Errors: `SourceError`."""


# --- paths --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file was changed after it was opened."""

    size: int
    modified: int

    @classmethod
    def of(cls, path: str) -> Stamp:
        """The stamp of a file. Errors: `SourceError`."""
        try:
            status = os.stat(path)
        except OSError:
            raise SourceError(f"{path}: cannot be read", path=path) from None
        return cls(status.st_size, status.st_mtime_ns)

    def check(self, path: str) -> None:
        """Raise `SourceError` if the file is another one now."""
        if Stamp.of(path) != self:
            raise changed(path)


def changed(path: str) -> SourceError:
    """The error for a file that no longer holds what it held when it was opened."""
    return SourceError(f"{path}: the file was changed after it was opened; open it again", path=path)


def expand(paths: Sequence[str]) -> tuple[str, ...]:
    """Absolute paths of files: `~` and wildcards expanded (`**` too), each pattern's files sorted, none twice.

    Errors: `SourceError` naming the path that is missing, no file, or matches nothing.
    """
    files: dict[str, None] = {}
    for path in paths:
        plain = os.path.abspath(os.path.expanduser(path))
        if os.path.isfile(plain):
            files[plain] = None
            continue
        if os.path.isdir(plain):
            raise SourceError(f"{path}: a directory; name its files, as in {os.path.join(path, '*')}", path=path)
        if not glob.has_magic(plain):
            raise SourceError(f"{path}: no such file ({plain})", path=path)
        matched = sorted(found for found in glob.glob(plain, recursive=True) if os.path.isfile(found))
        if not matched:
            raise SourceError(f"{path}: matches no file ({plain})", path=path)
        files.update(dict.fromkeys(matched))
    if not files:
        raise SourceError("no path is given")
    return tuple(files)


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
        layout: Format,
        cache_bytes: int,
    ) -> None:
        self.info = info
        self._partitions, self._format, self._cache_bytes = partitions, layout, cache_bytes
        self._stamps = dict(stamps)
        self._columns = tuple(column.name for column in info.columns)
        self._kept: OrderedDict[tuple[int, tuple[str, ...]], tuple[int, list[Any]]] = OrderedDict()
        self._cursor_key: tuple[Any, ...] | None = None
        self._cursor: _Cursor | None = None

    def blocks(self, partition: int, column: str) -> Iterator[Any]:
        columns = self._columns if self._format.together else (column,)
        for batch in self._batches(partition, columns):
            yield batch.column(column)

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


def file_table(
    paths: Sequence[str],
    stamps: Mapping[str, Stamp],
    columns: Mapping[str, tuple[ColumnInfo, ...]],
    groups: Sequence[Group],
    other_bytes: int,
    layout: Format,
    partition_bytes: int,
) -> FileTable:
    """A table of files that were looked through. columns: by file. other_bytes: of all columns that are no numbers.

    Errors: `SourceError` (no rows, or a file was changed meanwhile), `ColumnError` (files disagree).
    """
    rows = sum(group.rows for group in groups)
    if not rows:
        raise SourceError(f"{', '.join(paths)}: no rows", paths=tuple(paths))
    common = agreed(columns)
    for path, stamp in stamps.items():
        stamp.check(path)
    numbers = sum(column.kind in NUMBERS for column in common)
    partitions = cut(groups, _ELEMENT_BYTES * numbers + other_bytes / rows, partition_bytes)
    info = TableInfo(common, tuple(sum(piece.rows for piece in pieces) for pieces in partitions))
    return FileTable(info, partitions, stamps, layout, partition_bytes)


class PushedTable:
    """Partitions that were sent here, in memory."""

    def __init__(self, info: TableInfo, tables: Mapping[int, Any]) -> None:
        self.info = info
        self._tables = dict(tables)

    def blocks(self, partition: int, column: str) -> Iterator[Any]:
        if partition not in self._tables:
            raise ProgramError(f"partition {partition} is not held by this worker")
        yield from self._tables[partition].column(column).chunks
