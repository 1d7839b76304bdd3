"""Which kind of source something is that a user passes as images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from analytics.nn.sources.arrays import ArrayImages
from analytics.nn.sources.arrow import ArrowImages
from analytics.nn.sources.arrow_stream import ArrowStream, is_arrow_stream
from analytics.nn.sources.items import ItemImages, LoaderImages
from analytics.nn.sources.packed import PackedImages
from analytics.nn.sources.pictures import PictureImages, pictures_in
from analytics.nn.sources.ray_dataset import RayImages
from analytics.nn.sources.source import Source
from icm_ray.errors import ColumnError, InputError, ShapeError

__all__ = ["is_ray_dataset", "source_of"]


def is_ray_dataset(images: object) -> bool:
    """Whether it is a ray.data.Dataset, or an iterator over one, which is found out without Ray."""
    return type(images).__module__.split(".")[:2] == ["ray", "data"] and hasattr(images, "iter_batches")


def source_of(images: Any, shape: tuple[int, ...], column: str | None = None, ids: str | None = None) -> Source:
    """The source of images of this shape. column, ids: names in a table or Dataset.

    Raises `ShapeError` for what is no source, or not of the shape where that is seen at once; `InputError` for names
    where there are no columns, `ColumnError` for names that are none.
    """
    if isinstance(images, PackedImages):
        return images
    if is_ray_dataset(images):
        return RayImages(images, shape, column, ids)
    if isinstance(images, pa.RecordBatch):
        images = pa.Table.from_batches([images])
    if isinstance(images, pa.Table | pa.Array | pa.ChunkedArray):
        return ArrowImages(images, shape, column, ids)
    if is_arrow_stream(images) and not isinstance(images, pd.DataFrame | pd.Series):
        return ArrowStream(images, shape, column, ids)
    if isinstance(images, Path):
        images = pictures_in(images)
    if isinstance(images, list) and images and all(isinstance(path, Path) for path in images):
        return PictureImages(images, shape)
    if ids is not None:
        raise InputError(f"id_column= names a column of a table or Dataset, not of a {type(images).__name__}")
    if isinstance(images, Dataset | DataLoader):
        return LoaderImages(images, shape, column)
    if column is not None:
        raise InputError(f"column= names a column of a table or Dataset, not of a {type(images).__name__}")
    if isinstance(images, pd.DataFrame):
        images = _numbers_of(images)
    if isinstance(images, np.ndarray | torch.Tensor):
        return ArrayImages(images, shape)
    if not isinstance(images, Iterable) or isinstance(images, str | bytes | Mapping):
        raise ShapeError(
            f"images are an array, a tensor, a Dataset or an iterable of them, not {type(images).__name__}"
        )
    return ItemImages(images, shape)


def _numbers_of(frame: pd.DataFrame) -> NDArray[Any]:
    """Its columns side by side, in their order. Errors: `ColumnError` for one that holds no numbers."""
    for name, kind in frame.dtypes.items():
        if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_complex_dtype(kind):
            raise ColumnError(
                f"column {name!r} holds {kind}, and numbers are needed: leave it out, or make numbers of it"
            )
    whole = all(pd.api.types.is_integer_dtype(kind) for kind in frame.dtypes) and not frame.isna().any(axis=None)
    found: NDArray[Any] = frame.to_numpy(np.int64) if whole else frame.to_numpy(np.float64, na_value=np.nan)
    return found
