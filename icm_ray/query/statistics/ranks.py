"""Ranks of quantiles: the places q (N - 1) among N sorted values, for an N that may be a share.

q stands for the fraction p / d of small terms that rounds to the double: 0.1 for 1/10, so that places are exact. Of
the numbers C_t of values below keys t, those with C_t <= k, k = floor(p (N - 1) / d) or another whole number near
by, are those whose t the value of rank k reaches. Nothing is divided:
    floor: d C <= p (N - 1)      ceiling: d (C - 1) < p (N - 1)      half to even: 2 d C <= 2 p (N - 1) + d, d odd
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import ClassVar, Literal

from icm_ray.errors import ProgramError
from icm_ray.functions.remainder import remainder
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.linear import Add, AddPublic, Concatenate, Expand, Reshape, Scale, Slice, Subtract, SumAxis
from icm_ray.ops.values import ValueType, log2_ceil
from icm_ray.program.build import Builder, Value
from icm_ray.query.key_digits import KeyDigits
from icm_ray.query.opened import Known
from icm_ray.query.partials import Join, PartialAggregate, Taken
from icm_ray.query.rows import Rows
from icm_ray.query.tasks import ColumnInfo

__all__ = [
    "Interpolation", "KeysBelow", "Rank", "fraction_of", "next_digits", "place_between", "ranks", "reached",
]  # fmt: skip

Interpolation = Literal["linear", "lower", "higher", "nearest", "midpoint"]
Rounding = Literal["lower", "higher", "nearest"]


@cache
def fraction_of(q: float) -> Fraction:
    """The fraction that a double from 0 to 1 stands for: one of small terms that rounds to it."""
    exact, largest = Fraction(q), 1
    while float(near := exact.limit_denominator(largest)) != q:
        largest *= 2
    return near


@dataclass(frozen=True, slots=True)
class Rank:
    """The whole number that q (N - 1) is rounded to, and so many more; from 0 on among N sorted values."""

    q: Fraction
    rounding: Rounding
    more: int = 0

    def among(self, count: int) -> int:
        """For so many values."""
        exact = self.q * (count - 1)
        if self.rounding == "nearest":
            return round(exact) + self.more  # halves to even
        return (math.floor(exact) if self.rounding == "lower" else math.ceil(exact)) + self.more


def ranks(q: Fraction, interpolation: Interpolation, count: int | None) -> tuple[Rank, ...]:
    """Those that are searched for; count: the number of values, None where it is not public."""
    if interpolation != "linear" and interpolation != "midpoint":  # noqa: PLR1714 - mypy does not narrow by sets
        return (Rank(q, interpolation),)
    whole = q.denominator == 1 or (count is not None and (count - 1) * q.numerator % q.denominator == 0)
    return (Rank(q, "lower"),) if whole else (Rank(q, "lower"), Rank(q, "higher"))


@dataclass(frozen=True, slots=True)
class KeysBelow(PartialAggregate):
    """Counts (rows, cells, thresholds) of keys below each value of the next digit, which owners count."""

    words: ClassVar[str] = "counts of lesser values"
    rule: ClassVar[Join] = Join.SUM

    digits: KeyDigits

    @property
    def kind(self) -> str:
        return "keys"

    @property
    def next_digits(self) -> KeyDigits:
        return self.digits

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        shape = len(self.digits.prefixes), cells, self.digits.thresholds
        return ValueType(shape=shape, width=log2_ceil(rows + 1) + 1)

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("the keys of shares are not counted")


def next_digits(builder: Builder, below: Value, count: Taken, searched: Sequence[tuple[Rank, int]], most: int) -> Value:
    """The next digit of the key at each rank (ranks, cells): how many thresholds it reaches.

    below: of `KeysBelow`. count: of values (cells,). searched: each rank, and its row of `below`. most: rows in all.
    Errors: `BoundError` (q of large terms, and many rows).
    """
    _, cells, size = below.type.shape
    distances = []
    for rank, row in searched:
        found = builder.add(Slice(((row, row + 1, 1), (0, cells, 1), (0, size, 1))), below)
        if isinstance(count, Known):
            distance = builder.add(AddPublic(rank.among(count.value)), builder.add(Scale(-1), found))
        else:
            scale, scaled = reached(builder, count, rank, most)
            wide = builder.add(Expand((1, cells, size)), builder.add(Reshape((1, cells, 1)), scaled))
            distance = builder.add(Subtract(), wide, builder.add(Scale(scale), found))
        distances.append(distance)
    table = builder.add(Concatenate(), *distances)
    digits = builder.add(SumAxis(), builder.add(AtLeast(0, table.type.width), table))
    return builder.add(Reshape((len(searched), cells)), digits)


def reached(builder: Builder, count: Value, rank: Rank, most: int) -> tuple[int, Value]:
    """s and v (cells,) such that a threshold is reached where s C <= v."""
    p, d = rank.q.as_integer_ratio()
    last = builder.add(AddPublic(-1), count)
    scaled = builder.add(Scale(p), last)
    if rank.rounding == "nearest" and d % 2:
        return 2 * d, builder.add(AddPublic(d + 2 * d * rank.more), builder.add(Scale(2), scaled))
    beside = {"lower": 0, "higher": d - 1, "nearest": d // 2}[rank.rounding] + d * rank.more
    moved = builder.add(AddPublic(beside), scaled) if beside else scaled
    if rank.rounding != "nearest":
        return d, moved
    tied = _is(builder, remainder(builder, scaled, 2 * d, p * most), d // 2)  # of an even rank and the next
    return d, builder.add(Subtract(), moved, tied)


def _is(builder: Builder, x: Value, number: int) -> Value:
    """[x = number], of whole numbers (cells,)."""
    reached, passed = (
        builder.add(AtLeast(0, moved.type.width), moved)
        for moved in (builder.add(AddPublic(-threshold), x) for threshold in (number, number + 1))
    )
    return builder.add(Add(), reached, builder.add(Scale(-1), passed))


def place_between(builder: Builder, count: Value, q: Fraction, most: int) -> Value:
    """p (N - 1) modulo d (cells,): how far from the lower value the quantile lies, in units of 1 / d."""
    scaled = builder.add(Scale(q.numerator), builder.add(AddPublic(-1), count))
    return remainder(builder, scaled, q.denominator, q.numerator * most)
