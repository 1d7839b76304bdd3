"""Columns that come batch by batch as a ray.data.Dataset: its blocks are in the object store, not in this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["dataset_of"]

_ROWS: Final = 4096
"""Of a block, about."""


def dataset_of(batches: Iterable[Mapping[str, NDArray[Any]]]) -> Any:
    """A materialised Dataset of the rows of all batches, in order; all have the same columns."""
    import ray
    import ray.data

    blocks: list[Any] = []
    held: list[Mapping[str, NDArray[Any]]] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += len(next(iter(batch.values())))
        if rows >= _ROWS:
            blocks.append(ray.put(_block(held)))
            held, rows = [], 0
    if held or not blocks:
        blocks.append(ray.put(_block(held)))
    return ray.data.from_arrow_refs(blocks)


def _block(batches: list[Mapping[str, NDArray[Any]]]) -> pa.Table:
    from ray.data.extensions import ArrowTensorArray

    columns: dict[str, Any] = {}
    for name in batches[0] if batches else ():
        values = np.concatenate([batch[name] for batch in batches])
        columns[name] = pa.array(values) if values.ndim == 1 else ArrowTensorArray.from_numpy(values)
    return pa.table(columns)
