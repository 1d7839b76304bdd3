"""How rows are cut into partitions, and which lane takes which."""

from __future__ import annotations

from typing import Final

from icm_ray.config import EngineConfig
from icm_ray.errors import InputError

__all__ = ["lanes_of", "partitions_of"]

_MOST_ROWS: Final = 1 << 22
"""A comparison of one column takes about 120 bytes a row while it runs: half a GB for a partition of this many rows."""


def partitions_of(rows: int, row_bytes: int, config: EngineConfig) -> tuple[range, ...]:
    """Ranges of rows, in order, none longer than the configured bytes (or 2^22 rows), all of nearly the same length."""
    if rows < 0 or row_bytes < 0:
        raise InputError(f"{rows} rows of {row_bytes} bytes")
    most = min(_MOST_ROWS, max(1, config.partition_bytes // max(row_bytes, 1)))
    count = -(-rows // most)
    return tuple(range(rows * part // count, rows * (part + 1) // count) for part in range(count))


def lanes_of(partitions: int, lanes: int) -> tuple[int, ...]:
    """The lane of every partition: in turn, so that lanes get nearly as many, and neighbours go to different ones."""
    return tuple(part % lanes for part in range(partitions))
