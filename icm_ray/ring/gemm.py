"""Matrix products and convolutions over Z_2^64: geometry and arrays; the kernels are in `gemm_kernel`.

Kernels are loaded at the first product, so that a process which only plans does not pay for Numba.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from icm_ray.errors import ShapeError
from icm_ray.profile import Part, spends
from icm_ray.ring.array import RingArray

__all__ = ["SHORT", "ConvShape", "convolve", "matmul"]

SHORT = 52
"""Bits of a product that some machines multiply and add in one instruction (AVX-512 IFMA), several times as fast."""

_WORD = np.dtype(np.uint64)
_FEW = 2
"""Rows or columns too few for panels."""
_LITTLE = 4096
"""Products of words too few for panels."""


@spends(Part.PRODUCTS)
def matmul(
    a: RingArray, b: RingArray, out: RingArray | None = None, threads: int = 1, *, short: bool = False
) -> RingArray:
    """a @ b over Z_2^64; b: (inner, columns), a: (..., inner); strides as they come.

    out: an array of the result's shape, apart from a and b, to which the product is added, and which is returned.
    threads: how many may work on one product, this one included; the words are the same. short: whoever takes the
    result looks at its low `SHORT` bits alone; the others may be anything. Raises `ShapeError`.
    """
    if a.ndim < 1 or b.ndim != 2 or a.shape[-1] != b.shape[0]:
        raise ShapeError(f"shapes {a.shape} and {b.shape} do not fit a matrix product")
    total = _total(a, b, out, (*a.shape[:-1], b.shape[1]))
    if total.size:
        # C order: the reshaped result is a view
        _multiply(
            _words(a.reshape(math.prod(a.shape[:-1]), a.shape[-1])),
            _words(b),
            total.reshape(math.prod(a.shape[:-1]), b.shape[1]),
            out is not None,
            threads,
            short,
        )
    return total


def _total(x: RingArray, y: RingArray, out: RingArray | None, shape: tuple[int, ...]) -> RingArray:
    """Where the product of x and y goes: kernels, which go by addresses, take whatever lies there for words."""
    if x.dtype != _WORD or y.dtype != _WORD:
        raise ShapeError(f"factors are {x.dtype.str} and {y.dtype.str}; both must be uint64 in native byte order")
    if out is None:
        return np.empty(shape, np.uint64)
    if out.shape != shape or out.dtype != _WORD or not (out.flags.c_contiguous and out.flags.writeable):
        raise ShapeError(f"out is {out.dtype} {out.shape}; it must be writeable uint64 {shape} in C order")
    if np.may_share_memory(out, x) or np.may_share_memory(out, y):
        raise ShapeError("out overlaps a factor, which would change under the product")
    return out


def _words(array: RingArray) -> RingArray:
    """The array itself, or a copy where its strides are not whole words."""
    plain = array.flags.aligned and not any(stride % 8 for stride in array.strides)
    return array if plain else np.ascontiguousarray(array)


def _strides(array: RingArray) -> tuple[int, ...]:
    return tuple(stride // 8 for stride in array.strides)


def _address(array: RingArray) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _multiply(a: RingArray, b: RingArray, out: RingArray, add: bool, threads: int, short: bool) -> None:
    from icm_ray.ring import gemm_kernel

    (rows, inner), columns = a.shape, b.shape[1]
    if min(rows, columns) <= _FEW or rows * inner * columns <= _LITTLE:
        if columns < rows:
            a, b, out = b.T, a.T, out.T
        gemm_kernel.narrow(
            _address(a), _strides(a), _address(b), _strides(b), _address(out), _strides(out),
            (a.shape[0], inner, b.shape[1]), add,
        )  # fmt: skip
        return
    (row, word), (line, column) = _strides(b), _strides(out)
    _tiled(
        a, b, (0, row, 0, word), out, (0, line, 0, column),
        (1, rows, inner), (1, columns), (1, columns), ((1, 1), (1, 1), (0, 0), (1, 1)), columns, add, threads, short,
    )  # fmt: skip


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

    def windows(self, images: RingArray) -> RingArray:
        """A view (batch, channels, rows, columns, kernel rows, kernel columns) of zero-padded images."""
        top, bottom, left, right = self.padding
        padded = np.pad(images, ((0, 0), (0, 0), (top, bottom), (left, right))) if any(self.padding) else images
        reach = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        view = sliding_window_view(padded, reach, axis=(2, 3))
        picked: RingArray = view[:, :, :: self.stride[0], :: self.stride[1], :: self.dilation[0], :: self.dilation[1]]
        return picked


@spends(Part.PRODUCTS)
def convolve(
    images: RingArray,
    weight: RingArray,
    shape: ConvShape,
    out: RingArray | None = None,
    threads: int = 1,
    *,
    short: bool = False,
) -> RingArray:
    """Cross-correlation over Z_2^64 as torch.nn.functional.conv2d computes it, without bias.

    images: (batch, channels, height, width); weight: `shape.weight_shape`. Returns (batch, *shape.out_shape). The other
    arguments are those of `matmul`.
    """
    if images.shape[1:] != (shape.channels, shape.height, shape.width) or weight.shape != shape.weight_shape:
        raise ShapeError(f"images {images.shape} and weight {weight.shape} are not those of {shape}")
    total = _total(images, weight, out, (images.shape[0], *shape.out_shape))
    if not shape.fan_in:
        if out is None:
            total[...] = 0
        return total
    images = _words(images)
    weights = _words(weight.reshape(shape.out_channels, shape.fan_in))
    top, _, left, _ = shape.padding
    if total.size:
        _tiled(
            weights, images, _strides(images), total, _strides(total),
            (shape.groups, shape.out_channels // shape.groups, shape.fan_in), (shape.height, shape.width),
            (shape.rows, shape.columns), (shape.kernel, shape.stride, (top, left), shape.dilation),
            images.shape[0] * shape.rows * shape.columns, out is not None, threads, short,
        )  # fmt: skip
    return total


def _tiled(
    a: RingArray,
    images: RingArray,
    strides: tuple[int, ...],
    out: RingArray,
    outs: tuple[int, ...],
    shape: tuple[int, int, int],
    sizes: tuple[int, int],
    pixels: tuple[int, int],
    windows: tuple[tuple[int, int], ...],
    columns: int,
    add: bool,
    threads: int,
    short: bool,
) -> None:
    """`gemm_kernel.product`, the longer side of the result split among threads."""
    from icm_ray.ring import gemm_kernel

    groups, rows, inner = shape

    def work(part: tuple[range, range]) -> None:
        high, wide = part
        scratch = np.empty(gemm_kernel.scratch_words(len(high), inner, len(wide)), np.uint64)
        gemm_kernel.product(
            _address(a) + high.start * a.strides[0], _strides(a), _address(images), strides,
            _address(out) + high.start * outs[1] * 8, outs, (groups, len(high), inner), sizes, pixels, windows,
            (wide.start, wide.stop), add, short, _address(scratch),
        )  # fmt: skip

    everything = range(rows), range(columns)
    if threads == 1:
        work(everything)
        return
    if groups == 1 and rows > columns:
        parts = [(part, everything[1]) for part in _shares(rows, threads, gemm_kernel.ROWS)]
    else:
        parts = [(everything[0], part) for part in _shares(columns, threads, gemm_kernel.WIDTH)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, parts))


def _shares(size: int, count: int, step: int) -> list[range]:
    """`size` cut into at most `count` equal parts, whose lengths but the last are multiples of `step`."""
    share = -(-size // (count * step)) * step
    return [range(first, min(first + share, size)) for first in range(0, size, share)]
