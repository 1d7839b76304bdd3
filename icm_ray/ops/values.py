"""Types of the values of a program: kind, shape, fractional bits, width, error."""

from __future__ import annotations

import math
from enum import StrEnum

import msgspec

from icm_ray.errors import BoundError, ProgramError

__all__ = ["FULL_WIDTH", "MOST_LIMBS", "Kind", "ValueType", "container", "log2_ceil", "power_of_two"]

FULL_WIDTH = 64
MOST_LIMBS = 136
_MOST_F = 1000  # its power of two is a double; wide numbers are read as fractions


class Kind(StrEnum):
    """How a value is held: additive shares in Z_2^64, XOR shares of bits, or additive shares in a wider ring."""

    SHARE = "share"
    BITS = "bits"
    WIDE = "wide"


class ValueType(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The public facts of one shared value.

    shape: of the array; f: fractional bits; width: w with |x| < 2^(w-1), x the ring element as a signed number;
    error: largest absolute difference to the same computation on plaintext reals, in plain units;
    limbs: 64-bit words of one element, so that a wide value's ring is Z_2^(64 limbs); 1 for all that are not wide.
    """

    kind: Kind = Kind.SHARE
    shape: tuple[int, ...]
    f: int = 0
    width: int = FULL_WIDTH
    error: float = 0.0
    limbs: int = 1

    @property
    def count(self) -> int:
        """Numbers in the array."""
        return math.prod(self.shape)

    @property
    def magnitude(self) -> float:
        """The largest plain magnitude that the width admits; infinite where no double is as large."""
        return power_of_two(self.width - 1 - self.f)

    def checked(self, what: str) -> ValueType:
        """Itself; raises `BoundError` where the width is beyond the ring's, `ProgramError` where it is no type at
        all.
        """
        most_f = FULL_WIDTH * MOST_LIMBS if self.kind is Kind.WIDE else _MOST_F
        if self.width < 1 or abs(self.f) > most_f or not self.error >= 0 or min(self.shape, default=-1) < 0:
            raise ProgramError(
                f"{what}: no value has shape {self.shape}, {self.f} fractional bits, width {self.width} "
                f"and error {self.error}"
            )
        if not (2 <= self.limbs <= MOST_LIMBS if self.kind is Kind.WIDE else self.limbs == 1):
            raise ProgramError(f"{what}: no {self.kind} has elements of {self.limbs} words")
        limit = FULL_WIDTH * self.limbs
        if self.width > limit:
            raise BoundError(
                f"{what}: values of up to {self.width} bits do not fit the ring of {limit}; declare a smaller bound "
                "or use fewer fractional bits",
                width=self.width,
            )
        return self


def log2_ceil(count: int) -> int:
    """The smallest k with count <= 2^k."""
    return max(count - 1, 0).bit_length()


def power_of_two(exponent: int) -> float:
    """2^exponent as a double: infinite or 0 where it is beyond them."""
    return 2.0**exponent if exponent < 1024 else math.inf


def container(width: int) -> int:
    """Bytes of the smallest word that holds `width` bits: 1, 2, 4 or 8."""
    for size in (1, 2, 4):
        if width <= 8 * size:
            return size
    return 8
