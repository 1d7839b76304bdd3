"""How much of a sum single rows are: what owners bring of each cell, so that shares of any scale can be compared.

With S the sum of magnitudes of an owner's values in a cell, a and b its two largest, q = ceil(bits of S / STEP) and
u = 2^(STEP q - UNITS), of integers in units of 1 and of doubles in units of 2^-1074, its words are
    q,  S / u, a / u, (a + b) / u,  and the same of 2^STEP u
S is rounded down, the others are rounded up: what is found of them errs on the side of withholding.
"""

from __future__ import annotations

from typing import Final

__all__ = ["SCALE_WIDTH", "STEP", "UNITS", "WORDS", "WORD_WIDTH", "contribution_words"]

STEP: Final = 24
UNITS: Final = 45
WORDS: Final = 7
SCALE_WIDTH: Final = 8
"""Of q: a sum of doubles has 2200 bits at the most."""
WORD_WIDTH: Final = UNITS + 2


def contribution_words(total: int, largest: int, second: int) -> list[int]:
    """The words of one cell, from whole numbers."""
    q = -(-total.bit_length() // STEP)
    words = [q]
    for shift in (STEP * q - UNITS, STEP * q - UNITS + STEP):
        words += [_scaled(total, shift), -_scaled(-largest, shift), -_scaled(-largest - second, shift)]
    return words


def _scaled(number: int, shift: int) -> int:
    """number / 2^shift, rounded down."""
    return number >> shift if shift >= 0 else number << -shift
