"""Images with borders, and sums over their windows."""

from __future__ import annotations

import torch
from torch.nn import functional

from icm_ray.network.layer import Pair, Pairs

__all__ = ["padded", "window_sums"]


def padded(x: torch.Tensor, padding: Pairs, value: float) -> torch.Tensor:
    """Images with a border of `value`."""
    (top, bottom), (left, right) = padding
    return functional.pad(x, [left, right, top, bottom], value=value)


def window_sums(x: torch.Tensor, kernel: Pair, stride: Pair, padding: Pairs) -> torch.Tensor:
    """The sums over zero-padded windows."""
    return functional.avg_pool2d(padded(x, padding, 0.0), kernel, stride, divisor_override=1)
