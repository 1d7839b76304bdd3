"""A stream of Arrow record batches: what pyarrow, polars, duckdb and others offer of tables of any size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from analytics.nn.sources.arrow import ArrowImages
from analytics.nn.sources.source import Block
from icm_ray.errors import InputError

__all__ = ["ArrowStream", "is_arrow_stream"]


def is_arrow_stream(data: object) -> bool:
    """Whether it offers record batches one after the other."""
    return hasattr(data, "__arrow_c_stream__")


class ArrowStream:
    """Rows in order, each record batch read when it is due. column, ids: as of `ArrowImages`, which each becomes.

    A `RecordBatchReader` is read once. Raises `InputError` where a stream is no table, or breaks off.
    """

    at_hand = False
    count: int | None = None

    def __init__(self, data: Any, shape: tuple[int, ...], column: str | None, ids: str | None) -> None:
        self._data, self._shape, self._column, self._ids = data, shape, column, ids
        self._once, self._used = isinstance(data, pa.RecordBatchReader), False

    def blocks(self, size: int) -> Iterator[Block]:
        what = type(self._data).__name__
        if self._once and self._used:
            raise InputError(f"a {what} is read once, and was; pass what can be read again, such as a table")
        self._used, first = True, 0
        try:
            reader = self._data if self._once else pa.RecordBatchReader.from_stream(self._data)
            for batch in reader:
                if batch.num_rows:
                    table = pa.Table.from_batches([batch])
                    yield from ArrowImages(table, self._shape, self._column, self._ids, first).blocks(size)
                    first += batch.num_rows
        except (pa.ArrowException, OSError, TypeError) as error:
            raise InputError(f"the Arrow stream of {what} is no table, or breaks off after row {first}") from error
