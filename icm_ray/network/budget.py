"""What a program of a network may take: a few numbers that somebody sent must not cost a member its memory."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from icm_ray.errors import ProgramError
from icm_ray.program.build import Builder, Value
from icm_ray.program.program import Operation

__all__ = ["MOST_CELLS", "MOST_NUMBERS", "MOST_TOGETHER", "NetworkBuilder", "numbers_of"]

MOST_CELLS: Final = 1 << 31
"""Cells of one value: 16 GiB of a party. Of ResNet-50 the largest, for 32 images at a time, has 2^26."""
MOST_TOGETHER: Final = 1 << 35
"""Cells of all values of a program; those of ResNet-50 for 32 images are 2^29."""
MOST_NUMBERS: Final = 1 << 25
"""Public numbers in a program's operations: each takes a byte at least, and an order has no more."""


class NetworkBuilder(Builder):
    """A builder that refuses more; whatever is written with it counts, functions and outputs too."""

    def __init__(self, parties: tuple[str, ...], owners: tuple[str, ...] = ()) -> None:
        super().__init__(parties, owners)
        self._cells, self._numbers = 0, 0

    def add(self, op: Operation, *inputs: Value) -> Value:
        """As a builder's. Errors: `ProgramError` beyond the cells and numbers that a program may have."""
        self._numbers += numbers_of(op)
        if self._numbers > MOST_NUMBERS:
            raise ProgramError(f"the network needs more than {MOST_NUMBERS} public numbers in one program")
        value = super().add(op, *inputs)
        self._cells += value.type.count
        if value.type.count > MOST_CELLS or self._cells > MOST_TOGETHER:
            raise ProgramError(
                f"the network needs a value of {value.type.count} cells, or {self._cells} in one program; at most "
                f"{MOST_CELLS} and {MOST_TOGETHER} are computed: take fewer images at once (batch_size=)"
            )
        return value


def numbers_of(part: Any) -> int:
    """How many numbers are in the tuples of an operation, or of a part of one."""
    if isinstance(part, msgspec.Struct):
        return sum(map(numbers_of, msgspec.structs.astuple(part)))
    if not isinstance(part, tuple):
        return 0
    return sum(map(numbers_of, part)) if part and isinstance(part[0], tuple | msgspec.Struct) else len(part)
