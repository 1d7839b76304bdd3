"""Which kind of source something is that a user passes as the inputs of a network with several."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch.utils.data import DataLoader, Dataset

from analytics.nn.sources.beside import BesideImages, of_table
from analytics.nn.sources.find import is_ray_dataset
from analytics.nn.sources.held import are_paths
from analytics.nn.sources.packed import Input, PackedImages, RowsSource
from analytics.nn.sources.plain import listed
from analytics.nn.sources.ray_dataset import RayImages, RayInputs
from analytics.nn.sources.samples import SampleImages
from analytics.nn.sources.source import Source
from icm_ray.errors import ColumnError, InputError, ShapeError, UnsupportedError

__all__ = ["dataset_of", "packed_images"]


def dataset_of(source: Source) -> Any:
    """The ray.data.Dataset that a source reads; None for others, and for iterators over one."""
    rows = source.source if isinstance(source, PackedImages) else source
    dataset = rows.dataset if isinstance(rows, RayImages | RayInputs) else None
    return dataset if hasattr(dataset, "map_batches") else None


def packed_images(
    images: Any, inputs: Sequence[Input], *, named: bool, column: str | None = None, ids: str | None = None
) -> PackedImages:
    """The source of all inputs together. named: whether they go by names. column, ids: as users name columns.

    Raises `ShapeError` and `ColumnError` where they are not these inputs, and what their sources raise.
    """
    if isinstance(images, PackedImages):
        return images
    if column is not None:
        raise InputError("column= is of networks with one input; several go by their names")
    return PackedImages(_source(images, inputs, named, ids), inputs)


def _source(images: Any, inputs: Sequence[Input], named: bool, ids: str | None) -> RowsSource:
    if isinstance(images, pa.Table | pa.RecordBatch) or is_ray_dataset(images):
        if not named:
            raise UnsupportedError(
                "columns are the network's inputs by name, and it has no names: make the model with a dict of "
                "example_inputs, by the names that forward() has"
            )
        return RayInputs(images, inputs, ids) if is_ray_dataset(images) else of_table(images, inputs, ids)
    if are_paths(images):
        raise UnsupportedError("files are read for networks of one input; give several from this process")
    if named and isinstance(images, Mapping):
        return BesideImages(*_by_name(images, inputs, ids))
    if not named and isinstance(images, tuple) and len(images) == len(inputs):
        if ids is not None:
            raise InputError("id_column= names a column of a table or Dataset, or a key of dicts, not of tuples")
        return BesideImages(images, inputs)
    samples = isinstance(images, Dataset | DataLoader) or (
        isinstance(images, Iterable) and not isinstance(images, Mapping | tuple | np.ndarray | torch.Tensor | bytes)
    )
    if not samples:
        given = f"a dict with {listed(one.name for one in inputs)}" if named else f"a tuple of {len(inputs)}"
        raise ShapeError(f"the network's inputs are given as {given}, or as an iterable of such")
    return SampleImages(images, inputs, named=named, ids=ids)


def _by_name(images: Mapping[Any, Any], inputs: Sequence[Input], ids: str | None) -> tuple[list[Any], Any, Any]:
    """What `BesideImages` takes of a dict."""
    names = [one.name for one in inputs] + ([] if ids is None else [ids])
    missing, extra = [name for name in names if name not in images], [name for name in images if name not in names]
    if missing or extra:
        wrong = f"{listed(missing)} missing" if missing else f"{listed(extra)} not among them"
        raise ColumnError(f"the network's inputs are given as a dict with {listed(names)}; {wrong}")
    return [images[one.name] for one in inputs], inputs, None if ids is None else images[ids]
