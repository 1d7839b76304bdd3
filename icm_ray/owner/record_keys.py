"""Keys of an owner's rows: 16 bits each, drawn from its secret; cells have their sum (`icm_ray.query.cell_keys`)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from icm_ray.query.cell_keys import LOG2_KEYS
from icm_ray.ring.array import RingArray
from icm_ray.ring.prg import derive_key

__all__ = ["ROW_KEYS", "KeySums", "row_keys"]

ROW_KEYS: Final = "\0row keys"
"""The name under which they stand beside columns; no file has a column of that name."""


_BLOCK: Final = 1 << 16
"""Rows of one stream."""


def row_keys(secret: bytes, start: int, rows: int) -> NDArray[np.int64]:
    """Of so many rows from row `start` of the table on (rows,), in [0, 2^16): however it is cut when it is read."""
    key = derive_key(secret, "record keys")
    blocks = range(start // _BLOCK, (start + rows - 1) // _BLOCK + 1)
    found = np.concatenate([key.words(block, 0, _BLOCK, np.uint16) for block in blocks])
    first = start - blocks.start * _BLOCK
    return found[first : first + rows].astype(np.int64)


class KeySums:
    """The sums of the keys of each cell, modulo 2^16."""

    def __init__(self, cells: int) -> None:
        self._found = np.zeros(cells, np.uint64)

    def add(self, values: NDArray[Any], cells: NDArray[np.int64] | None, others: NDArray[np.int64]) -> None:
        """Take the keys of rows of these cells, or of the only one."""
        del values
        if cells is None:
            self._found[0] += others.sum(dtype=np.uint64)
        else:
            np.add.at(self._found, cells, others.astype(np.uint64))

    def words(self) -> RingArray:
        """(cells,)."""
        return self._found & np.uint64((1 << LOG2_KEYS) - 1)
