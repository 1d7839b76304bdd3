"""Pooling layers in a program: sums and maxima over windows of images (batch, channels, height, width)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analytics.nn.nodes import AvgPool, MaxPool
from icm_ray.ops import compare, linear
from icm_ray.program.build import Builder, Value

__all__ = ["add_average", "add_maximum", "divide", "factor_error", "scale_error"]

_EXTRA = 20  # fractional bits of a public factor that is no power of two


def add_average(builder: Builder, x: Value, node: AvgPool) -> Value:
    """The window sums, divided unless the division stands in the next product's weights; f may grow."""
    (top, bottom), (left, right) = node.padding
    sums = builder.add(linear.WindowSum(node.kernel, node.stride, (top, bottom, left, right)), x)
    if node.folded:
        return sums
    if node.counts is None:
        return divide(builder, sums, 1.0 / (node.divisor or 1.0))
    # the counts are constant on blocks (the borders and the middle): each block is divided by its own
    rows = [
        [
            divide(builder, builder.add(_block(sums, rows, columns), sums), 1.0 / (row * column), exact=False)
            for column, columns in _runs(node.counts[1])
        ]
        for row, rows in _runs(node.counts[0])
    ]
    return _joined(builder, [_joined(builder, blocks, 3) for blocks in rows], 2)


def factor_error(node: AvgPool) -> float:
    """By how much the factor that multiplies a window's sum differs from the exact one, at most."""
    if node.folded:
        return 0.0
    if node.counts is None:
        return scale_error(1.0 / (node.divisor or 1.0))
    return max(scale_error(1.0 / (r * c), exact=False) for r in set(node.counts[0]) for c in set(node.counts[1]))


def divide(builder: Builder, x: Value, factor: float, *, exact: bool = True) -> Value:
    """x times a public factor. Powers of two are exact and leave the ring elements alone; otherwise f grows by 20.

    exact=False: f grows by 20 whatever the factor is, so that several results can be joined.
    """
    mantissa, exponent = math.frexp(factor)
    if exact and mantissa == 0.5:
        power = exponent - 1
        return builder.add(linear.Rescale(-power) if power < 0 else linear.Scale(2**power), x)
    return builder.add(linear.Scale(round(factor * 2**_EXTRA), _EXTRA), x)


def scale_error(factor: float, *, exact: bool = True) -> float:
    """By how much the factor that `divide` takes differs from `factor`."""
    power = exact and math.frexp(factor)[0] == 0.5
    return 0.0 if power else abs(round(factor * 2**_EXTRA) / 2**_EXTRA - factor)


def _runs(counts: Sequence[float]) -> list[tuple[float, tuple[int, int, int]]]:
    """Stretches of equal counts, as slices."""
    starts = [k for k, count in enumerate(counts) if k == 0 or count != counts[k - 1]]
    ends = [*starts[1:], len(counts)]
    return [(counts[start], (start, end, 1)) for start, end in zip(starts, ends, strict=True)]


def _block(x: Value, rows: tuple[int, int, int], columns: tuple[int, int, int]) -> linear.Slice:
    batch, channels = x.type.shape[:2]
    return linear.Slice(((0, batch, 1), (0, channels, 1), rows, columns))


def _joined(builder: Builder, parts: Sequence[Value], axis: int) -> Value:
    return parts[0] if len(parts) == 1 else builder.add(linear.Concatenate(axis), *parts)


def add_maximum(builder: Builder, x: Value, node: MaxPool, *, zeros_lose: bool) -> Value:
    """The maxima of windows: the windows' cells side by side on a last axis, then one tree along it.

    zeros_lose: padding with zeros changes nothing that counts (the values, or what follows, are not below zero).
    Otherwise the values are lifted above zero for the time being.
    """
    (top, bottom), (left, right) = node.padding
    padded = any((top, bottom, left, right))
    width, lift = x.type.width, 2 ** (x.type.width - 1)
    lifted = padded and not zeros_lose
    if lifted:
        x = builder.add(linear.AddPublic(lift), x)
    if padded:
        x = builder.add(linear.Pad(((0, 0), (0, 0), (top, bottom), (left, right))), x)
    batch, channels = x.type.shape[:2]
    _, rows, columns = node.shape
    cells = []
    for row in range(node.kernel[0]):
        for column in range(node.kernel[1]):
            down = _steps(row * node.dilation[0], node.stride[0], rows)
            across = _steps(column * node.dilation[1], node.stride[1], columns)
            cell = builder.add(linear.Slice(((0, batch, 1), (0, channels, 1), down, across)), x)
            cells.append(builder.add(linear.Reshape((batch, channels, rows, columns, 1)), cell))
    stacked = _joined(builder, cells, 4)
    largest = builder.add(compare.Maximum(stacked.type.width + 1), stacked)
    if lifted:
        largest = builder.add(linear.AssumeWidth(width), builder.add(linear.AddPublic(-lift), largest))
    return largest


def _steps(start: int, step: int, count: int) -> tuple[int, int, int]:
    return start, start + step * (count - 1) + 1, step
