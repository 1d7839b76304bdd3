"""Small domains: values 0 .. 2^bits - 1, as categories and group keys are."""

from __future__ import annotations

import msgspec

from icm_ray.errors import BoundError, ProgramError, ShapeError
from icm_ray.ops.values import Kind, ValueType, log2_ceil

__all__ = ["MAX_DOMAIN_BITS", "GroupCount", "GroupSum"]

MAX_DOMAIN_BITS = 8


def _check(key: ValueType, bits: int) -> None:
    if not 1 <= bits <= MAX_DOMAIN_BITS:
        raise BoundError(f"a small domain has 1 to {MAX_DOMAIN_BITS} bits, not {bits}")
    if key.kind is not Kind.SHARE or key.f:
        raise ProgramError("group keys are shared integers")


class GroupCount(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """How many keys have each of the 2^bits values; keys outside the domain count modulo 2^bits: owners check them."""

    bits: int

    def infer(self, key: ValueType) -> ValueType:
        _check(key, self.bits)
        return ValueType(shape=(1 << self.bits,), width=log2_ceil(key.count + 1) + 1)


class GroupSum(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The sum of the values of each key's group, shape (2^bits,).

    counts: the groups' counts, too, from the same opening: shape (2, 2^bits), sums first, both with the values'
    fractional bits.
    """

    bits: int
    counts: bool = False

    def infer(self, key: ValueType, value: ValueType) -> ValueType:
        _check(key, self.bits)
        if value.kind is not Kind.SHARE or key.shape != value.shape:
            raise ShapeError(f"keys of shape {key.shape} and values of shape {value.shape}")
        if self.counts and value.f < 0:
            raise ProgramError(f"counts have no place in sums of {value.f} fractional bits")
        width = value.width + log2_ceil(value.count)
        shape: tuple[int, ...] = (1 << self.bits,)
        if self.counts:
            shape, width = (2, *shape), max(width, value.f + log2_ceil(value.count + 1) + 1)
        out = ValueType(shape=shape, f=value.f, width=width, error=value.error * value.count)
        return out.checked("group sum")
