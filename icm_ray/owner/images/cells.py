"""Cells of an Arrow column that are images: lists, or tensors of fixed shape, of numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from icm_ray.errors import NullError, ShapeError

__all__ = ["holds_images", "images_of"]


def holds_images(kind: pa.DataType) -> bool:
    """Whether cells of a type are lists or tensors."""
    return _is_list(kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind)


def images_of(part: Any, shape: tuple[int, ...], start: int) -> NDArray[Any]:
    """Images (n, *shape) of an array, or several chunks of it. start: the number of the first row, for messages.

    Raises `NullError` for missing images or numbers, `ShapeError` for other numbers of these, or none.
    """
    if part.null_count:
        raise NullError(f"the image in row {start + part.is_null().to_pylist().index(True)} is missing")
    if isinstance(part, pa.ChunkedArray):
        part = part.combine_chunks()
    if isinstance(part, pa.ChunkedArray):  # of an extension type, in several chunks
        return np.concatenate([images_of(chunk, shape, start) for chunk in part.chunks])
    cells, rows = part, len(part)
    while _is_list(cells.type) or isinstance(cells, pa.ExtensionArray):
        if not pa.types.is_fixed_size_list(cells.type) and _is_list(cells.type):
            lengths = set(np.diff(cells.offsets.to_numpy()).tolist())
            if len(lengths) > 1:
                raise ShapeError(f"images of rows {start} to {start + rows - 1} have unequal sizes: {lengths}")
        cells = cells.storage if isinstance(cells, pa.ExtensionArray) else cells.flatten()
        if cells.null_count:
            raise NullError(f"an image in rows {start} to {start + rows - 1} has missing numbers")
    numbers: NDArray[Any] = cells.to_numpy(zero_copy_only=False)
    if numbers.dtype.kind not in "buif":
        raise ShapeError(f"images: numbers are needed, not dtype {numbers.dtype}")
    if numbers.size != rows * math.prod(shape):
        each = numbers.size // rows
        raise ShapeError(f"an image of {shape} has {math.prod(shape)} numbers; a row has {each}")
    return numbers.reshape(rows, *shape)


def _is_list(kind: pa.DataType) -> bool:
    lists: Sequence[Any] = (pa.types.is_fixed_size_list, pa.types.is_list, pa.types.is_large_list)
    return any(test(kind) for test in lists)
