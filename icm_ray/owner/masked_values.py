"""Values of a column, or of an expression, that are shared beside a mask: zero where one is missing or not meant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError, ProgramError
from icm_ray.owner.expressions.kinds import as_agreed
from icm_ray.owner.reading import Readable
from icm_ray.owner.scan import Batch, check_columns, found
from icm_ray.owner.values import lacking, plain_numbers
from icm_ray.query.expressions.tree import columns_of
from icm_ray.query.expressions.words import words
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.tasks import ColumnValues

__all__ = ["masked_values"]

Numbers = NDArray[np.generic]


def masked_values(table: Readable, task: ColumnValues) -> Iterator[Numbers]:
    """Blocks of a partition, a number for every row: booleans, integers or doubles.

    Errors: `ProgramError` (no such partition), `ColumnError` (a column that is not there or of another kind, text that
    is no word of the domain), `NullError` (values that are missing where none may be, or infinite), `BoundError` (a
    result beyond 64 bits). None of them tells a value or a row.
    """
    if not 0 <= task.partition < len(table.info.rows):
        raise ProgramError(f"a table of {len(table.info.rows)} partitions, none of number {task.partition}")
    check_columns(table, (task.column, task.where))
    wanted = {"string"} if task.domain else NUMBERS
    if task.read_as not in wanted | {"null"}:
        raise ColumnError(f"{words(task.column)}: its type is {task.read_as}, which is not shared so")
    return _blocks(table, task)


def _blocks(table: Readable, task: ColumnValues) -> Iterator[Numbers]:
    infos = {info.name: info for info in table.info.columns}
    for count, columns in table.batches(task.partition, columns_of(task.column, task.where)):
        yield _masked(Batch(infos, count, columns.__getitem__), task)


def _masked(batch: Batch, task: ColumnValues) -> Numbers:
    import pyarrow as pa

    name, kept = words(task.column), np.ones(batch.count, np.bool_)
    if task.where is not None:
        kept = batch.meant(task.where).to_numpy(zero_copy_only=False).copy()  # Arrow's own is read-only
    values = batch.chosen(task.where).values(task.column, task.read_as)
    if task.domain:
        values = as_agreed(values, "string")
    there = found(values)
    if there is not None:
        if not task.nullable:
            raise lacking(name, "null or NaN")
        values = values.filter(pa.array(there))
        kept[np.flatnonzero(kept)[~there]] = False
    numbers = _places(values, task) if task.domain else plain_numbers(values, name, task.read_as)
    if numbers.size == batch.count:
        return numbers
    whole = np.zeros(batch.count, numbers.dtype)
    whole[kept] = numbers
    return whole


def _places(texts: Any, task: ColumnValues) -> Numbers:
    """The number of each word in the domain, from 1 on."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_null(texts.type):
        return np.zeros(0, np.int64)
    places = pc.index_in(texts, value_set=pa.array(task.domain, texts.type))
    if places.null_count:
        name = words(task.column)
        raise ColumnError(f"column {name!r} has text that is none of the stated values; state all", column=name)
    numbers: NDArray[np.int64] = places.to_numpy(zero_copy_only=False).astype(np.int64) + 1
    return numbers
