"""Aggregates that an owner computes over its own rows: one fold, fed with all blocks of some partitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import OwnerError
from icm_ray.owner.bins import Edge
from icm_ray.owner.folds import fold_for
from icm_ray.ring.array import RingArray

__all__ = ["aggregate"]

Parts = Iterable[Iterable[NDArray[np.generic]]]


def aggregate(kind: str, edges: Sequence[Edge], parts: Parts, name: str, floats: bool = False) -> RingArray:
    """The words of an aggregate over partitions; `parts`: for each the blocks (rows,) of a column of finite numbers.

    Kinds, words, what `floats` means and what blocks hold: `owner.folds.fold_for`, of one cell. `name`: for errors.
    Errors: `OwnerError` (least or largest of no rows), and those of folds.
    """
    fold, rows = fold_for(kind, floats, name, edges=edges), 0
    for part in parts:
        for block in part:
            fold.add(block, None)
            rows += block.size
    if not rows and kind in {"min", "max"}:
        raise OwnerError(f"{name}: no rows, so no {kind}", name=name)
    return fold.words()
