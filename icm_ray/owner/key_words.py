"""The groups of private keys of an owner's rows, and the words of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import BoundError, ColumnError, InputError, ProgramError
from icm_ray.owner.reading import Readable
from icm_ray.owner.scan import Batch, read_by
from icm_ray.query.expressions.tree import columns_of
from icm_ray.query.expressions.words import words
from icm_ray.query.private_keys import PAIR, TEXT_BYTES, key_widths, sentinel
from icm_ray.query.tasks import GroupRows, PrivateKey
from icm_ray.ring.array import RingArray

__all__ = ["Groups", "batches", "padded_keys", "words_beside"]

_ROWS_AT_ONCE: Final = 1 << 20
"""Rows whose keys are grouped together: to group those found so far again with each batch takes most of the time."""
_SEEDS: Final = (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0)
"""Of the three hashes of a key: by which rows are sorted, by which keys are compared, and by which rows are sorted
before.
"""


def batches(table: Readable, task: GroupRows) -> Iterator[Batch]:
    """The rows that count, with all columns that the task reads."""
    infos = {info.name: info for info in table.info.columns}
    cells, by = (task.order.cells, task.order.by) if task.order is not None else (task.cells, ())
    names = columns_of(
        *(key.of for key in (*task.keys, *by)),
        *(key.of for key in cells),
        task.where,
        *(of for item in task.values for of in read_by(item)),
    )
    for partition in task.partitions:
        if not 0 <= partition < len(table.info.rows):
            raise ProgramError(f"a table of {len(table.info.rows)} partitions, none of number {partition}")
        if table.info.rows[partition]:
            for count, columns in table.batches(partition, names):
                yield Batch(infos, count, columns.__getitem__).chosen(task.where)


class Groups:
    """The distinct keys among the rows that count, of a left table of a merge with their cells; a row that lacks a part
    of its key, or is in no cell, is in no group.
    """

    def __init__(self, table: Readable, task: GroupRows) -> None:
        import pyarrow as pa

        order = task.order
        self._task, self._cells = task, task.cells
        if order is not None:
            self._cells = () if order.right else order.cells
        self._names = [str(place) for place in range(len(task.keys) + bool(self._cells))]
        pending: list[Any] = []  # the groups so far, and rows that are not grouped yet
        limit = _ROWS_AT_ONCE
        for batch in batches(table, task):
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
        if found.num_rows > self._task.most and self._task.cells:
            raise InputError(
                f"{self._in_words}: an owner has more different values in groups than the {self._task.most} there is "
                "room for; choose rows of fewer groups"
            )
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
        """The arrays of the keys, and of cells; and which rows lack nothing."""
        import pyarrow as pa

        there = np.ones(batch.count, np.bool_)
        arrays = [_of_kind(batch.key(key), key) for key in self._task.keys]
        for array in arrays:
            there = there & array.is_valid().to_numpy(zero_copy_only=False)
        if self._cells and (cells := batch.cells(self._cells)) is not None:
            arrays.append(pa.array(cells))
            there = there & (cells >= 0)
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
            column for array, key in zip(self._arrays, self._task.keys, strict=False) for column in _words(array, key)
        ]

    @property
    def cells(self) -> RingArray:
        """The cell of each group (groups,); zeros where there are none."""
        if not self._cells:
            return np.zeros(self.count, np.uint64)
        cells: RingArray = self._arrays[-1].to_numpy(zero_copy_only=False).astype(np.uint64)
        return cells


def words_beside(batch: Batch, keys: Sequence[PrivateKey]) -> RingArray:
    """The words of other keys in each row (rows, words), none of which is missing."""
    return np.stack([column for key in keys for column in _words(_of_kind(batch.key(key), key), key)], axis=1)


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
        return _of_text(array, key)
    numbers: NDArray[np.int64] = array.to_numpy(zero_copy_only=False).astype(np.int64)
    if len(key_widths(key)) == 2:
        return [(numbers >> PAIR).view(np.uint64), numbers.view(np.uint64) & np.uint64((1 << PAIR) - 1)]
    if int(numbers.max()) > 1 << key.size or int(numbers.min()) < -(1 << key.size):
        raise BoundError(f"{words(key.of)}: a key is beyond the declared bound 2^{key.size}", bound=key.size)
    return [numbers.view(np.uint64)]


def _of_text(array: Any, key: PrivateKey) -> list[RingArray]:
    """Bytes, five to a word, zeros behind."""
    import pyarrow as pa

    array = array.cast(pa.large_string())
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    sizes = np.diff(ends)
    raw = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data is not None else np.empty(0, np.uint8)
    if sizes.max() > key.size:
        raise BoundError(f"{words(key.of)}: text of more than {key.size} bytes; state more: max_bytes=...")
    if not raw.all():
        raise ColumnError(f"{words(key.of)}: text with NUL characters cannot be a private key")
    size = TEXT_BYTES * len(key_widths(key))
    padded = np.zeros((len(array), size), np.uint8)
    padded[np.arange(size) < sizes[:, None]] = raw
    made = np.zeros((len(array), size // TEXT_BYTES), np.uint64)
    for byte in range(TEXT_BYTES):
        made = (made << np.uint64(8)) | padded[:, byte::TEXT_BYTES]
    return list(made.T)


def padded_keys(task: GroupRows, groups: Groups, cells: RingArray) -> RingArray:
    """What rows begin with (most, words): the words of keys, or those by which a merge sorts; pads last.

    cells: of a right table of a merge the number of each group's cell, from 1 on.
    """
    order = task.order
    if task.cells:
        beside = np.zeros((task.most, 1 + sum(len(key_widths(key)) for key in task.keys)), np.uint64)
        if groups.count:
            beside[: groups.count] = np.stack([groups.cells + np.uint64(1), *groups.words()], axis=1)
        return beside
    if order is None:
        out = np.zeros((task.most, sum(len(key_widths(key)) for key in task.keys)), np.uint64)
        out[groups.count :, 0] = sentinel(task.keys[0])
        if groups.count:
            out[: groups.count] = np.stack(groups.words(), axis=1)
        return out
    count, upper, hashed = groups.count, int(order.upper > 0), int(order.hashed)
    out = np.zeros((task.most, 1 + upper + hashed + bool(order.cells)), np.uint64)
    if upper:
        numbers, out[count:, 1] = np.zeros(task.most, np.uint64), 1 << order.upper
    else:
        numbers = np.arange(task.most, dtype=np.uint64) + np.uint64(order.pad + order.start)
    slots = np.zeros(task.most, np.uint64)
    if count:
        found = groups.words()
        if hashed:
            numbers[:count] = (_hash(found, _SEEDS[0]) >> np.uint64(64 - order.bits)) % np.uint64(order.pad)
            out[:count, 1 + upper] = _hash(found, _SEEDS[1]) >> np.uint64(64 - order.check)
            if upper:
                out[:count, 1] = _hash(found, _SEEDS[2]) >> np.uint64(64 - order.upper)
        else:
            numbers[:count] = found[0] + np.uint64(1 << task.keys[0].size)
        if not order.right:
            slots[:count] = groups.cells + np.uint64(1)
            cells = slots[:count]
        if order.cells:
            out[:count, -1] = cells
    out[:, 0] = (numbers << np.uint64(order.key)) | (slots << np.uint64(order.slot)) | np.uint64(order.member)
    return out


def _hash(columns: Sequence[RingArray], seed: int) -> RingArray:
    """64 bits of words, unlike one another as random ones are: a bijection of each word, given those before it."""
    mixed = np.full(len(columns[0]), seed, np.uint64)
    for column in columns:
        mixed = (mixed ^ column) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return mixed
