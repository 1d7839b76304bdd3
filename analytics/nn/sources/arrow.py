"""A column of an Arrow table, each cell an image: a list of fixed size, or a tensor of fixed shape."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.nn.sources.columns import image_column
from analytics.nn.sources.plain import expected, plain
from analytics.nn.sources.source import Block
from icm_ray.errors import ColumnError, NullError, ShapeError

__all__ = ["ArrowImages"]


class ArrowImages:
    """Rows in order. column: the images, where several could be; id_column: the ids."""

    at_hand = True

    def __init__(
        self, data: pa.Table | pa.Array | pa.ChunkedArray, shape: tuple[int, ...], column: str | None, ids: str | None
    ) -> None:
        self._shape = shape
        self._ids: pa.ChunkedArray | None = None
        if isinstance(data, pa.Table):
            if ids is not None:
                self._ids = _named(data, ids)
            cells = [name for name, kind in zip(data.column_names, data.schema.types, strict=True) if _holds(kind)]
            data = _named(data, image_column(cells, column, data.column_names))
        elif column is not None or ids is not None:
            raise ColumnError("an Arrow array has no columns; pass the table")
        if not _holds(data.type):
            raise ShapeError(f"a column of images holds lists or tensors of numbers, not {data.type}")
        if not len(data):
            raise ShapeError(f"the network takes {expected(shape)} with n > 0; the column has no rows")
        self._cells: Any = data
        self.count = len(data)

    def blocks(self, size: int) -> Iterator[Block]:
        for start in range(0, self.count, size):
            part = self._cells.slice(start, size)
            if part.null_count:
                first = start + part.is_null().to_pylist().index(True)
                raise NullError(f"the image in row {first} is missing")
            ids = None if self._ids is None else self._ids.slice(start, size).to_numpy(zero_copy_only=False)
            yield Block(self._images(part, start), ids)

    def _images(self, part: Any, start: int) -> NDArray[Any]:
        if isinstance(part, pa.ChunkedArray):
            part = part.combine_chunks()
        if isinstance(part, pa.ChunkedArray):  # of an extension type, in several chunks
            return np.concatenate([self._images(chunk, start) for chunk in part.chunks])
        cells, rows = part, len(part)
        while _is_list(cells.type) or isinstance(cells, pa.ExtensionArray):
            if not pa.types.is_fixed_size_list(cells.type) and _is_list(cells.type):
                lengths = set(np.diff(cells.offsets.to_numpy()).tolist())
                if len(lengths) > 1:
                    raise ShapeError(f"images of rows {start} to {start + rows - 1} have unequal sizes: {lengths}")
            cells = cells.storage if isinstance(cells, pa.ExtensionArray) else cells.flatten()
            if cells.null_count:
                raise NullError(f"an image in rows {start} to {start + rows - 1} has missing numbers")
        numbers = plain(cells.to_numpy(zero_copy_only=False), "images")
        if numbers.size != rows * math.prod(self._shape):
            each = numbers.size // rows
            raise ShapeError(f"an image of {self._shape} has {math.prod(self._shape)} numbers; a row has {each}")
        return numbers.reshape(rows, *self._shape)


def _named(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise ColumnError(f"there is no column {name!r}; there are {', '.join(map(repr, table.column_names))}")
    return table.column(name)


def _is_list(kind: pa.DataType) -> bool:
    lists: Sequence[Any] = (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
    return any(test(kind) for test in lists)


def _holds(kind: pa.DataType) -> bool:
    return _is_list(kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind)
