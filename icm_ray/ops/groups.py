"""Small domains: values 0 .. 2^bits - 1, as categories and group keys are."""

from __future__ import annotations

import msgspec

from icm_ray.errors import BoundError, ProgramError, ShapeError
from icm_ray.ops.values import Kind, ValueType, log2_ceil

__all__ = ["MAX_DOMAIN_BITS", "GroupCount", "GroupSum", "GroupTable"]

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


class GroupTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """The sums of several columns in each key's group from the same openings, shape (columns, size), then, where
    `counts` says so, the groups' counts as a last row; all are plain integers (f = 0).

    Keys are read modulo 2^bits, the next power of two from `size` on; rows of keys from `size` on are in no group.
    """

    size: int
    counts: bool = False

    @property
    def bits(self) -> int:
        """Of the keys."""
        return (self.size - 1).bit_length()

    def low_bits(self, columns: int) -> int:
        """How many bits the lower of a key's two digits has, so that least is dealt and opened; columns: of values."""
        return min(range(1, self.bits + 1), key=lambda low: self._words(low, columns))

    def high_digits(self, low: int) -> int:
        """How many of the upper digits are in use, beside a lower one of so many bits."""
        return -(-self.size // (1 << low))

    def _words(self, low: int, columns: int) -> int:
        """Of a row, of two parties, as icm_ray.protocols.group_tables has them."""
        dealt = (1 << low) + (columns + 1 << self.bits - low)
        opened = columns + (1 << low) + (columns + self.counts) * self.high_digits(low)
        return dealt + 2 * opened

    def infer(self, *inputs: ValueType) -> ValueType:
        key, values = inputs[0], inputs[1:]
        if self.size < 2:
            raise BoundError(f"a table has 2 groups or more, not {self.size}")
        _check(key, self.bits)
        if any(value.kind is not Kind.SHARE or value.f for value in values):
            raise ProgramError("a table of groups has sums of shared integers")
        if any(value.shape != key.shape for value in values):
            raise ShapeError(f"keys of shape {key.shape} and values of shape {[value.shape for value in values]}")
        if not values and not self.counts:
            raise ProgramError("a table of groups has sums, or counts")
        rows = key.count
        widths = [value.width + log2_ceil(rows) for value in values]
        widths += [log2_ceil(rows + 1) + 1] if self.counts else []
        error = max((value.error * rows for value in values), default=0.0)
        shape = (len(values) + self.counts, self.size)
        return ValueType(shape=shape, width=max(widths), error=error).checked("group sums")
