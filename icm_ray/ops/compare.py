"""Comparisons with public numbers, and what is made of their bits: counts, selections, maxima."""

from __future__ import annotations

import msgspec

from icm_ray.errors import BoundError, ProgramError, ShapeError
from icm_ray.ops.values import FULL_WIDTH, Kind, ValueType, log2_ceil

__all__ = ["ArgMax", "AtLeast", "CheckFlag", "CountAtLeast", "Maximum", "Select", "Thresholds"]


def _compared(x: ValueType, thresholds: tuple[int, ...], width: int, what: str) -> None:
    if x.kind is not Kind.SHARE:
        raise ProgramError(f"{what} takes additive shares, not {x.kind}")
    if not thresholds:
        raise ProgramError(f"{what} takes at least one threshold")
    reach = max(map(abs, thresholds))
    if not 2 <= width <= FULL_WIDTH or 2 ** (x.width - 1) + reach > 2 ** (width - 1):
        raise BoundError(f"{what}: values of {x.width} bits and thresholds to {reach} at width {width}", width=x.width)


class AtLeast(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """[x >= threshold] as numbers 0 or 1; the threshold is an integer in units of 2^-f, width that of the
    difference.
    """

    threshold: int
    width: int = FULL_WIDTH

    def infer(self, x: ValueType) -> ValueType:
        _compared(x, (self.threshold,), self.width, "comparison")
        return ValueType(shape=x.shape, width=2)


class CountAtLeast(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """For every threshold the number of elements x >= threshold, shape (thresholds,): one opening for all of them."""

    thresholds: tuple[int, ...]
    width: int = FULL_WIDTH

    def infer(self, x: ValueType) -> ValueType:
        _compared(x, self.thresholds, self.width, "counting")
        return ValueType(shape=(len(self.thresholds),), width=log2_ceil(x.count + 1) + 1)


Thresholds = AtLeast | CountAtLeast


class Select(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """y where x >= 0, else 0; `width` is that of x."""

    width: int = FULL_WIDTH

    def infer(self, x: ValueType, y: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE or y.kind is not Kind.SHARE:
            raise ProgramError("selection takes additive shares")
        if x.shape != y.shape:
            raise ShapeError(f"selection takes values of one shape, not {x.shape} and {y.shape}")
        if x.width > self.width or not 2 <= self.width <= FULL_WIDTH:
            raise BoundError(f"selection: values of {x.width} bits at width {self.width}", width=x.width)
        return y


class Maximum(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The maximum along the last axis, which goes; a tree of max(a, b) = b + ReLU(a - b). width: that of a
    difference.
    """

    width: int = FULL_WIDTH

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE or not x.shape or x.shape[-1] < 1:
            raise ProgramError("a maximum takes additive shares with a last axis")
        if x.width + 1 > self.width or not 2 <= self.width <= FULL_WIDTH:
            raise BoundError(f"maximum: values of {x.width} bits at width {self.width}", width=x.width)
        return msgspec.structs.replace(x, shape=x.shape[:-1] or (1,))


class ArgMax(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The index of the maximum along the last axis, the first of equals; nothing else is opened."""

    width: int = FULL_WIDTH

    def infer(self, x: ValueType) -> ValueType:
        Maximum(self.width).infer(x)
        return ValueType(shape=x.shape[:-1] or (1,), width=log2_ceil(x.shape[-1]) + 2)


class CheckFlag(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x, once the flag (one number, 0 or 1) was opened to all parties and found 0; else `BoundExceeded`.

    what: the values whose checked bound was exceeded where it is 1. advice: what to do about it; where it is given,
    `what` is a clause that says what is the case.
    """

    what: str
    advice: str = ""

    @property
    def clause(self) -> str:
        """What is the case where the flag is 1."""
        return self.what if self.advice else f"the checked bound of {self.what} was exceeded"

    def infer(self, x: ValueType, flag: ValueType) -> ValueType:
        if flag.count != 1 or flag.kind is not Kind.SHARE or flag.f or flag.width > 2:
            raise ProgramError("a check takes one flag, 0 or 1: a count would be opened as a count")
        return x
