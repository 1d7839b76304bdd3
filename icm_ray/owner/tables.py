"""An owner's tables: opened where they lie, read a partition at a time, left only as inputs of programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError, ProgramError, ShapeError, SourceError
from icm_ray.owner.columns import kind_of
from icm_ray.owner.group_rows import group_rows
from icm_ray.owner.images.files import ImageTable, open_images
from icm_ray.owner.masked_values import masked_values
from icm_ray.owner.reading import PushedTable, Readable
from icm_ray.owner.scan import aggregates
from icm_ray.owner.values import missing, plain_numbers
from icm_ray.query.expressions.words import words as words_of
from icm_ray.query.image_tasks import ImageRows, ImageSource
from icm_ray.query.kinds import NUMBERS, PartColumns, agreed
from icm_ray.query.tasks import (
    Aggregate,
    ColumnInfo,
    ColumnValues,
    CsvSource,
    GroupRows,
    InputTask,
    ParquetSource,
    Source,
    TableInfo,
)
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import encode

__all__ = ["Tables"]

_PARTITION_BYTES = 64 * 1024 * 1024


class Tables:
    """The opened tables of one worker, by name.

    partition_bytes: plaintext bytes of a partition, about (8 for each number of a row). Memory: what is pushed here,
    and for each opened table the partitions used last, up to as many bytes. One call at a time works on tables.
    """

    def __init__(self, partition_bytes: int = _PARTITION_BYTES) -> None:
        self._partition_bytes = partition_bytes
        self._tables: dict[str, Readable] = {}
        self._images: dict[str, ImageTable] = {}
        self._lock = Lock()  # passes over files are shared between reads

    def open(self, name: str, source: Source) -> TableInfo:
        """Open files under `name` (an older table of that name is dropped); returns the table's public facts.

        Errors: `SourceError` naming the path (missing, nothing matches, unreadable), `ColumnError` (requested but in
        none of the files). What else is wrong with a column is its `fault`, and raised when it is used.
        """
        self.close(name)
        if isinstance(source, ImageSource):
            self._images[name] = open_images(source)
            return self._images[name].info
        table: Readable
        if isinstance(source, ParquetSource):
            from icm_ray.owner.parquet import open_parquet

            table = open_parquet(source, self._partition_bytes)
        elif isinstance(source, CsvSource):
            from icm_ray.owner.delimited import open_csv

            table = open_csv(source, self._partition_bytes)
        else:
            raise ProgramError("a pushed table is received, one of a catalogue needs an instance that has one")
        self._tables[name] = table
        return table.info

    def receive(self, name: str, partitions: int, pushed: Iterable[tuple[int, bytes]]) -> TableInfo:
        """Take (partition, Arrow IPC stream) pairs held here, out of `partitions`; rows are 0 for all others.

        Errors: `ProgramError` (a partition that is not one, or twice), `SourceError` (no Arrow stream, or one whose
        arrays do not fit together).
        """
        self.close(name)
        tables: dict[int, Any] = {}
        parts: list[PartColumns] = []
        for part, payload in pushed:
            if not 0 <= part < partitions or part in tables:
                raise ProgramError(f"partition {part} was pushed; there are {partitions}, each is pushed once")
            tables[part], columns = _from_stream(part, payload)
            parts.append(PartColumns(f"partition {part}", columns, tables[part].num_rows))
        rows = tuple(tables[part].num_rows if part in tables else 0 for part in range(partitions))
        table = PushedTable(TableInfo(agreed(parts) if parts else (), rows), tables)
        self._tables[name] = table
        return table.info

    def info(self, name: str) -> TableInfo:
        """The public facts of a table. Errors: `ProgramError` (unknown table)."""
        return self._images[name].info if name in self._images else self._table(name).info

    def has(self, name: str) -> bool:
        """Whether a table of this name is open."""
        return name in self._tables or name in self._images

    def close(self, name: str) -> None:
        """Drop a table, if there is one of this name."""
        self._tables.pop(name, None)
        self._images.pop(name, None)

    def make(self, task: InputTask) -> RingArray:
        """The ring elements (or words of an aggregate) that a task asks for; shapes: `query.tasks`.

        Errors: `ProgramError` (unknown table or partition, another task), `ColumnError` (unknown, or no numbers),
        `NullError` (null, NaN, infinite), `BoundError` (beyond a bound). None of them tells a value or a row.
        """
        with self._lock:
            if isinstance(task, ColumnValues):
                return self._values(task)
            if isinstance(task, Aggregate):
                return aggregates(self._table(task.table), {"": self._with_kind(task)})[""]
            if isinstance(task, GroupRows):
                return group_rows(self._table(task.table), task)
            if isinstance(task, ImageRows):
                if task.table not in self._images:
                    raise ProgramError("the images are not here any more: they were forgotten; name them again")
                return self._images[task.table].make(task)
        raise ProgramError("what the driver gives does not come from a table")

    def make_all(
        self, tasks: Mapping[str, InputTask], secret: Callable[[str], bytes] | None = None
    ) -> dict[str, RingArray]:
        """What all tasks ask for, by name; aggregates over the same partitions of a table take one pass. secret: by
        the name of a policy what keys of rows are drawn from. Errors: those of `make`.
        """
        made: dict[str, RingArray] = {}
        together: dict[tuple[str, tuple[int, ...]], dict[str, Aggregate]] = {}
        for name, task in tasks.items():
            if isinstance(task, Aggregate):
                together.setdefault((task.table, task.partitions), {})[name] = self._with_kind(task)
            else:
                made[name] = self.make(task)
        with self._lock:
            for (table, _), some in together.items():
                made |= aggregates(self._table(table), some, secret)
        return made

    def _with_kind(self, task: Aggregate) -> Aggregate:
        """With this table's own kind where none was agreed on."""
        if task.read_as or not isinstance(task.column, str):
            return task
        kinds = {info.name: info.kind for info in self._table(task.table).info.columns}
        return msgspec.structs.replace(task, read_as=kinds.get(task.column, "null"))

    def _values(self, task: ColumnValues) -> RingArray:
        table, name = self._table(task.table), words_of(task.column)
        if isinstance(task.column, str) and task.where is None and not task.nullable and not task.domain:
            blocks = self._numbers(task.table, task.partition, task.column, task.read_as)
        else:
            blocks = masked_values(table, task)
        rows = table.info.rows[task.partition]
        words, start = np.empty(rows, np.uint64), 0
        for block in blocks:
            words[start : start + block.size] = encode(block, task.f, task.bound, name)
            start += block.size
        if start != rows:
            raise ShapeError(f"{name}: partition {task.partition} has not as many rows as when it was opened")
        return words

    def _table(self, name: str) -> Readable:
        if name not in self._tables:
            raise ProgramError("the rows are not here any more: they were forgotten; read them again")
        return self._tables[name]

    def _numbers(self, name: str, partition: int, column: str, read_as: str) -> Iterator[NDArray[np.generic]]:
        """Blocks of a partition of a column; table, partition and column are checked at once."""
        table, kind = self._checked(name, partition, column)
        if kind == "int" and read_as == "float":
            kind = read_as
        if kind and kind not in NUMBERS and kind != "null":
            raise ColumnError(f"{column}: numbers are needed, and its type is {kind}", column=column)
        blocks = table.blocks(partition, column)
        if read_as and kind in NUMBERS and kind != read_as:
            blocks = self._without_values(
                blocks, f"{column}: its type is {kind}, where {read_as} was agreed on", column
            )
        return (plain_numbers(block, column, kind) for block in blocks)

    @staticmethod
    def _without_values(blocks: Iterator[Any], otherwise: str, column: str) -> Iterator[Any]:
        """Blocks without a value, which are of any kind; `ColumnError` at the first that has one."""
        for block in blocks:
            if block.null_count < len(block):
                raise ColumnError(otherwise, column=column)
            yield block

    def _checked(self, name: str, partition: int, column: str) -> tuple[Readable, str]:
        """A table that is there, and the kind of a column that is there, "" where this worker holds none of it."""
        table = self._table(name)
        infos = {info.name: info for info in table.info.columns}
        if not 0 <= partition < len(table.info.rows):
            raise ProgramError(f"a table of {len(table.info.rows)} partitions, none of number {partition}")
        if not infos:
            return table, ""
        if column not in infos:
            raise ColumnError(f"there is no column {column!r}; there are {', '.join(infos)}", column=column)
        if infos[column].fault:
            raise ColumnError(infos[column].fault, column=column)
        return table, infos[column].kind


def _from_stream(part: int, payload: bytes) -> tuple[Any, tuple[ColumnInfo, ...]]:
    """The table of a stream, and its columns. Nothing in it points outside its own buffers."""
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(pa.BufferReader(payload)).read_all()
        columns = tuple(
            ColumnInfo(field.name, kind_of(field), nullable=any(map(missing, table.column(place).chunks)))
            for place, field in enumerate(table.schema)
        )
    except (OSError, UnicodeError, pa.ArrowException):
        raise SourceError(f"partition {part}: what was pushed is no Arrow IPC stream") from None
    names = [info.name for info in columns]
    if repeated := [name for name in names if names.count(name) > 1]:
        raise SourceError(f"partition {part}: what was pushed has two columns {repeated[0]!r}")
    try:
        table.validate(full=True)
    except (OSError, UnicodeError, pa.ArrowException):  # its text holds values
        raise SourceError(f"partition {part}: what was pushed is a damaged Arrow IPC stream") from None
    return table, columns
