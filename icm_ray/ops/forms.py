"""Bilinear forms: the shapes of products, whatever protocol multiplies."""

from __future__ import annotations

import math

import msgspec
import numpy as np

from icm_ray.errors import ShapeError
from icm_ray.ops.values import log2_ceil
from icm_ray.profile import Part, spends
from icm_ray.ring.array import RingArray
from icm_ray.ring.gemm import ConvShape, convolve, matmul

__all__ = ["Convolution", "Elementwise", "Form", "Matrices", "Matrix"]


class Elementwise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x * y, numpy's broadcasting."""

    def shape(self, x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        try:
            return np.broadcast_shapes(x, y)
        except ValueError:
            raise ShapeError(f"shapes {x} and {y} do not broadcast together") from None

    @spends(Part.KERNELS)
    def apply(
        self, x: RingArray, y: RingArray, out: RingArray | None = None, threads: int = 1, *, short: bool = False
    ) -> RingArray:
        """The product, added to `out` where that is given; so many threads may work on it. short: as of `matmul`."""
        if out is None:
            return x * y
        out += x * y
        return out

    def growth(self, x: tuple[int, ...], y: tuple[int, ...]) -> int:
        """Factor by which sums inside one output exceed a single product."""
        return 1


class Matrix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x @ y with y (k, m); `transposed`: x @ y.T with y (m, k), as torch's Linear keeps its weight."""

    transposed: bool = False

    def shape(self, x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        if len(x) < 1 or len(y) != 2 or x[-1] != y[1 if self.transposed else 0]:
            raise ShapeError(f"shapes {x} and {y} do not fit a matrix product")
        return (*x[:-1], y[0 if self.transposed else 1])

    def apply(
        self, x: RingArray, y: RingArray, out: RingArray | None = None, threads: int = 1, *, short: bool = False
    ) -> RingArray:
        """The product, added to `out` where that is given; so many threads may work on it. short: as of `matmul`."""
        return matmul(x, y.T if self.transposed else y, out, threads, short=short)

    def growth(self, x: tuple[int, ...], y: tuple[int, ...]) -> int:
        return x[-1]


class Matrices(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x @ y of every pair of matrices: x (..., n, k) and y (..., k, m) with the same axes in front, one or more."""

    def shape(self, x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        if len(x) < 3 or len(y) != len(x) or x[:-2] != y[:-2] or x[-1] != y[-2]:
            raise ShapeError(f"shapes {x} and {y} do not fit products of pairs of matrices")
        return (*x[:-1], y[-1])

    def apply(
        self, x: RingArray, y: RingArray, out: RingArray | None = None, threads: int = 1, *, short: bool = False
    ) -> RingArray:
        """The products, added to `out` where that is given; so many threads may work on each. short: as of `matmul`."""
        total = np.zeros(self.shape(x.shape, y.shape), np.uint64) if out is None else out
        pairs = (part.reshape(math.prod(part.shape[:-2]), *part.shape[-2:]) for part in (x, y, total))
        for left, right, sums in zip(*pairs, strict=True):
            matmul(left, right, sums, threads, short=short)
        return total

    def growth(self, x: tuple[int, ...], y: tuple[int, ...]) -> int:
        return x[-1]


class Convolution(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """torch's conv2d of images (batch, channels, height, width) with weights (out, channels / groups, rows,
    columns).
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def geometry(self, x: tuple[int, ...], out_channels: int) -> ConvShape:
        if len(x) != 4:
            raise ShapeError(f"a convolution takes images (batch, channels, height, width), not shape {x}")
        return ConvShape(
            x[1], x[2], x[3], out_channels, self.kernel, self.stride, self.padding, self.dilation, self.groups
        )

    def shape(self, x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        geometry = self.geometry(x, y[0])
        if y != geometry.weight_shape:
            raise ShapeError(f"weights of shape {y} do not fit a convolution that takes {geometry.weight_shape}")
        return (x[0], *geometry.out_shape)

    def apply(
        self, x: RingArray, y: RingArray, out: RingArray | None = None, threads: int = 1, *, short: bool = False
    ) -> RingArray:
        """The product, added to `out` where that is given; so many threads may work on it. short: as of `matmul`."""
        return convolve(x, y, self.geometry(x.shape, y.shape[0]), out, threads, short=short)

    def growth(self, x: tuple[int, ...], y: tuple[int, ...]) -> int:
        return self.geometry(x, y[0]).fan_in


Form = Elementwise | Matrix | Matrices | Convolution


def growth_bits(form: Form, x: tuple[int, ...], y: tuple[int, ...]) -> int:
    """Bits that the sums inside one output add to the width of a single product."""
    return log2_ceil(form.growth(x, y))
