"""A ray.data.Dataset, read as it streams: plaintext in its owner's cluster, of which no copy is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.nn.sources.number_kind import NumberKind
from analytics.nn.sources.packed import Input, Rows
from analytics.nn.sources.plain import plain
from analytics.nn.sources.source import Block
from icm_ray.errors import ColumnError, ShapeError
from icm_ray.owner.images.chosen_column import image_column

__all__ = ["ImageColumn", "InputColumns", "RayImages", "RayInputs"]


class ImageColumn:
    """The images in batches of columns, one after the other: all have the same column of them.

    column: the images, where several could be; ids: the column of ids.
    """

    def __init__(self, shape: tuple[int, ...], column: str | None, ids: str | None) -> None:
        self._shape, self._ids = shape, ids
        self.name, self._first = column, 0

    def take(self, batch: Mapping[str, Any]) -> NDArray[Any]:
        """The images (n, *shape) of the next batch.

        Raises `ColumnError` for columns that are not there, or of which the images' is not known; `ShapeError` for
        another shape or dtype.
        """
        rows, there = f"rows {self._first} and on", list(batch)
        if self._ids is not None and self._ids not in batch:
            raise ColumnError(f"{rows} have no column {self._ids!r}; there are {', '.join(map(repr, there))}")
        others = [name for name in there if name != self._ids]
        fit = [name for name in others if np.shape(batch[name])[1:] == self._shape]
        self.name = name = image_column(fit if len(others) > 1 else others, self.name, there)
        cells = batch[name]
        if isinstance(cells, np.ndarray) and cells.dtype.kind == "O" and len(cells):  # lists, or tensors of any shape
            cells = plain([plain(cell, rows) for cell in cells], rows)
        images = plain(cells, rows)
        if images.shape[1:] != self._shape:
            raise ShapeError(f"an image is {self._shape}; {rows} of column {name!r} are {images.shape[1:]}")
        self._first += len(images)
        return images


class InputColumns:
    """The samples of several inputs in batches of columns, which have the inputs' names.

    inputs: names and shapes.
    """

    def __init__(self, inputs: Sequence[tuple[str, tuple[int, ...]]], ids: str | None) -> None:
        self._columns = {name: ImageColumn(shape, name, ids) for name, shape in inputs}

    def take(self, batch: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
        """Samples (n, *shape) of each input of the next batch. Raises as an `ImageColumn` does."""
        return {name: column.take(batch) for name, column in self._columns.items()}


class RayImages:
    """Rows in the order in which the Dataset gives them. column: the images; ids: the column of ids.

    Raises `ColumnError` for names that are none, where the Dataset's columns are known without computing it, and
    `ShapeError` for one that is known to be empty.
    """

    at_hand = False

    def __init__(self, dataset: Any, shape: tuple[int, ...], column: str | None, ids: str | None) -> None:
        self.dataset, self.column, self.ids = dataset, column, ids
        self._shape, self.count = shape, _known_count(dataset)
        _check_names(dataset, (column, ids))

    def blocks(self, size: int) -> Iterator[Block]:
        images, kind = ImageColumn(self._shape, self.column, self.ids), NumberKind()
        for batch in _blocks(self.dataset):
            found = images.take(batch)
            kind.check(found, "rows")
            if len(found):
                yield Block(found, None if self.ids is None else np.asarray(batch[self.ids]))


class RayInputs:
    """Samples of several inputs, whose columns have their names, in the order in which the Dataset gives them."""

    at_hand = False

    def __init__(self, dataset: Any, inputs: Sequence[Input], ids: str | None) -> None:
        self.dataset, self._inputs, self._ids = dataset, tuple(inputs), ids
        self.count = _known_count(dataset)
        _check_names(dataset, [*(one.name for one in inputs), ids])

    def rows(self, size: int) -> Iterator[Rows]:
        columns = InputColumns([(one.name, one.shape) for one in self._inputs], self._ids)
        kinds = {one.name: NumberKind() for one in self._inputs}
        for batch in _blocks(self.dataset):
            found = columns.take(batch)
            for name, images in found.items():
                kinds[name].check(images, f"rows of column {name!r}")
            parts = list(found.values())
            if len(parts[0]):
                yield Rows(parts, None if self._ids is None else np.asarray(batch[self._ids]))


def _blocks(dataset: Any) -> Iterator[dict[str, Any]]:
    """Blocks as Ray has them: to cut others it would join such of unlike schemas, and fail before these are seen."""
    return iter(dataset.iter_batches(batch_size=None, batch_format="numpy"))


def _known_count(dataset: Any) -> int | None:
    """How many rows there are, where they have been computed: to count others means to compute them."""
    from icm_ray.runtime.carriers.datasets import known_count

    count = known_count(dataset)
    if count == 0:
        raise ShapeError(f"there are no images in an empty {type(dataset).__name__}")
    return count


def _check_names(dataset: Any, names: Iterable[str | None]) -> None:
    """Raise `ColumnError` for names that are none, where the columns are known without computing anything."""
    known = dataset.schema(fetch_if_missing=False) if hasattr(dataset, "map_batches") else None
    for name in names:
        if known is not None and name is not None and name not in known.names:
            raise ColumnError(f"there is no column {name!r}; there are {', '.join(map(repr, known.names))}")
