"""What a result is read from: numbers that were opened, and numbers that are public anyway."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import msgspec
import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.values import Kind, ValueType
from icm_ray.ring.wide import to_signed

__all__ = ["Known", "Number", "Opened"]


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

    def at(self, cell: int) -> Opened:
        """What is of one group: the groups are the last axis."""
        shape = self.type.shape
        words = self.words.reshape((*shape, -1) if self.type.kind is Kind.WIDE else shape)
        return Opened(
            words.take([cell], axis=len(shape) - 1), msgspec.structs.replace(self.type, shape=(*shape[:-1], 1))
        )


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

    def at(self, cell: int) -> Known:
        """As of `Opened`."""
        return self


Number = Opened | Known
