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
)
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Epilogue, Product, Truncate
from icm_ray.ops.values import ValueType, log2_ceil
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.contributions import SCALE_WIDTH, WORD_WIDTH, WORDS
from icm_ray.query.partials import Join, PartialAggregate, join
from icm_ray.query.rows import Rows
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.small_cells import reaches
from icm_ray.query.tasks import ColumnInfo

__all__ = ["Contributions", "spread"]

_OF_SHARES = 3
_ROOM = 52  # bits of sums of shares: with percentages and over partitions they stay below 64


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


def spread(builder: Builder, found: Value, policy: Policy, *, shared: bool) -> Value:
    """Bits (cells,): where neither one row nor two are above what the policy allows. found: of `Contributions`; shared:
    whether of shares.
    """
    total, firsts, pairs = _of_shared(builder, found) if shared else _of_owners(builder, found)
    first, pair = _largest(builder, firsts, pairs)
    bits = [
        _at_most(builder, value, total, percent)
        for value, percent in ((first, policy.largest), (pair, policy.two_largest))
        if percent < 100
    ]
    return bits[0] if len(bits) == 1 else _bit(builder, builder.add(Product(Elementwise()), *bits))


def _at_most(builder: Builder, value: Value, total: Value, percent: int) -> Value:
    """[100 value <= percent total]."""
    common = math.gcd(100, percent)
    scaled = builder.add(Scale(percent // common), total), builder.add(Scale(100 // common), value)
    return reaches(builder, builder.add(Subtract(), *scaled), 0)


def _largest(builder: Builder, firsts: list[Value], pairs: list[Value]) -> tuple[Value, Value]:
    """The largest, and the largest pair, of several places, each with its own."""
    while len(firsts) > 1:
        merged = [
            (
                _larger(builder, firsts[at], firsts[at + 1]),
                _larger(builder, pairs[at], pairs[at + 1], builder.add(Add(), firsts[at], firsts[at + 1])),
            )
            for at in range(0, len(firsts) - 1, 2)
        ]
        odd = len(merged) * 2
        firsts = [first for first, _ in merged] + firsts[odd:]
        pairs = [pair for _, pair in merged] + pairs[odd:]
    return firsts[0], pairs[0]


def _larger(builder: Builder, *values: Value) -> Value:
    """The largest of values of one shape, place by place."""
    shape = values[0].type.shape
    columns = [builder.add(Reshape((*shape, 1)), value) for value in values]
    beside = builder.add(Concatenate(axis=len(shape)), *columns)
    return builder.add(Maximum(beside.type.width + 1), beside)


# --- of owners' rows ------------------------------------------------------------------------------------------------


def _of_owners(builder: Builder, found: Value) -> tuple[Value, list[Value], list[Value]]:
    """M (cells,), and of each table what it has of F and P, in one unit for each cell."""
    add = builder.add
    tables, cells = found.type.shape[0] // WORDS, found.type.shape[1]
    split = add(Reshape((tables, WORDS, cells)), found)

    def word(place: int, width: int = WORD_WIDTH) -> Value:
        part = add(Slice(((0, tables, 1), (place, place + 1, 1), (0, cells, 1))), split)
        return add(AssumeWidth(width), add(Reshape((tables * cells,)), part))

    if tables == 1:
        return word(1), [word(2)], [word(3)]
    scales = word(0, SCALE_WIDTH)
    beside = add(Permute((1, 0)), add(Reshape((tables, cells)), scales))
    highest = add(Reshape((1, cells)), add(Maximum(SCALE_WIDTH + 1), beside))
    repeated = add(Reshape((tables * cells,)), add(Expand((tables, cells)), highest))
    away = add(AssumeWidth(SCALE_WIDTH), add(Subtract(), repeated, scales))
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
    by_table = [
        [add(AssumeWidth(WORD_WIDTH), add(Slice(((cells * at, cells * (at + 1), 1),)), value)) for at in range(tables)]
        for value in (sums, add(Add(), firsts, far), add(Add(), pairs, far))
    ]
    return join(builder, Join.SUM, by_table[0]), by_table[1], by_table[2]


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


def _two_largest(builder: Builder, table: Value) -> tuple[Value, Value]:
    """The largest of each row of (cells, n), none below 0, and the sum of the two largest: (cells,) each."""
    cells = table.type.shape[0]
    first = pair = table
    while (count := first.type.shape[1]) > 1:
        half = count // 2

        def part(value: Value, start: int, stop: int) -> Value:
            return builder.add(Slice(((0, cells, 1), (start, stop, 1))), value)

        halves = [(part(value, 0, half), part(value, half, 2 * half)) for value in (first, pair)]
        both = builder.add(Add(), *halves[0])
        larger = _larger(builder, *halves[0])
        of_pairs = both if pair is table else _larger(builder, *halves[1], both)
        if count % 2:
            rest = [part(value, 2 * half, count) for value in (first, pair)]
            larger, of_pairs = (
                builder.add(Concatenate(axis=1), *values) for values in ((larger, rest[0]), (of_pairs, rest[1]))
            )
        first = builder.add(AssumeWidth(table.type.width), larger)
        pair = builder.add(AssumeWidth(table.type.width + 1), of_pairs)
    flat = [builder.add(Reshape((cells,)), value) for value in (first, pair)]
    return flat[0], flat[1]


def _of_shared(builder: Builder, found: Value) -> tuple[Value, list[Value], list[Value]]:
    parts, cells = found.type.shape[0] // _OF_SHARES, found.type.shape[1]
    rows = [
        builder.add(Reshape((cells,)), builder.add(Slice(((at, at + 1, 1), (0, cells, 1))), found))
        for at in range(parts * _OF_SHARES)
    ]
    return join(builder, Join.SUM, rows[::3]), rows[1::3], rows[2::3]


def _bit(builder: Builder, value: Value) -> Value:
    return builder.add(AssumeWidth(2), value)
