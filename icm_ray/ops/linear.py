"""Operations that parties compute on their own shares, and those at the edges: input, store, reveal."""

from __future__ import annotations

import math

import msgspec

from icm_ray.errors import BoundError, ProgramError, ShapeError
from icm_ray.ops.labels import Labels
from icm_ray.ops.values import Kind, ValueType, log2_ceil, power_of_two

__all__ = [
    "Add",
    "AddLast",
    "AddPublic",
    "AssumeWidth",
    "Concatenate",
    "Expand",
    "Input",
    "Load",
    "Pad",
    "Permute",
    "Rescale",
    "Reshape",
    "Reveal",
    "RunningSum",
    "Scale",
    "ScaleLast",
    "Slice",
    "Store",
    "Subtract",
    "Sum",
    "SumAxis",
    "Take",
    "WindowSum",
]


class Input(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """`owner` brings the value `name` and shares it; every other party expands its share from a key it has with the
    owner. labels: whose rows it is made of.
    """

    owner: str
    name: str
    type: ValueType
    labels: Labels = ()

    def infer(self) -> ValueType:
        return self.type.checked(f"input {self.name}")


class Load(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """A value that the parties keep under `key`. labels: whose rows it is made of, merged, as the parties know too."""

    key: str
    type: ValueType
    labels: Labels = ()

    def infer(self) -> ValueType:
        return self.type.checked(f"kept value {self.key}")


class Store(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """Keep the value's shares under `key`, each party in its own worker."""

    key: str

    def infer(self, x: ValueType) -> ValueType:
        return x


class Reveal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """Open the value for `to` alone, as `name`, behind fresh shares of zero."""

    to: str
    name: str

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is Kind.BITS:
            raise ProgramError("bits are revealed as shares: convert them first")
        return x


def _aligned(x: ValueType, y: ValueType, what: str) -> ValueType:
    if x.kind is not y.kind or x.kind is Kind.BITS:
        raise ProgramError(f"{what} takes two values of one additive kind, not {x.kind} and {y.kind}")
    if x.limbs != y.limbs:
        raise ProgramError(f"{what} takes values of one ring, not of {x.limbs} and {y.limbs} limbs")
    if x.f != y.f:
        raise ProgramError(f"{what} takes values with the same fractional bits, not {x.f} and {y.f}")
    if x.shape != y.shape:
        raise ShapeError(f"{what} takes values of one shape, not {x.shape} and {y.shape}")
    width = max(x.width, y.width) + 1
    return msgspec.structs.replace(x, width=width, error=x.error + y.error).checked(what)


def _scaled(error: float, factor: float) -> float:
    return error * factor if error else 0.0  # what is exact stays so, whatever the factor


def _travels(constant: int) -> None:
    if not -(2**63) <= constant < 2**63:
        raise BoundError(f"a program's constants have 64 bits, not {constant.bit_length() + 1}")


class Add(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x + y."""

    def infer(self, x: ValueType, y: ValueType) -> ValueType:
        return _aligned(x, y, "addition")


class Subtract(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x - y."""

    def infer(self, x: ValueType, y: ValueType) -> ValueType:
        return _aligned(x, y, "subtraction")


class AddPublic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x + constant; the constant is an integer in units of 2^-f."""

    constant: int

    def infer(self, x: ValueType) -> ValueType:
        _travels(self.constant)
        width = max(x.width, abs(self.constant).bit_length() + 1) + 1
        return msgspec.structs.replace(x, width=width).checked("addition of a constant")


class Scale(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x times an integer; the result has `extra_f` fractional bits more (constant / 2^extra_f in plain units)."""

    constant: int
    extra_f: int = 0

    def infer(self, x: ValueType) -> ValueType:
        _travels(self.constant)
        width = x.width + max(abs(self.constant) - 1, 0).bit_length()
        factor = abs(self.constant) * power_of_two(-self.extra_f)
        scaled = msgspec.structs.replace(x, width=width, f=x.f + self.extra_f, error=_scaled(x.error, factor))
        return scaled.checked("multiplication by a constant")


class AssumeWidth(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x with a declared width: a promise about its range, to be checked by comparisons beside it or by whoever makes
    x.

    error: where it is known better than operation by operation, the error that is declared in its place.
    """

    width: int
    error: float | None = None

    def infer(self, x: ValueType) -> ValueType:
        error = x.error if self.error is None else self.error
        declared = msgspec.structs.replace(x, width=min(self.width, x.width), error=error)
        return declared.checked("declared width")


class Rescale(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The same ring elements read with `extra_f` more fractional bits: an exact division by 2^extra_f."""

    extra_f: int

    def infer(self, x: ValueType) -> ValueType:
        rescaled = msgspec.structs.replace(x, f=x.f + self.extra_f, error=_scaled(x.error, power_of_two(-self.extra_f)))
        return rescaled.checked("rescaling")


class Sum(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The sum of all elements, shape (1,)."""

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is Kind.BITS:
            raise ProgramError("bits are summed as shares: convert them first")
        width = x.width + log2_ceil(x.count)
        return msgspec.structs.replace(x, shape=(1,), width=width, error=x.error * x.count).checked("sum")


class SumAxis(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """Sums along the last axis, which stays with size 1."""

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE or not x.shape or not x.count:
            raise ProgramError("a sum along an axis takes additive shares with a last axis")
        size = x.shape[-1]
        summed = msgspec.structs.replace(
            x, shape=(*x.shape[:-1], 1), width=x.width + log2_ceil(size), error=x.error * size
        )
        return summed.checked("sum along an axis")


class RunningSum(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """Of each row of the first axis the sum of all rows up to it, itself included."""

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE or not x.shape:
            raise ProgramError("a running sum takes additive shares with a first axis")
        rows = x.shape[0]
        summed = msgspec.structs.replace(x, width=x.width + log2_ceil(rows), error=x.error * rows)
        return summed.checked("running sum")


class Expand(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The same elements repeated up to a larger shape, numpy's broadcasting."""

    shape: tuple[int, ...]

    def infer(self, x: ValueType) -> ValueType:
        sizes = zip(reversed(x.shape), reversed(self.shape), strict=False)
        fits = len(x.shape) <= len(self.shape) and all(a in {1, b} and b > 0 for a, b in sizes)
        if not fits or min(self.shape, default=1) < 1 or x.kind is not Kind.SHARE:
            raise ShapeError(f"{x.kind} of shape {x.shape} cannot be repeated up to {self.shape}")
        return msgspec.structs.replace(x, shape=self.shape)


class AddLast(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x plus a public number for each place of the last axis, integers in units of 2^-f."""

    constants: tuple[int, ...]

    def infer(self, x: ValueType) -> ValueType:
        largest = _for_last(x, self.constants)
        width = max(x.width, largest.bit_length() + 1) + 1
        return msgspec.structs.replace(x, width=width).checked("addition of constants")


class ScaleLast(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x times an integer for each place of the last axis; the result has `extra_f` fractional bits more."""

    constants: tuple[int, ...]
    extra_f: int = 0

    def infer(self, x: ValueType) -> ValueType:
        largest = _for_last(x, self.constants)
        width = x.width + max(largest - 1, 0).bit_length()
        factor = largest * power_of_two(-self.extra_f)
        scaled = msgspec.structs.replace(x, width=width, f=x.f + self.extra_f, error=_scaled(x.error, factor))
        return scaled.checked("multiplication by constants")


def _for_last(x: ValueType, constants: tuple[int, ...]) -> int:
    """The largest magnitude of public numbers for the last axis; raises where they do not fit it."""
    if x.kind is not Kind.SHARE or not x.shape or len(constants) != x.shape[-1]:
        raise ShapeError(f"{len(constants)} constants for the last axis of {x.kind} of shape {x.shape}")
    for constant in constants:
        _travels(constant)
    return max(map(abs, constants), default=0)


class Reshape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The same elements in another shape."""

    shape: tuple[int, ...]

    def infer(self, x: ValueType) -> ValueType:
        if math.prod(self.shape) != x.count or min(self.shape, default=-1) < 0:
            raise ShapeError(f"{x.shape} cannot be reshaped to {self.shape}")
        return msgspec.structs.replace(x, shape=self.shape)


class Permute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The same elements with the axes in another order: axis i of the result is axis axes[i] of x."""

    axes: tuple[int, ...]

    def infer(self, x: ValueType) -> ValueType:
        if sorted(self.axes) != list(range(len(x.shape))):
            raise ShapeError(f"{self.axes} is no order of the {len(x.shape)} axes of {x.shape}")
        return msgspec.structs.replace(x, shape=tuple(x.shape[axis] for axis in self.axes))


class Slice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x[start:stop:step, ...] with one (start, stop, step) for each axis."""

    axes: tuple[tuple[int, int, int], ...]

    def infer(self, x: ValueType) -> ValueType:
        if len(self.axes) != len(x.shape):
            raise ShapeError(f"{len(self.axes)} slices for {len(x.shape)} axes")
        if any(step == 0 for _, _, step in self.axes):
            raise ShapeError("a slice's step is not 0")
        shape = tuple(len(range(*slice(*axis).indices(size))) for axis, size in zip(self.axes, x.shape, strict=True))
        return msgspec.structs.replace(x, shape=shape)


class Pad(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """Zeros before and after, one (before, after) for each axis."""

    axes: tuple[tuple[int, int], ...]

    def infer(self, x: ValueType) -> ValueType:
        if len(self.axes) != len(x.shape):
            raise ShapeError(f"{len(self.axes)} paddings for {len(x.shape)} axes")
        if x.kind is not Kind.SHARE or any(size < 0 for axis in self.axes for size in axis):
            raise ShapeError(f"padding takes additive shares and sizes of 0 or more, not {x.kind} and {self.axes}")
        shape = tuple(before + size + after for (before, after), size in zip(self.axes, x.shape, strict=True))
        return msgspec.structs.replace(x, shape=shape)


class Take(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The elements at public `indices` along `axis`, in that order, each as often as it is named."""

    axis: int
    indices: tuple[int, ...]

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE or not 0 <= self.axis < len(x.shape):
            raise ShapeError(f"{x.kind} of shape {x.shape} has nothing to take along axis {self.axis}")
        if not self.indices or min(self.indices) < 0 or max(self.indices) >= x.shape[self.axis]:
            raise ShapeError(f"places along axis {self.axis} of {x.shape} are 0 to {x.shape[self.axis] - 1}")
        return msgspec.structs.replace(x, shape=(*x.shape[: self.axis], len(self.indices), *x.shape[self.axis + 1 :]))


class Concatenate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """Values one after the other along `axis`."""

    axis: int = 0

    def infer(self, *xs: ValueType) -> ValueType:
        first = xs[0]
        if not 0 <= self.axis < len(first.shape) or any(len(x.shape) != len(first.shape) for x in xs):
            raise ShapeError(f"values of shapes {[x.shape for x in xs]} cannot be concatenated along axis {self.axis}")
        for x in xs[1:]:
            same = [a == b for k, (a, b) in enumerate(zip(x.shape, first.shape, strict=True)) if k != self.axis]
            if (x.kind, x.limbs, x.f) != (first.kind, first.limbs, first.f) or not all(same):
                raise ShapeError(f"values of shape {first.shape} and {x.shape} cannot be concatenated")
        shape = list(first.shape)
        shape[self.axis] = sum(x.shape[self.axis] for x in xs)
        width, error = max(x.width for x in xs), max(x.error for x in xs)
        return msgspec.structs.replace(first, shape=tuple(shape), width=width, error=error)


class WindowSum(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """Sums over windows of images (batch, channels, height, width): average pooling without its division."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)

    def infer(self, x: ValueType) -> ValueType:
        if len(x.shape) != 4:
            raise ShapeError(f"pooling takes images (batch, channels, height, width), not shape {x.shape}")
        if x.kind is not Kind.SHARE or min(*self.kernel, *self.stride) < 1 or min(self.padding) < 0:
            raise ShapeError(
                f"pooling of {x.kind} with window {self.kernel}, stride {self.stride}, padding {self.padding}"
            )
        batch, channels, height, width = x.shape
        rows = (height + self.padding[0] + self.padding[1] - self.kernel[0]) // self.stride[0] + 1
        columns = (width + self.padding[2] + self.padding[3] - self.kernel[1]) // self.stride[1] + 1
        if rows < 1 or columns < 1:
            raise ShapeError(f"window {self.kernel} is larger than the padded image {height}x{width}")
        area = self.kernel[0] * self.kernel[1]
        grown = msgspec.structs.replace(
            x, shape=(batch, channels, rows, columns), width=x.width + log2_ceil(area), error=x.error * area
        )
        return grown.checked("pooling")
