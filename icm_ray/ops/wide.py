"""Operations in wide rings Z_2^(64 L): products of a few exact aggregates, and the ways into them."""

from __future__ import annotations

import msgspec

from icm_ray.errors import BoundError, ProgramError, ShapeError
from icm_ray.ops.values import Kind, ValueType
from icm_ray.ring.wide import LIMBS_OF_INTEGERS

__all__ = ["SquareParts", "WideProduct", "Widen"]

_ROOM = 63


class WideProduct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """x * y, elementwise, in their ring; fractional bits add up, nothing is truncated."""

    def infer(self, x: ValueType, y: ValueType) -> ValueType:
        if x.kind is not Kind.WIDE or y.kind is not Kind.WIDE:
            raise ProgramError("a wide product takes wide shares")
        if x.shape != y.shape:
            raise ShapeError(f"a wide product takes values of one shape, not {x.shape} and {y.shape}")
        if x.limbs != y.limbs:
            raise ProgramError(f"a wide product takes values of one ring, not of {x.limbs} and {y.limbs} limbs")
        error = 0.0
        if x.error or y.error:
            error = x.magnitude * y.error + y.magnitude * x.error + x.error * y.error
        out = msgspec.structs.replace(x, f=x.f + y.f, width=x.width + y.width - 1, error=error)
        return out.checked("wide product")


class Widen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The same numbers as shares in Z_2^(64 limbs); |x| < 2^62."""

    limbs: int = LIMBS_OF_INTEGERS

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE:
            raise ProgramError(f"widening takes additive shares, not {x.kind}")
        if x.width > _ROOM:
            raise BoundError(
                f"widening: values of {x.width} bits, but {_ROOM} fit; declare a smaller bound", width=x.width
            )
        return msgspec.structs.replace(x, kind=Kind.WIDE, limbs=self.limbs).checked("widening")


class SquareParts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """Sums of hi^2, hi lo and lo^2 over all elements, shape (3,), for a split x = hi 2^shift + lo with |lo| < 2^shift.

    Their combination 2^(2 shift) hi^2 + 2^(shift + 1) hi lo + lo^2, taken in the wide ring, is the sum of x^2 where
    that does not fit 64 bits. The split itself is rounded by a public coin; the combination does not depend on it.
    The parts are plain integers (f = 0); the sum of x^2 has 2 f fractional bits.
    """

    shift: int

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE:
            raise ProgramError("a sum of squares takes additive shares")
        if not 0 < self.shift < _ROOM - 1:
            raise ProgramError(f"sum of squares: a split at bit {self.shift}")
        if x.width > _ROOM:
            raise BoundError(
                f"sum of squares: values of {x.width} bits, but {_ROOM} fit; declare a smaller bound", width=x.width
            )
        high, low = 2 ** max(x.width - 1 - self.shift, 0) + 1, 2**self.shift - 1
        width = (x.count * max(high, low) ** 2).bit_length() + 1
        if width > _ROOM:
            raise BoundError(
                f"sum of squares: {x.count} values of {x.width} bits need {width} bits, but {_ROOM} fit; "
                "declare a smaller bound",
                width=width,
            )
        return ValueType(shape=(3,), width=width)
