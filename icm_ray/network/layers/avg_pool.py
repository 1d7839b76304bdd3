"""Average pools: sums over windows, divided by public numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from icm_ray.network.layer import Layer, NetworkBuild, Pair, Pairs, Shape
from icm_ray.network.layers.factors import EXTRA_BITS, factor_error, times
from icm_ray.network.layers.windows import overlap, slide
from icm_ray.ops import linear
from icm_ray.ops.values import FULL_WIDTH, log2_ceil
from icm_ray.program.build import Value

__all__ = ["AvgPool"]


class AvgPool(Layer, frozen=True, kw_only=True, tag="avg_pool"):
    """Sums over zero-padded windows, divided by `divisor`, or by counts[0][i] counts[1][j] where windows differ.

    Exactly one of `divisor` and `counts` is set. `padding` already includes what torch's ceil_mode adds.
    `folded` says that the division stands in the next product's weights: this layer only sums.
    """

    kernel: Pair
    stride: Pair
    padding: Pairs
    divisor: float | None
    counts: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    folded: bool = False

    homogeneous: ClassVar[bool] = True

    @property
    def averaged(self) -> int:
        return self.kernel[0] * self.kernel[1]

    @property
    def overlap(self) -> int:
        """In how many windows a cell can be."""
        return overlap(self.kernel, self.stride, (1, 1))

    @property
    def least_divisor(self) -> float:
        """The smallest number that a window's sum is divided by."""
        if self.folded:
            return 1.0
        if self.counts is not None:
            return min(self.counts[0]) * min(self.counts[1])
        return self.divisor or 1.0

    @property
    def factor_error(self) -> float:
        """By how much the factor that multiplies a window's sum differs from the exact one, at most."""
        if self.folded:
            return 0.0
        if self.counts is None:
            return factor_error(1.0 / (self.divisor or 1.0))
        pairs = ((r, c) for r in set(self.counts[0]) for c in set(self.counts[1]))
        return max(factor_error(1.0 / (r * c), exact=False) for r, c in pairs)

    def output_shape(self, inputs: Sequence[Shape]) -> Shape:
        source = self.only(inputs)
        self.need((self.divisor is None) != (self.counts is None), source)
        divisors = (self.divisor or 0.0,) if self.counts is None else (*self.counts[0], *self.counts[1])
        self.need(all(math.isfinite(number) and number > 0 for number in divisors), source)
        rows, columns = slide(self, source, self.kernel, self.stride, self.padding, (1, 1))
        self.need(self.counts is None or tuple(len(axis) for axis in self.counts) == (rows, columns), source)
        return (source[0], rows, columns)

    def lower(self, program: NetworkBuild) -> Value:
        """The window sums, divided unless the division stands in the next product's weights; f may grow."""
        (top, bottom), (left, right) = self.padding
        x = program.value(self)
        if not self.folded and x.type.width + log2_ceil(math.prod(self.kernel)) + EXTRA_BITS > FULL_WIDTH - 2:
            x = program.settled(self.inputs[0])  # as of averages of averages
        sums = program.add(linear.WindowSum(self.kernel, self.stride, (top, bottom, left, right)), x)
        if self.folded:
            return sums
        if self.counts is None:
            return times(program, sums, 1.0 / (self.divisor or 1.0))
        # the counts are constant on blocks (the borders and the middle): each block is divided by its own
        rows = [
            [
                times(program, program.add(_block(sums, rows, columns), sums), 1.0 / (row * column), exact=False)
                for column, columns in _runs(self.counts[1])
            ]
            for row, rows in _runs(self.counts[0])
        ]
        return _joined(program, [_joined(program, blocks, 3) for blocks in rows], 2)


def _runs(counts: Sequence[float]) -> list[tuple[float, tuple[int, int, int]]]:
    """Stretches of equal counts, as slices."""
    starts = [k for k, count in enumerate(counts) if k == 0 or count != counts[k - 1]]
    ends = [*starts[1:], len(counts)]
    return [(counts[start], (start, end, 1)) for start, end in zip(starts, ends, strict=True)]


def _block(x: Value, rows: tuple[int, int, int], columns: tuple[int, int, int]) -> linear.Slice:
    batch, channels = x.type.shape[:2]
    return linear.Slice(((0, batch, 1), (0, channels, 1), rows, columns))


def _joined(program: NetworkBuild, parts: Sequence[Value], axis: int) -> Value:
    return parts[0] if len(parts) == 1 else program.add(linear.Concatenate(axis), *parts)
