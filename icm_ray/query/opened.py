"""What a result is read from: numbers that were opened, and numbers that are public anyway."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.values import Kind, ValueType
from icm_ray.ring.wide import to_signed

__all__ = ["Exact", "Known", "Number", "Opened"]


@dataclass(frozen=True, slots=True)
class Opened:
    """A value that was opened, and its type."""

    words: NDArray[np.uint64]
    type: ValueType

    @property
    def integers(self) -> list[int]:
        """Its numbers in units of 2^-f, flat."""
        if self.type.kind is Kind.WIDE:
            return to_signed(self.words)
        return self.words.reshape(-1).view(np.int64).tolist()

    @property
    def number(self) -> Fraction:
        """The only number of a value (1,), exactly."""
        return Fraction(self.integers[0], 1 << self.type.f)

    def split(self, cells: int) -> list[Exact]:
        """What is of each group: the groups are the last axis."""
        integers = self.integers
        return [Exact(integers[cell::cells], self.type.f) for cell in range(cells)]

    @property
    def whole(self) -> NDArray[np.int64] | None:
        """Its numbers in units of 2^-f, flat; None where they do not all fit 64 bits."""
        if self.type.kind is not Kind.WIDE:
            return self.words.reshape(-1).view(np.int64)
        limbs = self.words.reshape(-1, self.type.limbs)
        low = np.ascontiguousarray(limbs[:, 0]).view(np.int64)
        return low if (limbs[:, 1:].view(np.int64) == (low >> 63)[:, None]).all() else None


@dataclass(frozen=True, slots=True)
class Exact:
    """Numbers that were opened, in units of 2^-f."""

    integers: list[int]
    f: int = 0

    @property
    def number(self) -> Fraction:
        """The only one, exactly."""
        return Fraction(self.integers[0], 1 << self.f)


@dataclass(frozen=True, slots=True)
class Known:
    """A whole number that is public: it stands where a shared value could, and nothing is opened for it."""

    value: int

    @property
    def integers(self) -> list[int]:
        """As of `Opened`."""
        return [self.value]

    @property
    def number(self) -> Fraction:
        """As of `Opened`."""
        return Fraction(self.value)

    def split(self, cells: int) -> list[Known]:
        """As of `Opened`."""
        return [self] * cells


Number = Opened | Exact | Known
