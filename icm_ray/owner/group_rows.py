"""An owner's rows in groups of private keys: it aggregates its own groups in the clear, one row of words for each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icm_ray.owner.key_words import Groups, batches, padded_keys, words_beside
from icm_ray.owner.reading import Readable
from icm_ray.owner.scan import Batch, Work, check
from icm_ray.query.expressions.tree import Of
from icm_ray.query.private_keys import key_widths
from icm_ray.query.tasks import GroupRows
from icm_ray.ring.array import RingArray

__all__ = ["group_rows"]


def group_rows(table: Readable, task: GroupRows) -> RingArray:
    """The words (most, words) of a task: two passes, of which the first finds the groups.

    Errors: `InputError` (more groups than the question has room for), `BoundError` (a key, or a sum, beyond its bound),
    `ColumnError` (a column that is not there or not of the agreed kind, text with NUL characters), and those of
    `owner.scan.aggregates`. None of them tells a value or a row.
    """
    for values in task.values:
        check(table, values)
    groups = Groups(table, task)
    works = [Work(values, max(groups.count, 1), task.limb) for values in task.values]
    cells = np.zeros(groups.count, np.uint64)
    apart = task.order is not None and task.order.right and task.order.cells
    by = task.order.by if task.order is not None else ()
    beside = np.zeros((groups.count, sum(len(key_widths(key)) for key in by)), np.uint64)
    for batch in batches(table, task):
        places = groups.places(batch)
        for work in works:
            work.add(batch, _chosen(batch, work.task.where, places))
        if task.order is not None and apart:
            found = batch.cells(task.order.cells)
            if found is not None:
                inside = (places >= 0) & (found >= 0)
                cells[places[inside]] = found[inside].astype(np.uint64) + np.uint64(1)
        if by and batch.count:
            inside = places >= 0
            beside[places[inside]] = words_beside(batch, by)[inside]
    words = [*beside.T, *(word for work in works for word in _words_of(work))]
    before = padded_keys(task, groups, cells)
    out = np.zeros((task.most, before.shape[1] + len(words)), np.uint64)
    out[:, : before.shape[1]] = before
    if groups.count:
        for place, word in enumerate(words, before.shape[1]):
            out[: groups.count, place] = word
    return out


def _chosen(batch: Batch, where: Of | None, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group of each row, -1 where a condition is not true."""
    if where is None:
        return places
    chosen: NDArray[np.int64] = np.where(batch.meant(where).to_numpy(zero_copy_only=False), places, np.int64(-1))
    return chosen


def _words_of(work: Work) -> list[RingArray]:
    """The words of an aggregate, each (groups,)."""
    folded = work.fold.words()
    return [folded] if work.task.kind == "count" else list(folded)
