"""Windows that slide over images: how many fit, and in how many of them a cell can be."""

from __future__ import annotations

import math

from icm_ray.network.layer import Layer, Pair, Pairs, Shape

__all__ = ["ceil_padding", "overlap", "slide", "windows"]


def windows(size: int, kernel: int, stride: int, padding: Pair, dilation: int) -> int:
    """How many windows fit: floor((size + padding - dilation (kernel - 1) - 1) / stride) + 1."""
    return (size + sum(padding) - dilation * (kernel - 1) - 1) // stride + 1


def ceil_padding(size: int, kernel: int, stride: int, padding: Pair, dilation: int) -> Pair:
    """The padding with which a floor makes as many windows as torch's ceil_mode does.

    ceil_mode adds a last, partial window, unless it would start in the padding after the data.
    """
    before, after = padding
    count = -(-(size + before + after - dilation * (kernel - 1) - 1) // stride) + 1
    if (count - 1) * stride >= size + before:
        count -= 1
    missing = (count - 1) * stride + dilation * (kernel - 1) + 1 - (size + before + after)
    return before, after + max(missing, 0)


def slide(layer: Layer, source: Shape, kernel: Pair, stride: Pair, padding: Pairs, dilation: Pair) -> Pair:
    """Rows and columns of the result for an image of shape `source`; `ProgramError` where no window fits."""
    layer.need(len(source) == 3, source)
    layer.need(min(*kernel, *stride, *dilation) >= 1 and min(*padding[0], *padding[1]) >= 0, source)
    height = windows(source[1], kernel[0], stride[0], padding[0], dilation[0])
    width = windows(source[2], kernel[1], stride[1], padding[1], dilation[1])
    layer.need(height >= 1 and width >= 1, source)
    return height, width


def overlap(kernel: Pair, stride: Pair, dilation: Pair) -> int:
    """In how many windows a cell can be."""
    reach = (d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    return math.prod(-(-r // s) for r, s in zip(reach, stride, strict=True))
