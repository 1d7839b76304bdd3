"""CSV: streamed once to count rows and to settle types, streamed again where partitions are needed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from icm_ray.errors import SourceError
from icm_ray.owner.columns import NUMBERS, chosen, kind_of
from icm_ray.owner.partitions import Group, Piece
from icm_ray.owner.reading import FileTable, Stamp, expand, file_table
from icm_ray.query.tasks import ColumnInfo, CsvSource

__all__ = ["open_csv"]

_MISFIT = re.compile(r"In CSV column #(\d+): (?:Row #\d+: )?CSV conversion error")
"""With one thread Arrow knows the row, too."""
_WIDER = {"null": "int64", "int64": "double"}
"""Types are guessed from a file's first block; where a later cell does not fit, the next wider one, at last text."""


def open_csv(source: CsvSource, partition_bytes: int) -> FileTable:
    """Read the files once. Errors: `SourceError`, `ColumnError`; see `owner.tables.Tables.open`."""
    columns: dict[str, tuple[ColumnInfo, ...]] = {}
    types: dict[str, dict[str, Any]] = {}
    groups: list[Group] = []
    other_bytes = 0
    stamps = {path: Stamp.of(path) for path in expand(source.paths)}
    for path in stamps:
        types[path], rows, size = _counted(path, source.columns)
        if rows:
            columns[path] = tuple(ColumnInfo(name, kind_of(held)) for name, held in types[path].items())
            groups.append(Group(path, 0, rows))
            other_bytes += size
    return file_table(source.paths, stamps, columns, groups, other_bytes, _Csv(types), partition_bytes)


def _counted(path: str, columns: Sequence[str] | None) -> tuple[dict[str, Any], int, int]:
    """(type of each column, rows, bytes of columns that are no numbers); a pass more for each type that is widened."""
    import pyarrow as pa

    try:
        guessed = _opened(path, None).schema
        names = guessed.names
    except (OSError, pa.ArrowException, UnicodeDecodeError):  # the last: a header that is no UTF-8
        raise _unreadable(path) from None
    wanted = [column.name for column in chosen(path, guessed, columns)]
    types = {name: guessed.field(name).type for name in wanted}
    while True:
        others = [name for name, held in types.items() if kind_of(held) not in NUMBERS]
        rows = size = 0
        try:
            for batch in _opened(path, types):
                rows += batch.num_rows
                size += sum(batch.column(name).nbytes for name in others)
        except (OSError, pa.ArrowException) as error:
            misfit = _MISFIT.search(str(error))  # the text may hold a cell's value: the column's number alone is taken
        else:
            return types, rows, size
        name = names[int(misfit[1])] if misfit else ""
        if name not in types or pa.types.is_string(types[name]):
            raise _unreadable(path)
        types[name] = pa.type_for_alias(_WIDER.get(str(types[name]), "string"))


def _unreadable(path: str) -> SourceError:
    return SourceError(f"{path}: cannot be read as CSV (UTF-8, a header, lines of as many cells)", path=path)


def _opened(path: str, types: Mapping[str, Any] | None) -> Any:
    """A stream of batches of the columns in `types`, of all columns with guessed types for None."""
    from pyarrow import csv

    convert = csv.ConvertOptions(include_columns=list(types or ()), column_types=types, strings_can_be_null=True)
    return csv.open_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True), convert_options=convert)


class _Csv:
    together = True

    def __init__(self, types: Mapping[str, Mapping[str, Any]]) -> None:
        self._types = types

    def batches(self, piece: Piece, columns: Sequence[str]) -> Iterator[Any]:
        import pyarrow as pa

        path = piece.group.path
        types = self._types[path]
        try:
            yield from _opened(path, {name: types[name] for name in columns})
        except (OSError, pa.ArrowException):
            raise _unreadable(path) from None
