"""A column of an Arrow table, each cell an image: a list of fixed size, or a tensor of fixed shape."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from analytics.nn.sources.plain import expected
from analytics.nn.sources.source import Block
from icm_ray.errors import ColumnError, ShapeError
from icm_ray.owner.images.cells import holds_images, images_of
from icm_ray.owner.images.chosen_column import image_column

__all__ = ["ArrowImages"]


class ArrowImages:
    """Rows in order. column: the images, where several could be; ids: their column; first: number of the first."""

    at_hand = True

    def __init__(
        self,
        data: pa.Table | pa.Array | pa.ChunkedArray,
        shape: tuple[int, ...],
        column: str | None,
        ids: str | None,
        first: int = 0,
    ) -> None:
        self._shape, self._first = shape, first
        self._ids: pa.ChunkedArray | None = None
        if isinstance(data, pa.Table):
            if ids is not None:
                self._ids = _named(data, ids)
            cells = [
                name for name, kind in zip(data.column_names, data.schema.types, strict=True) if holds_images(kind)
            ]
            data = _named(data, image_column(cells, column, data.column_names))
        elif column is not None or ids is not None:
            raise ColumnError("an Arrow array has no columns; pass the table")
        if shape and not holds_images(data.type):
            raise ShapeError(f"a column of images holds lists or tensors of numbers, not {data.type}")
        if not len(data):
            raise ShapeError(f"the network takes {expected(shape)} with n > 0; the column has no rows")
        self._cells: Any = data
        self.count = len(data)

    def blocks(self, size: int) -> Iterator[Block]:
        for start in range(0, self.count, size):
            part = self._cells.slice(start, size)
            ids = None if self._ids is None else self._ids.slice(start, size).to_numpy(zero_copy_only=False)
            yield Block(images_of(part, self._shape, self._first + start), ids)


def _named(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise ColumnError(f"there is no column {name!r}; there are {', '.join(map(repr, table.column_names))}")
    return table.column(name)
