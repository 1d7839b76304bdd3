"""Aggregates over partitions of a table, all that are asked for in one pass: every batch is read and evaluated once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError, ProgramError
from icm_ray.owner.bins import bins_of
from icm_ray.owner.entities import EntityCodes
from icm_ray.owner.expressions.evaluate import evaluate
from icm_ray.owner.expressions.kinds import as_agreed
from icm_ray.owner.folds import Fold, entity_fold_for, fold_for, limb_fold_for
from icm_ray.owner.reading import Readable
from icm_ray.owner.record_keys import ROW_KEYS, row_keys
from icm_ray.owner.values import lacking, plain_numbers
from icm_ray.query.expressions.tree import Of, Scalar, columns_of
from icm_ray.query.expressions.words import words
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.tasks import Aggregate, ColumnInfo, GroupKey, PrivateKey
from icm_ray.ring.array import RingArray

__all__ = ["Batch", "Work", "aggregates", "check", "check_columns", "found", "read_by"]

Rows = NDArray[np.int64]
_OF_ANY_KIND: Final = frozenset({"count", "entities", "record keys"})
"""Aggregates of columns that may hold no numbers."""


def aggregates(
    table: Readable, tasks: Mapping[str, Aggregate], secret: Callable[[str], bytes] | None = None
) -> dict[str, RingArray]:
    """The words of each task, by its name; all are of this table and of the same partitions. secret: by the name of a
    policy what keys of rows are drawn from, for tasks that add these up.

    Errors: `ColumnError` (a column that is not there, or not of the kind that was agreed on), `NullError` (values that
    are missing where none may be, or infinite), `BoundError` (a result beyond 64 bits), `SourceError`, `ProgramError`
    (no such partition, groups of no value). None of them tells a value or a row.
    """
    partitions = next(iter(tasks.values())).partitions
    starts = next((task.starts for task in tasks.values() if task.keys_of), (0,) * len(partitions))
    names = columns_of(*(of for task in tasks.values() for of in read_by(task)))
    for task in tasks.values():
        check(table, task)
    entities = {name: _entities(table, name, partitions) for name in {task.entity for task in tasks.values()} - {""}}
    works = {name: Work(task, task.cells, entities=entities.get(task.entity)) for name, task in tasks.items()}
    secrets = _secrets(tasks.values(), secret)
    infos = {info.name: info for info in table.info.columns}
    for partition, first in zip(partitions, starts, strict=True):
        if not 0 <= partition < len(table.info.rows):
            raise ProgramError(f"a table of {len(table.info.rows)} partitions, none of number {partition}")
        if not table.info.rows[partition]:
            continue
        keys, start = [row_keys(one, first, table.info.rows[partition]) for one in secrets], 0
        for count, columns in table.batches(partition, names):
            batch = Batch(infos, count, _beside(columns, [some[start : start + count] for some in keys]))
            start += count
            for work in works.values():
                chosen = batch.chosen(work.task.where)
                work.add(chosen, chosen.cells(work.task.by))
    return {name: work.fold.words() for name, work in works.items()}


def _secrets(tasks: Iterable[Aggregate], secret: Callable[[str], bytes] | None) -> list[bytes]:
    """What keys of rows are drawn from: of one policy at most, for a table belongs to one dataset."""
    policies = sorted({task.keys_of for task in tasks} - {""})
    if not policies:
        return []
    if secret is None or len(policies) > 1:
        raise ProgramError("rows have keys for the policy of their dataset")
    return [secret(policies[0])]


def _beside(columns: Mapping[str, Any], keys: Sequence[Rows]) -> Callable[[str], Any]:
    """What gives the columns, and the keys of the rows."""
    import pyarrow as pa

    return lambda name: pa.array(keys[0]) if name == ROW_KEYS else columns[name]


def _entities(table: Readable, name: str, partitions: Iterable[int]) -> EntityCodes:
    """The entities of these partitions: a pass over one column, before the one over the rest."""
    infos = {info.name: info for info in table.info.columns}
    arrays = (
        Batch(infos, count, columns.__getitem__).names(name)
        for partition in partitions
        if 0 <= partition < len(table.info.rows) and table.info.rows[partition]
        for count, columns in table.batches(partition, [name])
    )
    return EntityCodes(name, arrays)


def read_by(task: Aggregate) -> Iterator[Of | None]:
    """What it reads of a row."""
    yield task.column
    yield task.times
    yield task.where
    yield task.entity or None
    for key in task.by:
        yield key.of


def check_columns(table: Readable, read: Iterable[Of | None]) -> None:
    """Refuse columns that cannot be read. Errors: `ColumnError` (one that is not there, or has a fault)."""
    infos = {info.name: info for info in table.info.columns}
    for name in columns_of(*read) if infos else ():
        if name not in infos:
            raise ColumnError(f"there is no column {name!r}; there are {', '.join(infos)}", column=name)
        if infos[name].fault:
            raise ColumnError(infos[name].fault, column=name)


def check(table: Readable, task: Aggregate) -> None:
    """Refuse what cannot be aggregated before anything is read. Errors: `ColumnError`."""
    check_columns(table, read_by(task))
    if task.kind not in _OF_ANY_KIND and task.read_as not in NUMBERS | {"null"}:
        name = words(task.column)
        raise ColumnError(f"{name}: numbers are needed, and its type is {task.read_as}", column=name)


class Batch:
    """Rows that were read together; what is evaluated over them is evaluated once."""

    def __init__(self, infos: Mapping[str, ColumnInfo], count: int, given: Callable[[str], Any]) -> None:
        """given: the array of a column by its name, as it was read."""
        self.count = count
        self._given, self._infos = given, infos
        self._read: dict[str, Any] = {}
        self._arrays: dict[tuple[str, str], Any] = {}
        self._values: dict[tuple[Of, str], Any] = {}
        self._cells: dict[tuple[GroupKey, ...], Rows | None] = {}
        self._chosen: dict[Of, Batch] = {}

    def chosen(self, where: Of | None) -> Batch:
        """The rows where a condition is true: what is asked of some rows is computed for these alone."""
        if where is None:
            return self
        if where not in self._chosen:
            kept = self.meant(where)
            every = self._given
            self._chosen[where] = Batch(self._infos, kept.true_count, lambda name: every(name).filter(kept))
        return self._chosen[where]

    def meant(self, where: Of) -> Any:
        """Where a condition is true: an Arrow array of booleans, none missing."""
        import pyarrow.compute as pc

        return pc.fill_null(self._column(where, "bool") if isinstance(where, str) else self.values(where, ""), False)

    def values(self, of: Of, kind: str) -> Any:
        """The array of an expression, or of a column as the kind that was agreed on."""
        key = (of, kind)
        if key not in self._values:
            column = self._column if not isinstance(of, str) else lambda name, _: self._raw(name, kind)
            self._values[key] = evaluate(of, column, self.count)
        return self._values[key]

    def _raw(self, name: str, kind: str) -> Any:
        """A column as it was read. Errors: `ColumnError` where it has values that are not of the agreed kind."""
        if name not in self._read:
            self._read[name] = self._given(name)
        array, own = self._read[name], self._infos[name].kind
        fits = not kind or own in {kind, "null"} or (own, kind) == ("int", "float") or kind not in _KNOWN
        if not fits and array.null_count < len(array):
            raise ColumnError(f"{name}: its type is {own}, where {kind} was agreed on", column=name)
        return array

    def _column(self, name: str, kind: str) -> Any:
        key = (name, kind)
        if key not in self._arrays:
            self._arrays[key] = as_agreed(self._raw(name, kind), kind or self._infos[name].kind)
        return self._arrays[key]

    def given(self, name: str) -> Any:
        """The array of what stands beside the columns."""
        return self._given(name)

    def names(self, column: str) -> Any:
        """The array of a plain column."""
        return self._column(column, "")

    def key(self, key: PrivateKey) -> Any:
        """The array of a private key."""
        return self._column(key.of, key.kind) if isinstance(key.of, str) else self.values(key.of, "")

    def cells(self, by: tuple[GroupKey, ...]) -> Rows | None:
        """The group of each row (rows,), -1 where it is in none; None where all are in the only one."""
        if by not in self._cells:
            self._cells[by] = self._found(by)
        return self._cells[by]

    def _found(self, by: Sequence[GroupKey]) -> Rows | None:
        cells: Rows | None = None
        for key in by:
            places = _places(self.values(key.of, "") if not isinstance(key.of, str) else self._column(key.of, ""), key)
            if cells is None:
                cells = places
            else:
                cells = np.where((cells < 0) | (places < 0), np.int64(-1), cells * key.size + places)
        return cells


_KNOWN = NUMBERS | {"string"}


def _places(array: Any, key: GroupKey) -> Rows:
    """Where each value is in a key's domain, -1 for those that are not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_null(array.type):
        return np.full(len(array), -1)
    if key.edges:
        return _bins(array, key)
    try:
        domain = pa.array(_held(key.domain, array.type), array.type)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        raise ColumnError(f"{words(key.of)}: values to group by that are not of its kind") from None
    places = pc.fill_null(pc.index_in(array, value_set=domain, skip_nulls=True), -1)
    result: Rows = places.to_numpy(zero_copy_only=False).astype(np.int64)
    return result


def _held(domain: Sequence[Scalar], kind: Any) -> list[Scalar]:
    """The values, None for integers that this owner's type does not hold: it has no rows of them."""
    import pyarrow as pa

    if not pa.types.is_integer(kind):
        return list(domain)
    ends: Any = np.iinfo(kind.to_pandas_dtype())
    return [value if isinstance(value, int) and ends.min <= value <= ends.max else None for value in domain]


def _bins(array: Any, key: GroupKey) -> Rows:
    """The bin of each value, -1 for those that are in none, or missing."""
    import pyarrow as pa

    name, there = words(key.of), found(array)
    if there is None:
        return bins_of(plain_numbers(array, name, ""), key.edges)
    places = np.full(len(array), -1)
    places[there] = bins_of(plain_numbers(array.filter(pa.array(there)), name, ""), key.edges)
    return places


class Work:
    """One aggregate, while the rows are read."""

    def __init__(
        self, task: Aggregate, cells: int, limb: int | None = None, entities: EntityCodes | None = None
    ) -> None:
        """limb: sums are words of so many bits, and of floats rounded for that; None: they are exact. entities: of
        tasks by entity.
        """
        self.task, self._name, self._cells, self._entities = task, words(task.column), cells, entities
        floats = task.read_as == "float"
        if entities is not None or task.keys_of:
            weights = np.zeros(0, np.uint64) if entities is None else entities.weights
            self.fold: Fold = entity_fold_for(task.kind, floats, self._name, cells, weights)
            return
        self.fold = (
            limb_fold_for(task.kind, floats, self._name, cells, limb)
            if limb is not None and task.kind in {"sum", "squares"}
            else fold_for(task.kind, floats, self._name, cells, task.edges, task.digits, task.degree)
        )

    def add(self, batch: Batch, cells: Rows | None) -> None:
        """Take the rows of a batch in. cells: of each, -1 for none; None where all are in the only one."""
        import pyarrow as pa

        task = self.task
        arrays = [batch.values(of, task.read_as) for of in (task.column, task.times) if of is not None]
        valued = len(arrays)
        if self._entities is not None:
            arrays.append(pa.array(self._entities.of(batch.names(task.entity))))
        elif task.keys_of:
            arrays.append(batch.given(ROW_KEYS))
        if cells is not None and (out := cells < 0).any():
            arrays, cells = [array.filter(pa.array(~out)) for array in arrays], cells[~out]
        for place in range(valued):
            there = found(arrays[place])
            if there is not None:
                if not task.nullable:
                    raise lacking(self._name, "null or NaN")
                arrays = [array.filter(pa.array(there)) for array in arrays]
                cells = None if cells is None else cells[there]
        counts, rows = task.kind in _OF_ANY_KIND, len(arrays[0])
        numbers, *others = (
            np.zeros(rows, np.bool_) if counts else plain_numbers(array, self._name, task.read_as)
            for array in arrays[:valued]
        )
        others += [array.to_numpy() for array in arrays[valued:]]
        if numbers.size:
            self.fold.add(numbers, None if self._cells == 1 else cells, *others)


def found(values: Any) -> NDArray[np.bool_] | None:
    """Where there is a value; None: everywhere. NaN is missing, as null is."""
    import pyarrow as pa

    if pa.types.is_floating(values.type):
        there: NDArray[np.bool_] = ~np.isnan(values.to_numpy(zero_copy_only=False))  # nulls are NaN there
        return None if there.all() else there
    return values.is_valid().to_numpy(zero_copy_only=False) if values.null_count else None
