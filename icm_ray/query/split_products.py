"""Sums of products of two shared values, exact where these do not fit a word: of the halves of each.

With x = h 2^s + l and y = k 2^t + m, a product is h k 2^(s + t) + h m 2^s + l k 2^t + l m, and so are sums of them:
each term is added up in 64 bits, and they are put together in the wide ring. Where a value is halved is a public
coin's rounding; the result does not depend on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import AssumeWidth, Rescale, Scale, Subtract
from icm_ray.ops.products import Epilogue, Product, Truncate
from icm_ray.ops.values import FULL_WIDTH, ValueType, log2_ceil
from icm_ray.program.build import Builder, Value
from icm_ray.query.partials import Join, join

__all__ = ["SplitProducts", "Step", "step_of"]


@dataclass(frozen=True, slots=True)
class Step:
    """Width and fractional bits of a value."""

    width: int
    f: int

    @property
    def shift(self) -> int:
        """How many bits the lower half has."""
        return max(self.width // 2, 1)

    @property
    def halves(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Of each half its width, and the power of two that it stands for."""
        return (self.width - self.shift + 2, self.shift), (self.shift + 1, 0)


def step_of(value: Value) -> Step:
    """That of a value."""
    return Step(value.type.width, value.type.f)


@dataclass(frozen=True, slots=True)
class SplitProducts:
    """Of values x and y of these steps; y: None for squares."""

    x: Step
    y: Step | None = None

    @property
    def _width(self) -> int:
        return self.x.width + (self.y or self.x).width - 1

    def fit(self, count: int) -> bool:
        """Whether sums of so many whole products fit a word."""
        return self._width + log2_ceil(count) < FULL_WIDTH

    @property
    def _f(self) -> int:
        return self.x.f + (self.y or self.x).f

    @property
    def _terms(self) -> tuple[tuple[int, int], ...]:
        """By term the width of a product, and the power of two that it stands for."""
        firsts, seconds = self.x.halves, (self.y or self.x).halves
        terms = [(a + b - 1, p + q) for a, p in firsts for b, q in seconds]
        if self.y is not None:
            return tuple(terms)
        high, cross, _, low = terms
        return high, (cross[0], cross[1] + 1), low

    def types(self, count: int) -> tuple[ValueType, ...]:
        """Of the sums of each term, of so many rows."""
        more = log2_ceil(count)
        if self.fit(count):
            return (ValueType(shape=(), f=self._f, width=self._width + more),)
        return tuple(ValueType(shape=(), width=width + more) for width, _ in self._terms)

    def products(self, builder: Builder, x: Value, y: Value, count: int) -> tuple[Value, ...]:
        """The terms of each row, of so many that are added up; y: x itself for squares."""
        times = Product(Elementwise())
        if self.fit(count):
            return (builder.add(times, x, y),)
        firsts = _halves(builder, x)
        if self.y is None:
            high, low = firsts
            return tuple(builder.add(times, *pair) for pair in ((high, high), (high, low), (low, low)))
        seconds = _halves(builder, y)
        return tuple(builder.add(times, first, second) for first in firsts for second in seconds)

    def total(self, builder: Builder, sums: Sequence[Value]) -> Value:
        """The sums of products, in the wide ring, from those of each term there, or of whole products."""
        if len(sums) == 1:
            return sums[0]
        weighted = [
            builder.add(Scale(1 << power), total) if power else total
            for (_, power), total in zip(self._terms, sums, strict=True)
        ]
        whole = join(builder, Join.SUM, weighted)
        return builder.add(Rescale(self._f), whole) if self._f else whole


def _halves(builder: Builder, x: Value) -> tuple[Value, Value]:
    """Whole numbers of which values are the sum: h 2^shift + l, in units of 2^-f."""
    whole, shift = builder.add(Rescale(-x.type.f), x), step_of(x).shift
    high = builder.add(Truncate(Epilogue(shift=shift, width=x.type.width + 1)), whole)
    high = builder.add(Rescale(shift), high)
    back = builder.add(Scale(1 << shift), high)
    low = builder.add(AssumeWidth(shift + 1, 0.0), builder.add(Subtract(), whole, back))
    return builder.add(AssumeWidth(high.type.width, 0.0), high), low
