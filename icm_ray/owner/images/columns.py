"""Columns of images in Parquet files: lists or tensors of numbers, or pictures as they are stored in files."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import accumulate
from math import prod
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from icm_ray.errors import ColumnError, NullError, ShapeError, SourceError
from icm_ray.owner.images.cells import holds_images, images_of
from icm_ray.owner.images.chosen_column import image_column
from icm_ray.owner.images.pictures import PictureReader

__all__ = ["ColumnFiles"]

_BATCH_BYTES: Final = 4 << 20


@dataclass(slots=True)
class _Pass:
    """A pass over a file's batches. start: the number of the first row of `batch`."""

    path: str
    batches: Iterator[Any]
    start: int
    batch: Any


class ColumnFiles:
    """One column of each file, named or the only one that may hold images, and one of ids where they are named."""

    def __init__(self, shape: tuple[int, ...], column: str | None, ids: str | None) -> None:
        self._shape, self._named, self._ids = shape, column, ids
        self._columns: dict[str, str] = {}
        self._groups: dict[str, list[int]] = {}  # by file, the first row of each row group, and the number of rows
        self._pass: _Pass | None = None
        self._reader: PictureReader | None = None

    def count(self, path: str) -> int:
        with _opened(path) as file:
            schema, facts = file.schema_arrow, file.metadata
            fit = [field.name for field in schema if holds_images(field.type) or _stored(field.type)]
            try:
                self._columns[path] = image_column(
                    [name for name in fit if name != self._ids], self._named, schema.names
                )
            except ColumnError as error:
                raise ColumnError(f"{path}: {error.message}", path=path) from None
            if self._ids is not None and self._ids not in schema.names:
                raise ColumnError(f"{path}: there is no column {self._ids!r}; there are {', '.join(schema.names)}")
            rows = [facts.row_group(number).num_rows for number in range(facts.num_row_groups)]
            self._groups[path] = [0, *accumulate(rows)]
            return int(facts.num_rows)

    def ids(self, paths: Sequence[str]) -> Iterator[str | int]:
        """What the column of ids holds, where one is named."""
        for path in paths if self._ids is not None else ():
            for one in self._ids_of(path):
                if not isinstance(one, str | int) or isinstance(one, bool):
                    raise ShapeError(f"{path}: an id is text or a whole number, not {type(one).__name__}")
                yield one

    def _ids_of(self, path: str) -> list[Any]:
        with _opened(path) as file:
            try:
                found: list[Any] = file.read(columns=[self._ids]).column(0).to_pylist()
            except (OSError, pa.ArrowException):
                raise SourceError(f"{path}: its ids cannot be read", path=path) from None
            return found

    def read(self, path: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        order = np.argsort(rows)
        wanted, parts, at = rows[order], list[NDArray[Any]](), 0
        while at < len(wanted):
            start, batch = self._batch_with(path, int(wanted[at]))
            stop = int(np.searchsorted(wanted, start + batch.num_rows))
            parts.append(self._images(batch.column(0).take(pa.array(wanted[at:stop] - start)), path, int(wanted[at])))
            at = stop
        images: NDArray[Any] = np.concatenate(parts)[np.argsort(order)]
        return images

    def _batch_with(self, path: str, row: int) -> tuple[int, Any]:
        """A batch that has this row, and its first: of the open pass where it lies ahead and near."""
        groups, held = self._groups[path], self._pass
        first = bisect_right(groups, row) - 1
        self._pass = None  # a pass that fails is not gone on with
        if held is None or held.path != path or row < held.start or groups[first] > held.start + held.batch.num_rows:
            batches = self._batches(path, first)
            held = _Pass(path, batches, groups[first], self._next(batches, path))
        while row >= held.start + held.batch.num_rows:
            held.start += held.batch.num_rows
            held.batch = self._next(held.batches, path)
        self._pass = held
        return held.start, held.batch

    def _batches(self, path: str, first: int) -> Iterator[Any]:
        rows = max(1, _BATCH_BYTES // (8 * max(1, prod(self._shape))))
        with _opened(path) as file:
            yield from file.iter_batches(
                rows, row_groups=list(range(first, file.metadata.num_row_groups)), columns=[self._columns[path]]
            )

    @staticmethod
    def _next(batches: Iterator[Any], path: str) -> Any:
        try:
            return next(batches)
        except (OSError, pa.ArrowException, StopIteration):
            raise SourceError(f"{path}: its rows cannot be read", path=path) from None

    def _images(self, cells: Any, path: str, first: int) -> NDArray[Any]:
        if not _stored(cells.type):
            return images_of(cells, self._shape, first)
        self._reader = self._reader or PictureReader(self._shape)
        stored = cells.field("bytes") if pa.types.is_struct(cells.type) else cells
        pictures = []
        for place, cell in enumerate(stored.to_pylist()):
            name = f"{path}: row {first + place}"
            if cell is None:
                raise NullError(f"{name}: the image is missing")
            pictures.append(self._reader.read(BytesIO(cell), name))
        return np.stack(pictures)


def _stored(kind: pa.DataType) -> bool:
    """Whether cells are pictures as files have them: bytes, or a struct with a field `bytes`."""
    if pa.types.is_struct(kind):
        return "bytes" in kind.names and _stored(kind.field("bytes").type)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _opened(path: str) -> Any:
    try:
        return pq.ParquetFile(path)
    except (OSError, pa.ArrowException):
        raise SourceError(f"{path}: cannot be read as Parquet", path=path) from None
