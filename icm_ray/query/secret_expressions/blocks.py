"""Blocks of numbers on shares, exactly: how many of them lie before a number, and what is left of it, in the public
range that a column's shares can have.

    b_i = [x >= S_i],   S_1 < S_2 < ..   public starts of blocks within the range, S_0 below it
    blocks before x: sum b_i        since its block began: x - S_0 - sum b_i (S_i - S_(i-1)), which is linear

A long range is split into few large blocks, and these again: of a count of equal units 8 at each level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Final

from icm_ray.ops.linear import Add, AssumeWidth, Scale, Subtract
from icm_ray.program.build import Value
from icm_ray.query.grid import common_step
from icm_ray.query.secret_expressions.operand import RowBuild, Secret

__all__ = ["Span", "Terms", "left", "number", "span", "split", "whole"]

_RADIX: Final = 8
Terms = list[tuple[int, Value]]
"""Multiples of bits."""


@dataclass(frozen=True, slots=True)
class Span:
    """Times: offset + step value, in seconds where they are times. low, high: the least and the largest value."""

    value: Value
    offset: Fraction
    step: Fraction
    low: int
    high: int

    @property
    def least(self) -> Fraction:
        return self.offset + self.step * self.low

    @property
    def most(self) -> Fraction:
        return self.offset + self.step * self.high

    def since(self, start: Fraction) -> Span:
        """The times from another one on."""
        return replace(self, offset=self.offset - start)


def span(rows: RowBuild, x: Secret, unit: Fraction) -> Span:
    """In steps of which a unit is some whole number."""
    step = common_step((x.grid.step, unit))
    ratio = int(x.grid.step / step)
    value = x.value if ratio == 1 else rows.builder.add(Scale(ratio), x.value)
    reach = (1 << (value.type.width - 1)) - 1
    return Span(value, x.grid.origin, step, -reach, reach)


def number(rows: RowBuild, terms: Terms, base: int, low: int, high: int) -> Value:
    """base + the sum of terms, which is from low to high."""
    found, width = rows.constant(base), max(abs(low), abs(high)).bit_length() + 2
    for factor, bit in terms:
        more = rows.builder.add(Add(), found, rows.builder.add(Scale(factor), bit))
        found = rows.builder.add(AssumeWidth(width, 0.0), more)
    return rows.builder.add(AssumeWidth(width, 0.0), found)


def split(rows: RowBuild, x: Span, starts: Sequence[Fraction | int]) -> tuple[list[Value], Span]:
    """Bits [x >= start] of all starts but the first, which none is below, and the last, an end that none reaches; and
    the time since the block began.
    """
    there = [(max(start, x.least) - start, min(end, x.most + x.step) - start) for start, end in pairwise(starts)]
    least, end = min(one for one, end in there if one < end), max(end for _, end in there)
    offset = x.offset - starts[0]
    low, high = math.ceil((least - offset) / x.step), math.ceil((end - offset) / x.step) - 1
    width = max(abs(low), abs(high)).bit_length() + 1
    bits, value = [], x.value
    for before, start in pairwise(starts[:-1]):
        bit = rows.at_least(x.value, math.ceil((start - x.offset) / x.step), x.low, x.high)
        bits.append(bit)
        away = rows.builder.add(Scale(int((start - before) / x.step)), bit)
        kept = max(width, x.value.type.width)
        value = rows.builder.add(AssumeWidth(kept, 0.0), rows.builder.add(Subtract(), value, away))
    return bits, Span(rows.builder.add(AssumeWidth(width, 0.0), value), offset, x.step, low, high)


def _counted(rows: RowBuild, x: Span, unit: Fraction) -> tuple[Terms, Span]:
    """How many units there are in times of 0 or more, and what is left of each."""
    count = math.floor(x.most / unit) + 1
    terms: Terms = []
    scale = 1
    while scale * _RADIX < count:
        scale *= _RADIX
    while scale and count > 1:
        blocks = -(-count // scale)
        bits, x = split(rows, x, [place * scale * unit for place in range(blocks + 1)])
        terms += [(scale, bit) for bit in bits]
        count, scale = min(count, scale), scale // _RADIX
    return terms, x


def whole(rows: RowBuild, x: Span, unit: Fraction) -> Value:
    """The number of units, rounded down."""
    first, last = math.floor(x.least / unit), math.floor(x.most / unit)
    if x.step == unit:
        moved = rows.plus(x.value, math.floor(x.offset / unit))
        return rows.builder.add(AssumeWidth(max(abs(first), abs(last)).bit_length() + 1, 0.0), moved)
    terms, _ = _counted(rows, x.since(first * unit), unit)
    return number(rows, terms, first, first, last)


def left(rows: RowBuild, x: Span, unit: Fraction, start: int = 0) -> Span:
    """What is left of whole units that are counted from a time on."""
    first = math.floor((x.least - start) / unit)
    return _counted(rows, x.since(start + first * unit), unit)[1]
