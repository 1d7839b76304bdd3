"""Samples of several inputs, one by one or in batches: lists, generators, torch's datasets of tuples or dicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from analytics.nn.sources.number_kind import NumberKind
from analytics.nn.sources.packed import Input, Rows
from analytics.nn.sources.plain import expected, listed, plain
from icm_ray.errors import ColumnError, InputError, ShapeError

__all__ = ["SampleImages"]

_ARRAYS: Final = (np.ndarray, torch.Tensor)


class SampleImages:
    """Each item is one sample, or a batch of them: a tuple or list with a part for each input, or a dict by names.

    A pair of such and something else, a label, stands for its first. named: whether items are dicts; ids: the key of
    the ids in these. Raises `ShapeError` for other parts, `ColumnError` for names that are missing, or none of the
    network's.
    """

    def __init__(self, items: Any, inputs: Sequence[Input], *, named: bool, ids: str | None = None) -> None:
        if ids is not None and not named:
            raise InputError("id_column= names a column of a table or Dataset, or a key of dicts, not of tuples")
        self._items, self._inputs, self._named, self._ids = items, tuple(inputs), named, ids
        self._used = False
        self.count: int | None = None
        self.at_hand = isinstance(items, list | tuple)
        if self.at_hand:
            self.count = sum(len(rows.inputs[0]) for rows in self._each())
        elif not isinstance(items, DataLoader) and isinstance(items, Dataset) and hasattr(items, "__len__"):
            self.count = len(items)
        if self.count == 0:
            raise ShapeError(f"there are no samples in an empty {type(items).__name__}")

    def rows(self, size: int) -> Iterator[Rows]:
        if isinstance(self._items, Iterator) and self._used:
            what = type(self._items).__name__
            raise InputError(f"a {what} is read once, and was; pass what can be read again, such as a list")
        self._used = True
        kinds = [NumberKind() for _ in self._inputs]
        held, count = list[Rows](), 0
        for place, rows in enumerate(self._each()):
            for part, kind, one in zip(rows.inputs, kinds, self._inputs, strict=True):
                kind.check(part, f"item {place}: {one.name}")
            held.append(rows)
            count += len(rows.inputs[0])
            if count >= size:
                yield _joined(held)
                held, count = [], 0
        if count:
            yield _joined(held)

    def _each(self) -> Iterator[Rows]:
        """Every item as a batch."""
        items: Any = self._items
        if not isinstance(items, DataLoader) and isinstance(items, Dataset) and not hasattr(items, "__iter__"):
            items = map(items.__getitem__, range(self.count or 0))
        return (rows for place, item in enumerate(items) if len((rows := self._batch(item, place)).inputs[0]))

    def _batch(self, item: Any, place: int) -> Rows:
        parts = self._parts(item, place)
        found = [
            plain(part, f"item {place}: {one.name}")
            for part, one in zip(parts, self._inputs, strict=False)  # and ids
        ]
        single = all(array.shape == one.shape for array, one in zip(found, self._inputs, strict=True))
        if single:
            return Rows([array[None] for array in found], np.array([parts[-1]]) if self._ids is not None else None)
        for array, one in zip(found, self._inputs, strict=True):
            if array.shape != one.shape and (array.shape[1:] != one.shape or array.ndim != len(one.shape) + 1):
                takes = f"a sample of {one.name} is {one.shape}, a batch {expected(one.shape)}"
                raise ShapeError(f"{takes}; item {place} has {array.shape}")
        if any(array.shape == one.shape for array, one in zip(found, self._inputs, strict=True)):
            raise ShapeError(f"item {place} has one sample of some inputs, and batches of others")
        counts = {len(array) for array in found}
        ids = None if self._ids is None else np.asarray(parts[-1])
        counts |= set() if ids is None else {len(ids) if ids.ndim == 1 else -1}
        if len(counts) > 1:
            names = ", ".join(f"{len(array)} of {one.name}" for array, one in zip(found, self._inputs, strict=True))
            raise ShapeError(f"item {place} has {names}; a batch has one of each, and one id where there are ids")
        return Rows(found, ids)

    def _parts(self, item: Any, place: int) -> list[Any]:
        """One for each input, and one more of ids where these are wanted."""
        item = _without_label(item, len(self._inputs))
        names = [one.name for one in self._inputs]
        if self._named:
            wanted = names if self._ids is None else [*names, self._ids]
            if not isinstance(item, Mapping):
                raise ShapeError(f"item {place} is a {type(item).__name__}, not a dict with {listed(wanted)}")
            if missing := [name for name in wanted if name not in item]:
                raise ColumnError(f"item {place} has no {listed(missing)}; there are {listed(item)}")
            if extra := [name for name in item if name not in wanted]:
                raise ColumnError(
                    f"item {place} has {listed(extra)}, which is no input of the network; it takes {listed(names)}, "
                    "and a label stands apart: (dict, label)"
                )
            return [item[name] for name in wanted]
        if isinstance(item, Mapping):
            raise ShapeError(
                f"item {place} is a dict; the network's inputs have no names (with example_inputs= as a dict they have)"
            )
        if not isinstance(item, tuple | list) or len(item) != len(names):
            has = f"has {len(item)} parts" if isinstance(item, tuple | list) else f"is a {type(item).__name__}"
            raise ShapeError(
                f"item {place} {has}; the network takes {len(names)} inputs, and a label stands apart: (inputs, label)"
            )
        return list(item)


def _without_label(item: Any, count: int) -> Any:
    """The inputs of a pair (inputs, label), else the item."""
    if isinstance(item, tuple | list) and len(item) == 2:
        first = item[0]
        several = isinstance(first, tuple | list) and len(first) == count and all(isinstance(x, _ARRAYS) for x in first)
        if isinstance(first, Mapping) or several:
            return first
    return item


def _joined(held: Sequence[Rows]) -> Rows:
    if len(held) == 1:
        return held[0]
    ids = [rows.ids for rows in held if rows.ids is not None]
    parts = zip(*(rows.inputs for rows in held), strict=True)
    return Rows([np.concatenate(part) for part in parts], np.concatenate(ids) if ids else None)
