"""Several inputs, each from a source of its own: row k of each belongs to sample k."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from analytics.nn.batches import Batches
from analytics.nn.sources.arrays import ArrayImages
from analytics.nn.sources.find import is_ray_dataset, source_of
from analytics.nn.sources.held import are_paths
from analytics.nn.sources.packed import Input, Rows
from analytics.nn.sources.source import Block, Source
from icm_ray.errors import ColumnError, InputError, ShapeError

__all__ = ["BesideImages", "of_table"]


class BesideImages:
    """One source for each input, and perhaps ids.

    Raises `ShapeError` for numbers of rows that differ, at once where they are known, else where one source ends; and
    what the sources raise, with the input's name.
    """

    def __init__(self, given: Sequence[Any], inputs: Sequence[Input], ids: Any = None) -> None:
        self._inputs = tuple(inputs)
        self._sources = [_source(images, one) for images, one in zip(given, inputs, strict=True)]
        self._ids = None if ids is None else _ids(ids)
        counts = {source.count for source in self._sources if source.count is not None}
        counts |= set() if self._ids is None else {len(self._ids)}
        if len(counts) > 1:
            raise ShapeError(f"inputs have {' and '.join(map(str, sorted(counts)))} rows; all have one for each sample")
        self.count = next(iter(counts), None)
        self.at_hand = all(source.at_hand for source in self._sources)

    def rows(self, size: int) -> Iterator[Rows]:
        readers = [
            Batches(_blocks(source, size, one.name)) for source, one in zip(self._sources, self._inputs, strict=True)
        ]
        first = 0
        while True:
            taken = [reader.take(size) for reader in readers]
            counts = [0 if batch is None else len(batch.images) for batch in taken]
            if len(set(counts)) > 1:
                short = self._inputs[counts.index(min(counts))].name
                raise ShapeError(f"{short} ends after {first + min(counts)} rows, and others go on")
            parts = [batch.images for batch in taken if batch is not None]
            if not parts:
                break
            yield Rows(parts, None if self._ids is None else self._ids[first : first + counts[0]])
            first += counts[0]
        if self._ids is not None and first != len(self._ids):
            raise ShapeError(f"there are {len(self._ids)} ids; inputs have {first} rows")


def of_table(table: pa.Table | pa.RecordBatch, inputs: Sequence[Input], ids: str | None) -> BesideImages:
    """Of an Arrow table, whose columns have the inputs' names. Raises `ColumnError` for those that are not there."""
    if isinstance(table, pa.RecordBatch):
        table = pa.Table.from_batches([table])
    chosen = [_column(table, one.name) for one in inputs]
    return BesideImages(chosen, inputs, None if ids is None else _column(table, ids))


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise ColumnError(f"there is no column {name!r}; there are {', '.join(map(repr, table.column_names))}")
    return table.column(name)


def _source(images: Any, one: Input) -> Source:
    if isinstance(images, Mapping | pa.Table | pa.RecordBatch) or are_paths(images) or is_ray_dataset(images):
        raise ShapeError(
            f"{one.name} is an array, a tensor, a list, an Arrow column or a Dataset of torch's, or another iterable,"
            f" not {type(images).__name__}"
        )
    with _of_input(one.name):
        if hasattr(images, "shape") and hasattr(images, "ndim"):  # what others call arrays, too
            return ArrayImages(images, one.shape)
        return source_of(images, one.shape)


def _blocks(source: Source, size: int, name: str) -> Iterator[Block]:
    with _of_input(name):
        yield from source.blocks(size)


@contextmanager
def _of_input(name: str) -> Iterator[None]:
    """Errors say which input it is about."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{name}: {error.message}", **error.where) from None


def _ids(ids: Any) -> NDArray[Any]:
    listed = ids.to_numpy(zero_copy_only=False) if isinstance(ids, pa.Array) else ids
    listed = listed.to_numpy() if isinstance(listed, pa.ChunkedArray) else listed
    found = np.asarray(listed)
    if found.ndim != 1:
        raise ShapeError(f"ids are one for each sample, not of shape {found.shape}")
    return found
