"""Operations in the wide ring Z_2^256: products of the few numbers that owners aggregate themselves."""

from __future__ import annotations

import msgspec

from icm_ray.errors import ProgramError, ShapeError
from icm_ray.ops.values import Kind, ValueType

__all__ = ["WideProduct"]


class WideProduct(msgspec.Struct, frozen=True, tag_field="op", tag=True):
    """x * y, elementwise, in Z_2^256; fractional bits add up, nothing is truncated."""

    def infer(self, x: ValueType, y: ValueType) -> ValueType:
        if x.kind is not Kind.WIDE or y.kind is not Kind.WIDE:
            raise ProgramError("a wide product takes wide shares")
        if x.shape != y.shape:
            raise ShapeError(f"a wide product takes values of one shape, not {x.shape} and {y.shape}")
        error = x.magnitude * y.error + y.magnitude * x.error
        out = ValueType(kind=Kind.WIDE, shape=x.shape, f=x.f + y.f, width=x.width + y.width - 1, error=error)
        return out.checked("wide product")
