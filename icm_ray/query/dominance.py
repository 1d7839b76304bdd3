"""A sum that few rows make up tells their values: it is withheld on shares where the largest is above a percentage of
the sum of magnitudes, or the two largest together are above another.

Of owners' rows each brings the words of `query.contributions`. With Q the largest q of all and d = Q - q,
    M = sum over owners of [d = 0] S + [d = 1] S'      F = max of [d = 0] a + [d = 1] a' + [d > 1]
and P, the largest of all pairs, likewise, in units of 2^(STEP Q - UNITS): what is two steps smaller is less than one of
them. M has STEP bits less than UNITS at the least, so a cell may be withheld where one is within a millionth of its
percentage, and is always where it is above. Of shares M, F and P are computed in units of the column.
Nothing is opened but the product with the other bits of a cell.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from icm_ray.ops.compare import AtLeast, Maximum
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import (
    Add,
    AddPublic,
    AssumeWidth,
    Concatenate,
    Expand,
    Permute,
    Rescale,
    Reshape,
    Scale,
    Slice,
    Subtract,
    SumAxis,
)
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Epilogue, Product, Truncate
from icm_ray.ops.values import ValueType, log2_ceil
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.contributions import SCALE_WIDTH, STEP, WORD_WIDTH, WORDS
from icm_ray.query.partials import Join, PartialAggregate, join
from icm_ray.query.rows import Rows
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.small_cells import reaches
from icm_ray.query.tasks import ColumnInfo

__all__ = ["Contributions", "Merged", "as_one_cell", "even", "merged"]

_OF_SHARES = 3
_ROOM = 52  # bits of sums of shares: with percentages and over partitions they stay below 64
_MOST = 61  # bits of what is rounded
_OF_PERCENT = 8  # bits that percentages take, and the difference of what they are of


@dataclass(frozen=True, slots=True)
class Contributions(PartialAggregate):
    """Of each owner's table the words (WORDS, cells) of what rows contribute, one table after the other; of each
    partition of shares (3, cells): the sum of magnitudes, the largest one, the largest two together.
    """

    words: ClassVar[str] = "largest contributions"
    rule: ClassVar[Join] = Join.ROWS

    of_entity: str = ""

    @property
    def entity(self) -> str:
        return self.of_entity

    @property
    def kind(self) -> str:
        return "contributions"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return ValueType(shape=(WORDS, cells), width=WORD_WIDTH)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        found = []
        for part in parts:
            size = _magnitudes(builder, part)
            tables = [builder.add(Reshape((1, size.type.count)), size)]
            found.append(_of_rows(builder, builder.add(Total(), size), tables, rows))
        return join(builder, self.rule, found)

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        size = _magnitudes(builder, part.kept())
        return _of_rows(builder, part.total(size), part.by_group(size), rows)


@dataclass(frozen=True, slots=True)
class Merged:
    """M, F and P of each cell (cells,); of owners' rows in units of 2^(STEP Q - UNITS), and Q. shift: M is in units of
    2^shift of these.
    """

    total: Value
    first: Value
    pair: Value
    scale: Value | None = None
    shift: int = 0

    def table(self, builder: Builder) -> Value:
        """As one table brings them: (words, cells), if M is in the same units."""
        words = [self.total, self.first, self.pair]
        if self.scale is not None:
            smaller = [_shifted(builder, word, STEP, up=place > 0) for place, word in enumerate(words)]
            words = [self.scale, *words, *smaller]
        return builder.add(Concatenate(), *(builder.add(Reshape((1, word.type.count)), word) for word in words))


def merged(builder: Builder, found: Value, *, shared: bool) -> Merged:
    """What all tables or partitions have of each cell, as one has it. found: of `Contributions`; shared: of shares."""
    return _of_shared(builder, found) if shared else _of_owners(builder, found)


def even(builder: Builder, found: Merged, policy: Policy) -> Value:
    """Bits (cells,): where neither one row nor two are above what the policy allows."""
    rules = [
        (value, percent)
        for value, percent in ((found.first, policy.largest), (found.pair, policy.two_largest))
        if percent < 100
    ]
    width = max(value.type.width for value in (found.total, found.first, found.pair)) + _OF_PERCENT
    shift = max(width - _MOST, 0)
    total = _shifted(builder, found.total, shift, up=False)
    bits = [
        _at_most(builder, _shifted(builder, value, shift + found.shift, up=True), total, percent)
        for value, percent in rules
    ]
    both = bits[0] if len(bits) == 1 else _bit(builder, builder.add(Product(Elementwise()), *bits))
    if not shift + found.shift:
        return both
    some = reaches(builder, found.first, 1)  # where there is nothing, what was rounded may not seem so
    uneven = builder.add(Product(Elementwise()), some, builder.add(AddPublic(1), builder.add(Scale(-1), both)))
    return _bit(builder, builder.add(AddPublic(1), builder.add(Scale(-1), uneven)))


def as_one_cell(builder: Builder, table: Value, kept: Value | None = None) -> Value:
    """What cells have, (words, cells), as tables of one cell (cells x words, 1). kept: bits (cells,), which count."""
    words, cells = table.type.shape
    if kept is not None:
        repeated = builder.add(Expand(table.type.shape), builder.add(Reshape((1, cells)), kept))
        counted = builder.add(Product(Elementwise()), repeated, table)
        table = builder.add(AssumeWidth(table.type.width), counted)
    return builder.add(Reshape((cells * words, 1)), builder.add(Permute((1, 0)), table))


def _at_most(builder: Builder, value: Value, total: Value, percent: int) -> Value:
    """[100 value <= percent total]."""
    common = math.gcd(100, percent)
    scaled = builder.add(Scale(percent // common), total), builder.add(Scale(100 // common), value)
    return reaches(builder, builder.add(Subtract(), *scaled), 0)


def _two_largest(builder: Builder, first: Value, pair: Value | None = None) -> tuple[Value, Value]:
    """The largest of each row of (cells, n), none below 0, and the sum of the two largest: (cells,) each. pair: where
    each place stands for several, the two largest of these.
    """
    cells, width = first.type.shape[0], first.type.width
    of_pairs = width + 1 if pair is None else max(width + 1, pair.type.width)
    while (count := first.type.shape[1]) > 1:
        half = count // 2

        def part(value: Value, start: int, stop: int) -> Value:
            return builder.add(Slice(((0, cells, 1), (start, stop, 1))), value)

        halves = [
            (part(value, 0, half), part(value, half, 2 * half)) for value in (first, first if pair is None else pair)
        ]
        both = builder.add(Add(), *halves[0])
        larger = _larger(builder, *halves[0])
        larger_pair = both if pair is None else _larger(builder, *halves[1], both)
        if count % 2:
            rest = [part(value, 2 * half, count) for value in (first, first if pair is None else pair)]
            larger, larger_pair = (
                builder.add(Concatenate(axis=1), *values) for values in ((larger, rest[0]), (larger_pair, rest[1]))
            )
        first = builder.add(AssumeWidth(width), larger)
        pair = builder.add(AssumeWidth(of_pairs), larger_pair)
    flat = [builder.add(Reshape((cells,)), value) for value in (first, first if pair is None else pair)]
    return flat[0], flat[1]


def _larger(builder: Builder, *values: Value) -> Value:
    """The largest of values of one shape, place by place."""
    shape = values[0].type.shape
    columns = [builder.add(Reshape((*shape, 1)), value) for value in values]
    beside = builder.add(Concatenate(axis=len(shape)), *columns)
    return builder.add(Maximum(beside.type.width + 1), beside)


# --- of owners' rows ------------------------------------------------------------------------------------------------


def _of_owners(builder: Builder, found: Value) -> Merged:
    """In one unit for each cell."""
    add = builder.add
    tables, cells, width = found.type.shape[0] // WORDS, found.type.shape[1], found.type.width
    split = add(Reshape((tables, WORDS, cells)), found)

    def word(place: int, width: int = width) -> Value:
        part = add(Slice(((0, tables, 1), (place, place + 1, 1), (0, cells, 1))), split)
        if tables > 1 and cells > 1:
            part = add(Permute((2, 1, 0)), part)
        return add(AssumeWidth(width), add(Reshape((cells * tables,)), part))

    scales = word(0, SCALE_WIDTH)
    if tables == 1:
        return Merged(word(1), word(2), word(3), scales)
    highest = add(Maximum(SCALE_WIDTH + 1), add(Reshape((cells, tables)), scales))
    repeated = add(Expand((cells, tables)), add(Reshape((cells, 1)), highest))
    away = add(AssumeWidth(SCALE_WIDTH), add(Subtract(), add(Reshape((cells * tables,)), repeated), scales))
    smaller, far = reaches(builder, away, 1), reaches(builder, away, 2)
    near = _bit(builder, add(AddPublic(1), add(Scale(-1), smaller)))
    next_to = _bit(builder, add(Subtract(), smaller, far))
    bits = add(Concatenate(), near, near, near, next_to, next_to, next_to)
    kept = add(Product(Elementwise()), bits, add(Concatenate(), *(word(place) for place in range(1, WORDS))))
    size = tables * cells
    of_near, of_next = (
        [add(Slice(((size * at, size * (at + 1), 1),)), kept) for at in places] for places in (range(3), range(3, 6))
    )
    sums, firsts, pairs = (add(Add(), one, other) for one, other in zip(of_near, of_next, strict=True))
    by_cell = [
        add(Reshape((cells, tables)), add(AssumeWidth(width), value))
        for value in (sums, add(Add(), firsts, far), add(Add(), pairs, far))
    ]
    return _joined(builder, by_cell[0], by_cell[1], by_cell[2], highest)


def _joined(builder: Builder, sums: Value, firsts: Value, pairs: Value, scale: Value | None = None) -> Merged:
    """Of each row of values (cells, n)."""
    cells, count = sums.type.shape
    at_once = 1 << max(_MOST - sums.type.width, 1)
    parts = [
        builder.add(SumAxis(), builder.add(Slice(((0, cells, 1), (start, min(start + at_once, count), 1))), sums))
        for start in range(0, count, at_once)
    ]
    total, shift = parts[0], 0
    if len(parts) > 1:  # there is no room for the sum but in larger units
        shift = log2_ceil(len(parts))
        rounded = _shifted(builder, builder.add(Concatenate(axis=1), *parts), shift, up=False)
        total = builder.add(SumAxis(), rounded)
    total = builder.add(Reshape((cells,)), total)
    return Merged(total, *_two_largest(builder, firsts, pairs), scale, shift)


# --- of shares ------------------------------------------------------------------------------------------------------


def _magnitudes(builder: Builder, x: Value) -> Value:
    """|x|, in whole units of 2^-f: 2 [x >= 0] x - x."""
    plain = builder.add(AssumeWidth(x.type.width, 0.0), builder.add(Rescale(-x.type.f), x) if x.type.f else x)
    positive = builder.add(AtLeast(0, plain.type.width + 1), plain)
    kept = builder.add(AssumeWidth(plain.type.width), builder.add(Product(Elementwise()), positive, plain))
    size = builder.add(Subtract(), builder.add(Scale(2), kept), plain)
    return builder.add(AssumeWidth(plain.type.width), size)


def _of_rows(builder: Builder, total: Value, tables: Sequence[Value], rows: Rows) -> Value:
    """(3, cells) of one partition. total: sums of magnitudes (cells,). tables: magnitudes (cells of a piece, rows)."""
    found = [_two_largest(builder, table) for table in tables]
    first, pair = (
        values[0] if len(values) == 1 else builder.add(Concatenate(), *values) for values in zip(*found, strict=True)
    )
    shift = max(first.type.width + log2_ceil(rows.count) - _ROOM, 0)
    total = _shifted(builder, total, shift, up=False)
    first, pair = (_shifted(builder, value, shift, up=True) for value in (first, pair))
    words = [builder.add(Reshape((1, value.type.count)), value) for value in (total, first, pair)]
    return builder.add(Concatenate(), *words)


def _shifted(builder: Builder, value: Value, shift: int, *, up: bool) -> Value:
    """value / 2^shift, off by less than one: no more than it where it is not `up`, else no less."""
    if not shift:
        return value
    less = builder.add(Truncate(Epilogue(shift=shift, width=value.type.width + 1)), value)
    whole = builder.add(Rescale(shift), less)
    return builder.add(AddPublic(1 if up else -1), builder.add(AssumeWidth(whole.type.width, 0.0), whole))


def _of_shared(builder: Builder, found: Value) -> Merged:
    parts, cells = found.type.shape[0] // _OF_SHARES, found.type.shape[1]
    split = builder.add(Permute((1, 2, 0)), builder.add(Reshape((parts, _OF_SHARES, cells)), found))
    words = [
        builder.add(Reshape((cells, parts)), builder.add(Slice(((at, at + 1, 1), (0, cells, 1), (0, parts, 1))), split))
        for at in range(_OF_SHARES)
    ]
    return _joined(builder, words[0], words[1], words[2])


def _bit(builder: Builder, value: Value) -> Value:
    return builder.add(AssumeWidth(2), value)
