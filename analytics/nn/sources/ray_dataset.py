"""A ray.data.Dataset, read as it streams: plaintext in its owner's cluster, of which no copy is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.nn.sources.columns import image_column
from analytics.nn.sources.plain import plain
from analytics.nn.sources.source import Block
from icm_ray.errors import ColumnError, ShapeError

__all__ = ["RayImages"]


class RayImages:
    """Rows in the order in which the Dataset gives them. column: the images; ids: the column of ids."""

    at_hand = False
    count: int | None = None  # to count may mean to compute all of it

    def __init__(self, dataset: Any, shape: tuple[int, ...], column: str | None, ids: str | None) -> None:
        self._dataset, self._shape, self._column, self._ids = dataset, shape, column, ids

    def blocks(self, size: int) -> Iterator[Block]:
        kind, first = "", 0
        for batch in self._dataset.iter_batches(batch_size=size, batch_format="numpy"):
            rows = f"rows {first} and on"
            images = self._images(batch, rows)
            number = "float" if images.dtype.kind == "f" else "integer"
            if kind and number != kind:
                raise ShapeError(f"{rows} are of dtype {images.dtype}; those before hold {kind} numbers")
            kind, first = number, first + len(images)
            if len(images):
                yield Block(images, None if self._ids is None else np.asarray(batch[self._ids]))

    def _images(self, batch: Mapping[str, Any], rows: str) -> NDArray[Any]:
        there = list(batch)
        if self._ids is not None and self._ids not in batch:
            raise ColumnError(f"{rows} have no column {self._ids!r}; there are {', '.join(map(repr, there))}")
        others = [name for name in there if name != self._ids]
        fit = [name for name in others if np.shape(batch[name])[1:] == self._shape]
        name = image_column(fit if len(others) > 1 else others, self._column, there)
        self._column = name  # later rows have it too
        cells = batch[name]
        if isinstance(cells, np.ndarray) and cells.dtype.kind == "O" and len(cells):  # lists, or tensors of any shape
            cells = plain([plain(cell, rows) for cell in cells], rows)
        images = plain(cells, rows)
        if images.shape[1:] != self._shape:
            raise ShapeError(f"an image is {self._shape}; {rows} of column {name!r} are {images.shape[1:]}")
        return images
