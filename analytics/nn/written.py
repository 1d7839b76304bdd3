"""Predictions written to a file as they come, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from icm_ray.errors import InputError

__all__ = ["writing"]

Columns = Mapping[str, NDArray[Any]]


def writing(batches: Iterable[Columns], path: Path) -> Iterator[Columns]:
    """The same batches, each written to `path` (.parquet, .csv) before it is handed on.

    Raises `InputError` for another kind of file or a folder that is missing, before a batch is asked for.
    """
    kinds: Mapping[str, Any] = {".parquet": pa.parquet.ParquetWriter, ".csv": pa.csv.CSVWriter}
    if path.suffix not in kinds:
        raise InputError(f"predictions are written to a .parquet or .csv file, not to {path.name!r}")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} for predictions")
    return _written(batches, path, kinds[path.suffix])


def _written(batches: Iterable[Columns], path: Path, kind: Any) -> Iterator[Columns]:
    writer: Any = None
    try:
        for batch in batches:
            table = _table(batch, lists=path.suffix == ".parquet")
            writer = writer or kind(path, table.schema)
            writer.write_table(table)
            yield batch
    finally:
        if writer is not None:
            writer.close()


def _table(batch: Columns, lists: bool) -> pa.Table:
    """lists: whether a row of numbers is one cell; else they are columns, numbered."""
    columns: dict[str, Any] = {}
    for name, values in batch.items():
        flat = values.reshape(len(values), -1)
        if values.ndim == 1:
            columns[name] = pa.array(values)
        elif lists:
            columns[name] = pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])
        else:
            columns |= {
                f"{name}_{place}": pa.array(np.ascontiguousarray(flat[:, place])) for place in range(flat.shape[1])
            }
    return pa.table(columns)
