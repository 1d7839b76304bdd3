"""Order statistics of rows by a key, on shares: rows are sorted by key and value once, and picked by their positions.

A row of a value below all others is put at each end of a wanted key, as in `sorted_sums`. With rows in the order of key
and value let v_i be the values, d_i = v_i - v_(i-1), s_e the position of the row at end e, and c_e = s_(e+1) - s_e - 1
how many rows lie between two ends. The value of rank k among these is v_(s_e) and all d_i that follow up to position
T_e = s_e + 1 + k, so that with U_i = T_e for the rows that follow s_e up to s_(e+1)
    value_e = v_(s_e) + sum of [U_i >= i] d_i, i from s_(e+1) back to s_e,
a difference of running sums. Ends are brought to the front, and what is of each is brought back, by one permutation
and its inverse (`protocols.arrange`); U is a running sum of the steps between ends. Of no rows it is v_(s_e), below
all. Opened: orders of shuffled rows, which say nothing, and uniform words.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

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
)
from icm_ray.ops.products import Product
from icm_ray.ops.sorting import Arrange, SortBy, tag_bits
from icm_ray.ops.values import FULL_WIDTH, log2_ceil
from icm_ray.program.build import Builder, Value
from icm_ray.query.sorted_rows import SortedRows, picked

__all__ = ["RanksByKey", "ends_of", "in_order"]


def ends_of(wanted: Sequence[int | None]) -> list[int]:
    """Both ends of each wanted key, in order."""
    return sorted({end for number in wanted if number is not None for end in (number, number + 1)})


def in_order(builder: Builder, key: Value, value: Value, ends: Sequence[int]) -> Value:
    """Of rows in the order of their keys and values, rows at ends among them, (rows + ends, 3): the value; the place
    that brings rows at ends to the front; and the row that comes to each place.

    key: (n,) whole numbers from 0 on. value: (n,) whole numbers, above -2^(width - 1). ends: one or more.
    Errors: `BoundError` where a key and its place, or a value and its place, do not fit a word.
    """
    add, low = builder.add, -(1 << (value.type.width - 1))
    column = add(Reshape((value.type.count, 1)), value)
    count = value.type.count + len(ends)
    if key.type.width + value.type.width + tag_bits(count) + 1 <= FULL_WIDTH:
        word, marks = _words(builder, key, value, ends)
        rows = SortedRows(builder, word, column, marks, beside=low)
    else:
        if value.type.count > 1:
            table = add(Concatenate(axis=1), add(Reshape((value.type.count, 1)), key), column)
            table = add(SortBy(), value, table)
            key, column = (
                add(AssumeWidth(kind.width), add(Slice(((0, value.type.count, 1), (place, place + 1, 1))), table))
                for place, kind in enumerate((key.type, value.type))
            )
            key = add(Reshape((value.type.count,)), key)
        rows = SortedRows(builder, key, column, ends, beside=low)
    first = rows.marked()
    place = rows.places(first, rows.running(first), len(ends))
    index = add(AddPublic(-1), add(RunningSum(), rows.constant(1, count)))
    back = add(Arrange(), add(Reshape((count,)), place), index)
    return rows.beside(rows.values(), place, back)


def _words(builder: Builder, key: Value, value: Value, ends: Sequence[int]) -> tuple[Value, list[int]]:
    """Key and value as one number, and that of rows at ends."""
    add, size = builder.add, 1 << value.type.width
    word = add(Add(), add(Scale(size), key), add(AddPublic(size // 2), value))
    return add(AssumeWidth(key.type.width + value.type.width), word), [end * size for end in ends]


@dataclass(frozen=True)
class RanksByKey:
    """What `in_order` gave for these wanted keys, and values of this width; None: no row has it. Where no row has any
    of them, nothing was put in order, and the table may be any.
    """

    builder: Builder
    table: Value
    wanted: Sequence[int | None]
    width: int

    @cached_property
    def _ends(self) -> list[int]:
        return ends_of(self.wanted)

    @property
    def _count(self) -> int:
        return self.table.type.shape[0]

    @property
    def _low(self) -> int:
        return -(1 << (self.width - 1))

    # --- what there is

    def counts(self) -> Value:
        """How many rows each key has (wanted,)."""
        if not self._ends:
            return self._constant(0)
        return self._flat(self._picked(self._between()))

    def least(self) -> Value:
        """The least value of each key (wanted,), -2^(width - 1) of none."""
        if not self._ends:
            return self._constant(self._low)
        return self._found(self._in_front(self._after(self._values())), slice(0, -1))

    def largest(self) -> Value:
        """The largest value of each key (wanted,), -2^(width - 1) of none."""
        if not self._ends:
            return self._constant(self._low)
        return self._found(self._in_front(self._before(self._values(), self._low)), slice(1, None))

    def distinct(self) -> Value:
        """How many different values each key has (wanted,)."""
        if not self._ends:
            return self._constant(0)
        new = self.builder.add(AtLeast(1, self.width + 2), self._steps())
        return self._flat(self._picked(self._sums(new, log2_ceil(self._count + 1) + 1)))

    def at(self, ranks: Sequence[Callable[[Value], tuple[int, Value]]]) -> Value:
        """The values at some ranks of each key, (ranks, wanted), -2^(width - 1) of none.

        ranks: each gives for counts (m,) an s and v (m,), so that the rank is floor(v / s), below 0 of none.
        Errors: `BoundError` where s times a position does not fit the ring.
        """
        add = self.builder.add
        if not self._ends:
            return add(Expand((len(ranks), len(self.wanted))), self._constant(self._low))
        between = self._flat(self._between())
        starts = self._part(self._front(), slice(0, len(self._ends) - 1))
        columns, passed = [], []
        for rank in ranks:
            scale, scaled = rank(between)
            start = add(AddPublic(scale), add(Scale(scale), starts))
            target = add(Add(), start, add(Reshape(start.type.shape), scaled))
            width = (scale * (self._count + 2)).bit_length() + 1
            reached = self._carried(add(AssumeWidth(width), target))
            position = add(Scale(-scale), self._index())
            away = add(AssumeWidth(width), add(Add(), reached, position))
            passed.append(add(AtLeast(0, width + 1), away))
        bits = passed[0] if len(passed) == 1 else add(Concatenate(axis=1), *passed)
        steps = self._steps()
        steps = steps if len(passed) == 1 else add(Expand(bits.type.shape), steps)
        kept = add(AssumeWidth(self.width + 1), add(Product(Elementwise()), bits, steps))
        found = self._sums(kept, self.width + 1)
        for place in range(len(ranks)):
            column = self._part(found, slice(None), slice(place, place + 1))
            columns.append(add(Reshape((1, len(self.wanted))), self._above_low(self._picked(column))))
        return columns[0] if len(columns) == 1 else add(Concatenate(), *columns)

    # --- parts

    def _part(self, table: Value, rows: slice, columns: slice = slice(None)) -> Value:
        axes = tuple(part.indices(size) for part, size in zip((rows, columns), table.type.shape, strict=True))
        return self.builder.add(Slice(axes), table)

    def _constant(self, number: int) -> Value:
        """Shares of a public number (wanted,)."""
        add, first = self.builder.add, self._flat(self._part(self.table, slice(0, 1), slice(0, 1)))
        nothing = add(AssumeWidth(1, 0.0), add(Scale(0), first))
        made = add(Expand((len(self.wanted),)), nothing)
        return add(AddPublic(number), made) if number else made

    def _flat(self, column: Value) -> Value:
        return self.builder.add(Reshape((column.type.count,)), column)

    def _column(self, place: int, width: int) -> Value:
        column = self._part(self.table, slice(None), slice(place, place + 1))
        return self.builder.add(AssumeWidth(width), column)

    def _values(self) -> Value:
        return self._column(0, self.width)

    def _front(self) -> Value:
        """The positions of rows at ends (ends, 1)."""
        return self._part(self._column(2, log2_ceil(self._count) + 1), slice(0, len(self._ends)))

    def _index(self) -> Value:
        """0, 1, 2 .. (rows, 1)."""
        add = self.builder.add
        nothing = add(AssumeWidth(1, 0.0), add(Scale(0), self._part(self.table, slice(None), slice(0, 1))))
        return add(AddPublic(-1), add(RunningSum(), add(AddPublic(1), nothing)))

    def _between(self) -> Value:
        """How many rows lie behind each end but the last, (ends - 1, 1)."""
        add, front = self.builder.add, self._front()
        steps = add(Subtract(), self._part(front, slice(1, None)), self._part(front, slice(0, -1)))
        return add(AssumeWidth(log2_ceil(self._count) + 1), add(AddPublic(-1), steps))

    def _before(self, table: Value, first: int = 0) -> Value:
        """Each row's predecessor; of the first one a public number."""
        padded = self.builder.add(Pad(((1, 0), (0, 0))), self._moved(self._part(table, slice(0, -1)), -first))
        return self._moved(padded, first)

    def _after(self, table: Value) -> Value:
        """Each row's successor; of the last one anything."""
        return self.builder.add(Pad(((0, 1), (0, 0))), self._part(table, slice(1, None)))

    def _moved(self, table: Value, by: int) -> Value:
        moved = self.builder.add(AddPublic(by), table) if by else table
        return self.builder.add(AssumeWidth(self.width + 1), moved) if by else moved

    def _steps(self) -> Value:
        """How far each value is above the one before (rows, 1): at most 0 at ends."""
        values = self._values()
        steps = self.builder.add(Subtract(), values, self._before(values, self._low))
        return self.builder.add(AssumeWidth(self.width + 1), steps)

    # --- between rows and ends

    def _in_front(self, table: Value) -> Value:
        """The rows of a table at ends (ends, columns)."""
        place = self._flat(self._column(1, log2_ceil(self._count) + 1))
        return self._part(self.builder.add(Arrange(), place, table), slice(0, len(self._ends)))

    def _carried(self, of_ends: Value) -> Value:
        """What is of each end but the last (ends - 1, 1), in the rows that follow it, up to the next end (rows, 1)."""
        add = self.builder.add
        single = of_ends.type.shape[0] == 1
        rises = of_ends if single else add(Subtract(), of_ends, self._before(of_ends))
        padded = add(Pad(((0, self._count - rises.type.shape[0]), (0, 0))), rises)
        back = self._flat(self._column(2, log2_ceil(self._count) + 1))
        return self._running(add(Arrange(), back, padded), of_ends.type.width)

    def _running(self, table: Value, width: int) -> Value:
        """What all rows before each add up to; only what has this width is read of it, modulo 2^64."""
        narrow = self.builder.add(AssumeWidth(FULL_WIDTH - log2_ceil(self._count)), self._part(table, slice(0, -1)))
        before = self.builder.add(Pad(((1, 0), (0, 0))), self.builder.add(RunningSum(), narrow))
        return self.builder.add(AssumeWidth(width), before)

    def _sums(self, table: Value, width: int) -> Value:
        """What the rows from each end to the next add up to (ends - 1, columns)."""
        front = self._in_front(self._running(table, FULL_WIDTH - 1))
        steps = self.builder.add(Subtract(), self._part(front, slice(1, None)), self._part(front, slice(0, -1)))
        return self.builder.add(AssumeWidth(width), steps)

    def _picked(self, table: Value) -> Value:
        """Of a table (ends - 1, columns) the rows of the wanted keys, zeros for None."""
        at = {end: place for place, end in enumerate(self._ends)}
        places = [None if number is None else at[number] for number in self.wanted]
        return picked(self.builder, table, places)

    def _found(self, front: Value, rows: slice) -> Value:
        """Values of rows at ends, of the wanted keys (wanted,)."""
        away = self.builder.add(AddLast((-self._low,)), self._part(front, rows))
        return self._flat(self._above_low(self._picked(self.builder.add(AssumeWidth(self.width + 1), away))))

    def _above_low(self, column: Value) -> Value:
        return self.builder.add(AssumeWidth(self.width), self.builder.add(AddPublic(self._low), column))
