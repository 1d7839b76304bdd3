"""Cell keys: a count has noise that follows from its rows: the same rows have the same, whatever they are called.

Each row has a key of 16 bits, which its owner draws from a secret of its own. The keys of a cell's rows are added up,
by owners in the clear and then on shares: what they are modulo 2^16, which nobody sees, is where noise is looked up in
a public table. Two cells that differ in one row have noise that has nothing to do with one another, and whoever does
not know the keys of one row in a cell does not know its noise. Of no rows the noise is 0.

The table is a discrete Gaussian's, cut off at D: from key 0 on 0, 1 .. D, then -D .. -1, 0, each for as many keys as
it is likely. On shares of sums of up to O keys the noise is
    sum over m < O of  sum of u [x >= u + 2^16 m] - 2 D [x >= w + 2^16 m]
with u where it goes up by one, and w where it falls. The method is that of the Australian Bureau of Statistics and of
Eurostat (Fraser and Wooton 2005; Meindl and Enderle 2019).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import cache
from typing import ClassVar, Final

from icm_ray.errors import ColumnError
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.linear import AddLast, AssumeWidth, Expand, Reshape, ScaleLast, SumAxis
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import Join, PartialAggregate
from icm_ray.query.rows import Rows
from icm_ray.query.selection import SelectedRows
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["LOG2_KEYS", "RecordKeys", "deviation_of_keys", "largest_of_keys", "noise_of_keys", "sums_of_keys"]

LOG2_KEYS: Final = 16
_SPREADS: Final = 3
"""Scales at which the table is cut off."""


@dataclass(frozen=True, slots=True)
class RecordKeys(PartialAggregate):
    """The sum of the keys of the rows that have a value (cells,), modulo 2^16 in each owner's table. policy: the name
    of the one whose secret they are drawn from. within: cells within those of the rows.
    """

    words: ClassVar[str] = "keys of records"
    rule: ClassVar[Join] = Join.SUM

    policy: str
    within: tuple[GroupKey, ...] = ()

    @property
    def kind(self) -> str:
        return "record keys"

    @property
    def keys_of(self) -> str:
        return self.policy

    @property
    def by(self) -> tuple[GroupKey, ...]:
        return self.within

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        return ValueType(shape=(cells,), width=LOG2_KEYS + 2)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ColumnError("keys of records are not shared: ask before .share()")


def sums_of_keys(rows: Rows) -> int:
    """How many sums of less than 2^16 are added up: one of each table in each lane."""
    base = rows.base if isinstance(rows, SelectedRows) else rows
    tables = base.tables if isinstance(base, OwnerRows) else ()
    lanes = ({lane for lane, count in zip(table.lanes, table.rows, strict=True) if count} for table in tables)
    return max(sum(map(len, lanes)), 1)


def largest_of_keys(scale: float) -> int:
    """D."""
    return math.ceil(_SPREADS * scale)


def deviation_of_keys(scale: float) -> float:
    """The standard deviation of the noise of a cell that has rows."""
    return math.sqrt(sum(2 * keys * size**2 for size, keys in enumerate(_keys(scale))) / (1 << LOG2_KEYS))


@cache
def _keys(scale: float) -> tuple[int, ...]:
    """How many keys have noise 0, 1 .. D; those of -1 .. -D are as many as of 1 .. D.

    With decimals of 40 digits, rounded as the standard says, so that every member finds the same.
    """
    context = Context(prec=40)
    variance = context.multiply(Decimal(scale), Decimal(scale))
    weights = [
        context.exp(context.divide(Decimal(-size * size), context.multiply(Decimal(2), variance)))
        for size in range(largest_of_keys(scale) + 1)
    ]
    total = weights[0]
    for weight in weights[1:]:
        total = context.add(total, context.multiply(Decimal(2), weight))
    unit = context.divide(Decimal(1 << LOG2_KEYS), total)
    others = [max(int(context.multiply(weight, unit)), 1) for weight in weights[1:]]
    return ((1 << LOG2_KEYS) - 2 * sum(others), *others)


def _steps(scale: float) -> tuple[list[int], int]:
    """The keys from which on noise is one more, and the one from which on it is 2 D less."""
    zero, *others = _keys(scale)
    at = -(-zero // 2)
    ups = []
    for keys in others:
        ups.append(at)
        at += keys
    falls = at
    for keys in reversed(others):
        at += keys
        ups.append(at)
    return ups, falls


def noise_of_keys(builder: Builder, keys: Value, sums: int, scale: float) -> Value:
    """The noise of each cell (cells,). keys: sums of so many sums of less than 2^16."""
    ups, falls = _steps(scale)
    largest = largest_of_keys(scale)
    moves = [*((up, 1) for up in ups), (falls, -2 * largest)]
    thresholds, heights = zip(
        *(((period << LOG2_KEYS) + start, height) for period in range(sums) for start, height in moves), strict=True
    )
    add, shape = builder.add, (keys.type.count, len(thresholds))
    table = add(Expand(shape), add(Reshape((shape[0], 1)), keys))
    away = add(AddLast(tuple(-threshold for threshold in thresholds)), table)
    moved = add(ScaleLast(heights), add(AtLeast(0, away.type.width + 1), away))
    noise = add(Reshape((shape[0],)), add(SumAxis(), moved))
    return add(AssumeWidth(largest.bit_length() + 2), noise)
