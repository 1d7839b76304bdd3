"""Rows of words on shares that are found by their keys: several tables of them, in each of which a key is once."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.functions.order_keys import largest_key
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import (
    Add,
    AddLast,
    AddPublic,
    AssumeWidth,
    Concatenate,
    Permute,
    Rescale,
    Reshape,
    Scale,
    Slice,
    Subtract,
)
from icm_ray.ops.products import Product
from icm_ray.ops.sorting import SortBy
from icm_ray.ops.wide import Widen
from icm_ray.program.build import Builder, Value
from icm_ray.ring.fixed import NOTHING

__all__ = ["KeyedTables"]


class KeyedTables:
    """Tables (rows, words), one after the other, while a program is written that finds the rows of one key.

    widths: of each word of a row. keys: how many words are the key, the first ones; a key beyond all keys pads.
    extremes: how many words, the last ones, are order keys of which the largest counts; the others are added up. times:
    the number of tables, how often a key may occur. whole: whether widths are those of sums over all tables already.
    """

    def __init__(
        self,
        builder: Builder,
        widths: Sequence[int],
        keys: int,
        extremes: int,
        times: int,
        rows: int,
        *,
        whole: bool = False,
    ) -> None:
        self._builder, self._add = builder, builder.add
        self._widths, self._keys, self._tables, self._count = tuple(widths), keys, times, rows
        self._whole = whole
        self._added = slice(keys, len(widths) - extremes)
        self._extremes = slice(self._added.stop, len(widths))

    # --- parts of tables

    def _part(self, table: Value, rows: slice, columns: slice) -> Value:
        (start, stop, _), (left, right, _) = (
            part.indices(size) for part, size in zip((rows, columns), table.type.shape, strict=True)
        )
        return self._add(Slice(((start, stop, 1), (left, right, 1))), table)

    def _columns(self, table: Value, columns: slice) -> Value:
        return self._part(table, slice(None), columns)

    def _column(self, table: Value, place: int, grown: int = 0) -> Value:
        """A column (rows,), with what is known of its width."""
        column = self._columns(table, slice(place, place + 1))
        flat = self._add(Reshape((table.type.shape[0],)), column)
        return self._add(AssumeWidth(self._widths[place] + grown), flat)

    def _times(self, bits: Value, table: Value) -> Value:
        """Each row times its bit."""
        column = self._add(Reshape((bits.type.count, 1)), bits)
        product = self._add(Product(Elementwise()), column, table)
        return self._add(AssumeWidth(table.type.width), product)

    def _beside(self, *columns: Value) -> Value:
        kept = [column for column in columns if column.type.shape[1]]
        return kept[0] if len(kept) == 1 else self._add(Concatenate(axis=1), *kept)

    # --- steps

    def _sorted(self, table: Value) -> Value:
        for place in reversed(range(self._keys)):  # a sort is stable: the most significant word comes last
            table = self._add(SortBy(), self._column(table, place), table)
        return table

    def _new(self, table: Value) -> Value:
        """Whether each row but the first has another key than the one before (rows - 1,)."""
        steps = []
        for place in range(self._keys):
            column = self._column(table, place)
            upper = self._add(Slice(((1, self._count, 1),)), column)
            step = self._add(Subtract(), upper, self._add(Slice(((0, self._count - 1, 1),)), column))
            steps.append(step)
            if place:  # where more significant words differ, these may fall
                steps.append(self._add(Scale(-1), step))
        size = self._count - 1
        compared = steps[0] if len(steps) == 1 else self._add(Concatenate(), *steps)
        above = self._add(AtLeast(1, compared.type.width + 1), compared)
        if len(steps) == 1:
            return above
        rows = [self._add(Slice(((size * at, size * (at + 1), 1),)), above) for at in range(len(steps))]
        equal = [self._not(rows[0])]
        for rises, falls in zip(rows[1::2], rows[2::2], strict=True):
            equal.append(self._not(self._add(Add(), rises, falls)))
        while len(equal) > 1:
            pairs = [self._both(one, other) for one, other in zip(equal[::2], equal[1::2], strict=False)]
            equal = pairs + equal[2 * len(pairs) :]
        return self._not(equal[0])

    def _not(self, bits: Value) -> Value:
        flipped = self._add(AddPublic(1), self._add(Scale(-1), bits))
        return self._add(AssumeWidth(2), flipped)

    def _both(self, one: Value, other: Value) -> Value:
        return self._add(AssumeWidth(2), self._add(Product(Elementwise()), one, other))

    def _scanned(self, table: Value) -> tuple[Value, Value, Value]:
        """The bits of the rows that are the last of their key, and words that are added up and the largest, of all rows
        of a key there.
        """
        added, extremes = self._columns(table, self._added), self._columns(table, self._extremes)
        first = self._add(Slice(((0, 1, 1),)), self._column(table, 0))
        one = self._add(AddPublic(1), self._add(Scale(0), first))
        if self._count == 1:
            return self._add(AssumeWidth(2), one), added, extremes
        new = self._new(table)
        same, step = self._not(new), 1
        while step < self._tables:
            rows, before = slice(step, None), slice(0, self._count - step)
            carried = self._times(same, self._part(added, before, slice(None)))
            more = self._add(Add(), self._part(added, rows, slice(None)), carried)
            more = self._add(AssumeWidth(added.type.width), more) if self._whole else more
            added = self._add(Concatenate(), self._part(added, slice(0, step), slice(None)), more)
            if extremes.type.shape[1]:
                extremes = self._larger(extremes, same, step)
            if 2 * step < self._tables:
                size = self._count - step
                later = self._add(Slice(((step, size, 1),)), same)
                same = self._both(later, self._add(Slice(((0, size - step, 1),)), same))
            step *= 2
        return self._add(AssumeWidth(2), self._add(Concatenate(), new, one)), added, extremes

    def _larger(self, extremes: Value, same: Value, step: int) -> Value:
        """Order keys, each the larger of itself and, where the key is the same, of the one `step` rows before."""
        size, pairs = self._count - step, extremes.type.shape[1] // 2
        beyond = (NOTHING >> 32, 0) * pairs  # less than all keys is -NOTHING
        before = self._part(extremes, slice(0, size), slice(None))
        carried = self._times(same, self._add(AddLast(beyond), before))
        candidates = self._add(AssumeWidth(34), self._add(AddLast(tuple(-word for word in beyond)), carried))
        own = self._part(extremes, slice(step, None), slice(None))
        larger = largest_key(self._builder, [self._as_keys(own), self._as_keys(candidates)])
        table = self._add(
            Reshape((size, 2 * pairs)),
            self._add(Permute((1, 2, 0)), self._add(Reshape((2, size, pairs)), larger)),
        )
        return self._add(Concatenate(), self._part(extremes, slice(0, step), slice(None)), table)

    def _as_keys(self, table: Value) -> Value:
        """Two words after two words in each row, as order keys (2, rows * pairs)."""
        rows, words = table.type.shape
        split = self._add(Permute((2, 0, 1)), self._add(Reshape((rows, words // 2, 2)), table))
        return self._add(AssumeWidth(34), self._add(Reshape((2, rows * words // 2)), split))

    def _wide(self, columns: Sequence[Value], f: int, limbs: int, limb: int) -> Value:
        """The number that words, the least significant first, are of."""
        *lower, total = (self._add(Widen(limbs), column) for column in columns)
        for word in reversed(lower):
            total = self._add(Add(), self._add(Scale(1 << limb), total), word)
        return self._add(Rescale(f), total) if f else total
