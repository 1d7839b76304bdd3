"""The order keys of a column's values, read digit by digit from the top: what a search for a rank goes through.

A value's key (`ring.fixed`: an integer itself, a double's place in IEEE's order), moved by a constant of its kind, is a
place in [0, 2^bits) such that neither end is the place of a value. A step of a search knows the digits before, and
tells the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec

from icm_ray.errors import ColumnError

__all__ = ["MOST_BITS", "KeyDigits", "KeySpace", "key_space"]

MOST_BITS: Final = 13
"""Of a digit: 64 bits are five of them."""
_FEWEST_BITS = 3
_COMPARED = 17
"""log2 of the comparisons of a step, about: more places have smaller digits."""


class KeySpace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """bits: of a place. offset: what is added to a key."""

    bits: int
    offset: int

    def digits(self, places: int) -> tuple[int, ...]:
        """The bits of each digit, where so many ranks are searched for together."""
        size = min(max(_COMPARED - (places - 1).bit_length(), _FEWEST_BITS), MOST_BITS, self.bits)
        whole, rest = divmod(self.bits, size)
        return (size,) * whole + ((rest,) if rest else ())


_SPACES: Final[Mapping[str, KeySpace]] = {
    "bool": KeySpace(2, 1),
    "int": KeySpace(65, 3 << 62),
    "float": KeySpace(64, 1 << 63),
}


def key_space(kind: str, name: str) -> KeySpace:
    """Of a kind of column. Errors: `ColumnError` for one whose values are not ordered here; name: of the column."""
    if kind not in _SPACES:
        raise ColumnError(f"column {name!r} holds {kind}, and no numbers", column=name)
    return _SPACES[kind]


class KeyDigits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Counts of places below each value of the next digit, for those that begin with given digits.

    space: of the keys. known: bits of the digits before. size: bits of the next one. prefixes: (rows, cells), what the
    digits before amount to, for each group of rows.
    """

    space: KeySpace
    known: Annotated[int, msgspec.Meta(ge=0)]
    size: Annotated[int, msgspec.Meta(ge=1, le=MOST_BITS)]
    prefixes: tuple[tuple[int, ...], ...]

    @property
    def left(self) -> int:
        """Bits behind the next digit."""
        return self.space.bits - self.known - self.size

    @property
    def thresholds(self) -> int:
        """For so many values of the next digit, from 1 on, the places below are counted."""
        return (1 << self.size) - 1

    def low(self, row: int, cell: int) -> int:
        """The least key that begins with the digits before."""
        return (self.prefixes[row][cell] << (self.size + self.left)) - self.space.offset
