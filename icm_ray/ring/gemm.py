"""Matrix products and convolutions over Z_2^64, at the speed of the machine's int64 kernels.

torch's int64 product wraps around as the ring does and is 25 times faster than numpy's; torch is loaded on first use.
Convolutions are sums of shifted products (im2col), so that one kernel serves both.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from icm_ray.errors import ShapeError
from icm_ray.ring.clock import Part, spends

__all__ = ["ConvShape", "convolve", "load", "matmul"]

Ring = NDArray[np.uint64]


def load(threads: int | None = None) -> None:
    """Load torch now (2 to 3 s) rather than at the first product; `threads` limits its pool."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)


@spends(Part.PRODUCTS)
def matmul(a: Ring, b: Ring) -> Ring:
    """a @ b over Z_2^64; shapes as numpy's matmul for two or more dimensions."""
    import torch

    left, right = torch.from_numpy(_plain(a).view(np.int64)), torch.from_numpy(_plain(b).view(np.int64))
    product: Ring = torch.matmul(left, right).numpy().view(np.uint64)
    return product


def _plain(a: Ring) -> Ring:
    return a if a.flags.c_contiguous and a.flags.writeable else np.array(a, order="C")


@dataclass(frozen=True)
class ConvShape:
    """The public geometry of a 2-d convolution (or of a pooling window).

    images: (channels, height, width) of one input; out_channels; kernel, stride, dilation: (rows, columns);
    padding: (top, bottom, left, right); groups.
    """

    channels: int
    height: int
    width: int
    out_channels: int
    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        if min(self.groups, *self.kernel, *self.stride, *self.dilation) < 1 or min(self.padding) < 0:
            raise ShapeError(
                f"a window of {self.kernel}, stride {self.stride}, dilation {self.dilation}, padding {self.padding}, "
                f"{self.groups} groups"
            )
        if self.channels % self.groups or self.out_channels % self.groups:
            raise ShapeError(f"{self.groups} groups do not divide {self.channels} and {self.out_channels} channels")
        if self.rows < 1 or self.columns < 1:
            raise ShapeError(f"kernel {self.kernel} is larger than the padded image {self.height}x{self.width}")

    @cached_property
    def rows(self) -> int:
        reach = self.dilation[0] * (self.kernel[0] - 1) + 1
        return (self.height + self.padding[0] + self.padding[1] - reach) // self.stride[0] + 1

    @cached_property
    def columns(self) -> int:
        reach = self.dilation[1] * (self.kernel[1] - 1) + 1
        return (self.width + self.padding[2] + self.padding[3] - reach) // self.stride[1] + 1

    @property
    def out_shape(self) -> tuple[int, int, int]:
        return self.out_channels, self.rows, self.columns

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        return self.out_channels, self.channels // self.groups, *self.kernel

    @property
    def fan_in(self) -> int:
        """Products behind one output."""
        return self.channels // self.groups * self.kernel[0] * self.kernel[1]

    def windows(self, images: Ring) -> Ring:
        """A view (batch, channels, rows, columns, kernel rows, kernel columns) of zero-padded images."""
        top, bottom, left, right = self.padding
        padded = np.pad(images, ((0, 0), (0, 0), (top, bottom), (left, right))) if any(self.padding) else images
        reach = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        view = sliding_window_view(padded, reach, axis=(2, 3))
        picked: Ring = view[:, :, :: self.stride[0], :: self.stride[1], :: self.dilation[0], :: self.dilation[1]]
        return picked


@spends(Part.PRODUCTS)
def convolve(images: Ring, weight: Ring, shape: ConvShape) -> Ring:
    """Cross-correlation over Z_2^64 as torch.nn.functional.conv2d computes it, without bias.

    images: (batch, channels, height, width); weight: `shape.weight_shape`. Returns (batch, *shape.out_shape).
    """
    batch, groups = images.shape[0], shape.groups
    if groups > 1 and shape.channels == groups == shape.out_channels:
        return _depthwise(images, weight, shape)
    per_group = shape.channels // groups
    area = shape.rows * shape.columns
    out = np.empty((batch, shape.out_channels, shape.rows, shape.columns), np.uint64)
    windows = shape.windows(images)
    kernels = weight.reshape(groups, shape.out_channels // groups, shape.fan_in)
    direct = shape.kernel == (1, 1) and shape.stride == (1, 1) and not any(shape.padding)
    for group in range(groups):
        chosen = slice(group * per_group, (group + 1) * per_group)
        # the batch lies beside the columns: one large product instead of many small ones, and one copy
        # (channels, kernel rows, kernel columns, batch, rows, columns): unit stride along the image's rows
        whole = images[:, chosen, None, None].transpose(1, 2, 3, 0, 4, 5)
        columns = whole if direct else windows[:, chosen].transpose(1, 4, 5, 0, 2, 3)
        flat = columns.reshape(shape.fan_in, batch * area)
        product = matmul(kernels[group], flat).reshape(-1, batch, shape.rows, shape.columns)
        size = shape.out_channels // groups
        out[:, group * size : (group + 1) * size] = product.transpose(1, 0, 2, 3)
    return out


def _depthwise(images: Ring, weight: Ring, shape: ConvShape) -> Ring:
    windows = shape.windows(images)
    out = np.zeros((images.shape[0], *shape.out_shape), np.uint64)
    for row in range(shape.kernel[0]):
        for column in range(shape.kernel[1]):
            out += windows[..., row, column] * weight[None, :, 0, row, column, None, None]
    return out
