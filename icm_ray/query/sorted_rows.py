"""Rows on shares in the order of a key, public keys put among them, and what each party adds up by itself."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import (
    Add,
    AddLast,
    AddPublic,
    AssumeWidth,
    Concatenate,
    Expand,
    Pad,
    Reshape,
    RunningSum,
    Scale,
    Slice,
    Subtract,
    Take,
)
from icm_ray.ops.products import Product
from icm_ray.ops.sorting import Arrange, SortBy
from icm_ray.ops.values import log2_ceil
from icm_ray.program.build import Builder, Value

__all__ = ["SortedRows", "picked"]


class SortedRows:
    """Rows in the order of their keys, while it is written what becomes of them.

    ends: public keys in order; for each of them there is a row more, of zeros or of `beside`, before all others of that
    key.
    """

    def __init__(self, builder: Builder, key: Value, values: Value, ends: Sequence[int] = (), beside: int = 0) -> None:
        self.builder, self._add = builder, builder.add
        self.count, self._columns = key.type.count + len(ends), values.type.shape[1]
        self._width, self._key_width = values.type.width, key.type.width
        column = self._add(Reshape((key.type.count, 1)), key)
        table = self.beside(column, values)
        if ends:
            table, key = self._with_ends(table, key, ends, beside)
        if self.count > 1:
            table = self._add(SortBy(), key, table)
        self._table = table
        self.key = self._column(0, self._key_width)

    def _with_ends(self, table: Value, key: Value, ends: Sequence[int], beside: int) -> tuple[Value, Value]:
        """A row for each end before all rows, and a bit, in the last column, that says which these are."""
        add, columns = self._add, table.type.shape[1]
        nothing = add(Scale(0), add(Expand((1, len(ends))), add(Slice(((0, 1, 1), (0, 1, 1))), table)))
        known = add(AddLast(tuple(ends)), add(AssumeWidth(1, 0.0), nothing))
        row = add(Reshape((len(ends), 1)), known)
        padded = add(Pad(((0, 0), (0, columns - 1))), row)
        if beside:
            padded = add(AddLast((0, *(beside,) * (columns - 1))), padded)
        mark = self.beside(padded, add(AddPublic(1), add(AssumeWidth(1), add(Scale(0), row))))
        table = add(Concatenate(), mark, add(Pad(((0, 0), (0, 1))), table))
        return table, add(Concatenate(), add(Reshape((len(ends),)), known), key)

    # --- parts

    def part(self, table: Value, rows: slice, columns: slice) -> Value:
        """Some rows and columns."""
        axes = tuple(part.indices(size) for part, size in zip((rows, columns), table.type.shape, strict=True))
        return self._add(Slice(axes), table)

    def _column(self, place: int, width: int) -> Value:
        """(n, 1), with what is known of its width."""
        return self._add(AssumeWidth(width), self.part(self._table, slice(None), slice(place, place + 1)))

    def beside(self, *columns: Value) -> Value:
        """Tables of as many rows beside one another."""
        return self._add(Concatenate(axis=1), *columns)

    def last(self, table: Value) -> Value:
        """The last row (1, columns)."""
        return self.part(table, slice(-1, None), slice(None))

    def constant(self, number: int, rows: int = 1) -> Value:
        """Shares of a public number (rows, 1)."""
        nothing = self._add(AssumeWidth(1, 0.0), self._add(Scale(0), self.part(self.key, slice(0, rows), slice(None))))
        return self._add(AddPublic(number), nothing) if number else nothing

    def values(self) -> Value:
        """The values (n, columns) in this order."""
        return self._add(AssumeWidth(self._width), self.part(self._table, slice(None), slice(1, 1 + self._columns)))

    # --- steps

    def first(self) -> Value:
        """Bits (n, 1) of the first row of each key: the keys before it are less."""
        one = self._add(AssumeWidth(2), self.constant(1))
        if self.count == 1:
            return one
        upper, lower = self.part(self.key, slice(1, None), slice(None)), self.part(self.key, slice(0, -1), slice(None))
        step = self._add(AssumeWidth(self._key_width), self._add(Subtract(), upper, lower))  # they are in order, from 0
        return self._add(Concatenate(), one, self._add(AtLeast(1, self._key_width + 1), step))

    def marked(self) -> Value:
        """Bits (n, 1) of the rows that stand at ends."""
        return self._column(1 + self._columns, 2)

    def running(self, bits: Value) -> Value:
        """How many bits are set in the rows up to each, (n, 1)."""
        return self._add(AssumeWidth(log2_ceil(self.count + 1) + 1), self._add(RunningSum(), bits))

    def before(self) -> Value:
        """What all rows before each add up to (n, columns)."""
        values = self.values()
        if self.count == 1:
            return self._add(Scale(0), values)
        sums = self._add(RunningSum(), self.part(values, slice(0, -1), slice(None)))
        return self._add(Pad(((1, 0), (0, 0))), sums)

    def total(self) -> Value:
        """What all rows add up to (1, columns)."""
        return self.last(self._add(RunningSum(), self.values()))

    def places(self, bits: Value, running: Value, count: Value | int) -> Value:
        """The places (n, 1) that bring the rows whose bit is set to the front, in their order, the others behind them.

        count: of the bits that are set.
        """
        index = self._add(AddPublic(-1), self._add(RunningSum(), self.constant(1, self.count)))
        before = self._add(Subtract(), index, running)
        if isinstance(count, int):
            others = self._add(AddPublic(count), before)
        else:
            others = self._add(Add(), before, self._add(Expand((self.count, 1)), count))
        ahead = self._add(Subtract(), self._add(AddPublic(-1), running), others)
        place = self._add(Add(), others, self._add(Product(Elementwise()), bits, ahead))
        return self._add(AssumeWidth(log2_ceil(self.count) + 2), place)

    def in_front(self, bits: Value, running: Value, count: Value | int, table: Value, places: int) -> Value:
        """The rows whose bit is set, in their order, then others: the bit and their row of a table, so many of them.

        count: of the bits that are set; where it is public their rows alone, without the bit.
        """
        place = self.places(bits, running, count)
        table = table if isinstance(count, int) else self.beside(bits, table)
        arranged = self._add(Arrange(), self._add(Reshape((self.count,)), place), table)
        return self.part(arranged, slice(0, places), slice(None))

    def kept(self, table: Value, end: Value) -> Value:
        """Rows without their bit, which comes first, and, where it is not set, the row `end` in their place."""
        add, width = self._add, end.type.width
        bits = add(AssumeWidth(2), self.part(table, slice(None), slice(0, 1)))
        rows = add(AssumeWidth(width), self.part(table, slice(None), slice(1, None)))
        ends = add(Expand(rows.type.shape), end)
        # what is between a row and the end is what rows behind it add up to, or a difference of keys: no wider
        away = add(AssumeWidth(width), add(Subtract(), rows, ends))
        away = add(AssumeWidth(width), add(Product(Elementwise()), bits, away))
        return add(AssumeWidth(width), add(Add(), ends, away))

    def steps(self, table: Value, end: Value | None) -> Value:
        """Each row taken from the next one; end: what comes after the last, None: the last is taken from none."""
        width = table.type.width
        after = self.part(table, slice(1, None), slice(None))
        if end is not None:
            after = self._add(Concatenate(), after, end)
        found = self._add(Subtract(), after, self.part(table, slice(0, after.type.shape[0]), slice(None)))
        return self._add(AssumeWidth(width), found)


def picked(builder: Builder, table: Value, places: Sequence[int | None]) -> Value:
    """Some rows of a table; zeros for None."""
    size = table.type.shape[0]
    padded = builder.add(Pad(((0, 1), (0, 0))), table) if None in places else table
    return builder.add(Take(0, tuple(size if place is None else place for place in places)), padded)
