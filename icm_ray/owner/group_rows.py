"""An owner's rows in groups of private keys: it aggregates its own groups in the clear, one row of words for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import BoundError, ColumnError, InputError, ProgramError
from icm_ray.owner.reading import Readable
from icm_ray.owner.scan import Batch, Work, check, read_by
from icm_ray.query.expressions.tree import columns_of
from icm_ray.query.expressions.words import words
from icm_ray.query.private_keys import (
    PAIR,
    STEP,
    TEXT_BYTES,
    key_widths,
    magnitude_bits,
    sentinel,
    word_widths,
)
from icm_ray.query.tasks import GroupRows, PrivateKey
from icm_ray.ring.array import RingArray
from icm_ray.ring.wide import GRID, to_signed

__all__ = ["group_rows"]

_ROWS_AT_ONCE = 1 << 20
"""Rows whose keys are grouped together: to group those found so far again with each batch takes most of the time."""


def group_rows(table: Readable, task: GroupRows) -> RingArray:
    """The words (most, words) of a task: two passes, of which the first finds the groups.

    Errors: `InputError` (more groups than the question has room for), `BoundError` (a key, or a sum, beyond its bound),
    `ColumnError` (a column that is not there or not of the agreed kind, text with NUL characters), and those of
    `owner.scan.aggregates`. None of them tells a value or a row.
    """
    for values in task.values:
        check(table, values)
    groups = _Groups(table, task)
    count = max(groups.count, 1)
    works = [Work(values, count, STEP) for values in task.values]
    for batch in _batches(table, task):
        cells = groups.places(batch)
        for work in works:
            work.add(batch, cells)
    out = np.zeros((task.most, sum(len(key_widths(key)) for key in task.keys) + _width(task)), np.uint64)
    out[groups.count :, 0] = sentinel(task.keys[0])
    if groups.count:
        columns = [*groups.words(), *(column for work in works for column in _columns(work, task.limb))]
        out[: groups.count] = np.stack(columns, axis=1)
    return out


def _width(task: GroupRows) -> int:
    return sum(len(word_widths(item.kind, floats=item.read_as == "float", limb=task.limb)) for item in task.values)


def _batches(table: Readable, task: GroupRows) -> Iterator[Batch]:
    infos = {info.name: info for info in table.info.columns}
    names = columns_of(
        *(key.of for key in task.keys), task.where, *(of for item in task.values for of in read_by(item))
    )
    for partition in task.partitions:
        if not 0 <= partition < len(table.info.rows):
            raise ProgramError(f"a table of {len(table.info.rows)} partitions, none of number {partition}")
        if table.info.rows[partition]:
            for count, columns in table.batches(partition, names):
                yield Batch(infos, count, columns.__getitem__).chosen(task.where)


class _Groups:
    """The distinct keys among the rows that count; a row that lacks a part of its key is in no group."""

    def __init__(self, table: Readable, task: GroupRows) -> None:
        import pyarrow as pa

        self._task, self._names = task, [str(place) for place in range(len(task.keys))]
        pending: list[Any] = []  # the groups so far, and rows that are not grouped yet
        limit = _ROWS_AT_ONCE
        for batch in _batches(table, task):
            keys, there = self._keys(batch)
            pending.append(pa.table(dict(zip(self._names, keys, strict=True))).filter(pa.array(there)))
            if sum(part.num_rows for part in pending) > limit:
                pending = [self._distinct(pending)]
                limit = _ROWS_AT_ONCE + 2 * pending[0].num_rows
        found = self._distinct(pending) if pending else None
        self.count = 0 if found is None else found.num_rows
        if found is not None and self.count:
            self._arrays = [found.column(name).combine_chunks() for name in self._names]
            self._domains = [array.unique() for array in self._arrays]
            codes = self._codes(self._arrays)
            self._order = np.argsort(codes)
            self._sorted = codes[self._order]

    def _distinct(self, parts: Sequence[Any]) -> Any:
        """The groups of some tables of keys. Errors: `InputError` where they are more than there is room for."""
        import pyarrow as pa

        found = pa.concat_tables(parts).group_by(self._names).aggregate([])
        if found.num_rows > self._task.most:
            raise InputError(
                f"{self._in_words}: an owner has more groups than the {self._task.most} there is room for; "
                "state more: groupby(..., max_groups=...)"
            )
        return found

    @property
    def _in_words(self) -> str:
        return ", ".join(words(key.of) for key in self._task.keys)

    def _keys(self, batch: Batch) -> tuple[list[Any], NDArray[np.bool_]]:
        """The arrays of the keys, and which rows lack nothing."""
        there = np.ones(batch.count, np.bool_)
        arrays = [_of_kind(batch.key(key), key) for key in self._task.keys]
        for array in arrays:
            there = there & array.is_valid().to_numpy(zero_copy_only=False)
        return arrays, there

    def _codes(self, arrays: Sequence[Any]) -> NDArray[np.int64]:
        """One number for each combination of keys; those of a row that lacks one mean nothing."""
        import pyarrow.compute as pc

        codes = np.zeros(len(arrays[0]), np.int64)
        reach = 1
        for array, domain in zip(arrays, self._domains, strict=True):
            reach *= len(domain)
            if reach > 1 << 62:
                raise InputError(f"{self._in_words}: too many combinations of keys; group by fewer columns")
            places = pc.fill_null(pc.index_in(array, value_set=domain), 0).to_numpy(zero_copy_only=False)
            codes = codes * len(domain) + places
        return codes

    def places(self, batch: Batch) -> NDArray[np.int64]:
        """The group of each row (rows,), -1 where it is in none."""
        keys, there = self._keys(batch)
        if not self.count:
            return np.full(batch.count, -1)
        codes = self._codes(keys)
        at = np.minimum(np.searchsorted(self._sorted, codes), self.count - 1)
        places: NDArray[np.int64] = np.where(there, self._order[at], np.int64(-1))
        return places

    def words(self) -> list[RingArray]:
        """The words of the keys, each (groups,)."""
        return [
            column for array, key in zip(self._arrays, self._task.keys, strict=True) for column in _words(array, key)
        ]


def _of_kind(array: Any, key: PrivateKey) -> Any:
    """A key's array in one Arrow type. Errors: `BoundError` for integers beyond int64."""
    import pyarrow as pa

    kind = {"int": pa.int64(), "bool": pa.bool_(), "string": pa.string()}[key.kind]
    if array.type == kind:
        return array
    try:
        return array.cast(kind)
    except pa.ArrowNotImplementedError:
        raise ColumnError(f"{words(key.of)}: values to group by that are not {key.kind}") from None
    except pa.ArrowException:
        raise BoundError(f"{words(key.of)}: keys beyond 64 bits cannot be grouped by") from None


def _words(array: Any, key: PrivateKey) -> list[RingArray]:
    if key.kind == "string":
        return _of_text(array.to_pylist(), key)
    numbers: NDArray[np.int64] = array.to_numpy(zero_copy_only=False).astype(np.int64)
    if len(key_widths(key)) == 2:
        return [(numbers >> PAIR).view(np.uint64), numbers.view(np.uint64) & np.uint64((1 << PAIR) - 1)]
    if int(numbers.max()) > 1 << key.size or int(numbers.min()) < -(1 << key.size):
        raise BoundError(f"{words(key.of)}: a key is beyond the declared bound 2^{key.size}", bound=key.size)
    return [numbers.view(np.uint64)]


def _of_text(texts: Sequence[str], key: PrivateKey) -> list[RingArray]:
    raw = [text.encode() for text in texts]
    if any(len(item) > key.size for item in raw):
        raise BoundError(f"{words(key.of)}: text of more than {key.size} bytes; state more: max_bytes=...")
    if any(b"\0" in item for item in raw):
        raise ColumnError(f"{words(key.of)}: text with NUL characters cannot be a private key")
    size = TEXT_BYTES * len(key_widths(key))
    padded = np.frombuffer(b"".join(item.ljust(size, b"\0") for item in raw), np.uint8).reshape(
        len(raw), -1, TEXT_BYTES
    )
    made = np.zeros(padded.shape[:2], np.uint64)
    for byte in range(TEXT_BYTES):
        made = (made << np.uint64(8)) | padded[:, :, byte]
    return list(made.T)


def _columns(work: Work, limb: int) -> list[RingArray]:
    """The words of an aggregate, each (groups,)."""
    kind, floats = work.task.kind, work.task.read_as == "float"
    folded = work.fold.words()
    if kind == "count":
        return [folded]
    if kind in {"min", "max"}:
        return list(folded)
    numbers = to_signed(folded)
    bits = magnitude_bits(kind, floats=floats)
    if floats:
        shift = (2 if kind == "squares" else 1) * (GRID - STEP)
        numbers = [number >> shift for number in numbers]  # exact: they are multiples
        if any(abs(number) >> bits for number in numbers):
            name = words(work.task.column)
            raise BoundError(f"{name}: values to group are too large; those to 2^48 fit: scale them down", column=name)
    count = len(word_widths(kind, floats=floats, limb=limb))
    low = (1 << limb) - 1
    words_of = [[(number >> limb * place) & low for number in numbers] for place in range(count - 1)]
    top = [(number >> limb * (count - 1)) % (1 << 64) for number in numbers]
    return [np.array(word, np.uint64) for word in (*words_of, top)]
