"""A CSV file as record batches of numbers and text."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from icm_ray.errors import SourceError
from icm_ray.owner.cells import parsed, without_numbers
from icm_ray.owner.compression import DAMAGED
from icm_ray.owner.csv_faults import unreadable
from icm_ray.owner.lines import byte_stream, records
from icm_ray.query.dialect import Dialect

__all__ = ["Reading", "header", "stream"]


@dataclass(frozen=True, slots=True)
class Reading:
    """How one column is read. own: its name in the file. type: Arrow's. as_text: read as text, and parsed here.

    nulls: missing values. origin, fault: as in `ColumnInfo`.
    """

    own: str
    type: str
    as_text: bool = False
    nulls: int = 0
    origin: str = ""
    fault: str = ""

    @property
    def kind(self) -> str:
        """As in `ColumnInfo`."""
        return {"int64": "int", "uint64": "int", "double": "float"}.get(self.type, self.type)


def header(path: str, dialect: Dialect) -> list[str]:
    """The names of a file's columns, as they are. Errors: `SourceError`."""
    try:
        found = next(records(path, dialect), None)
    except (*DAMAGED, UnicodeError, csv.Error):
        raise unreadable(path, dialect) from None
    if found is None:
        raise SourceError(f"{path}: an empty file; a line of column names is needed", path=path)
    return found[1]


def stream(path: str, dialect: Dialect, readings: Mapping[str, Reading], *, ahead: bool = True) -> Iterator[Any]:
    """Record batches of the columns, by the names that the mapping has for them. ahead: later ones are read by threads.

    Errors: `OSError`, `UnicodeError`, `pyarrow.ArrowException`; their texts may hold a cell's value.
    """
    import pyarrow as pa
    from pyarrow import csv as arrow

    source, encoding, skipped = byte_stream(path, dialect)
    types = {reading.own: "string" if reading.as_text else reading.type for reading in readings.values()}
    with source:
        try:
            batches = arrow.open_csv(
                source,
                read_options=arrow.ReadOptions(encoding=encoding, skip_rows=skipped, use_threads=ahead),
                parse_options=arrow.ParseOptions(delimiter=dialect.sep, newlines_in_values=True),
                convert_options=arrow.ConvertOptions(
                    include_columns=list(types) or None,
                    column_types={own: pa.type_for_alias(held) for own, held in types.items()},
                    null_values=list(dialect.nulls),
                    true_values=list(dialect.trues),
                    false_values=list(dialect.falses),
                    strings_can_be_null=True,
                    decimal_point=dialect.decimal,
                ),
            )
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):  # a header without an end of line, and nothing below
                return
            raise
        for batch in batches:
            yield pa.record_batch([_column(batch, reading, dialect) for reading in readings.values()], list(readings))


def _column(batch: Any, reading: Reading, dialect: Dialect) -> Any:
    import pyarrow as pa

    cells = batch.column(reading.own)
    if reading.as_text:
        cells = parsed(cells, reading.type, dialect)
        if cells is None:
            raise pa.ArrowInvalid("conversion error")
    return without_numbers(cells, dialect.na_numbers)
