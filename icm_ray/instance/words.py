"""Six words that two people read to each other, to know that each pinned the other's own certificate.

A word stands for 16 bits as a proquint does: consonant, vowel, consonant, vowel, consonant (Wilkerson, "A Proposal for
Proquints", arXiv 0901.4016). Six are 96 bits of a hash of both certificates, which nobody can meet by trying.
"""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = ["six_words"]

_CONSONANTS: Final = "bdfghjklmnprstvz"
_VOWELS: Final = "aiou"
_WORDS: Final = 6


def six_words(one: bytes, other: bytes) -> str:
    """The words of two certificates (DER), in either order."""
    both = b"".join(hashlib.sha256(certificate).digest() for certificate in sorted((one, other)))
    digest = hashlib.sha256(b"icm-ray/words/1\0" + both).digest()
    return " ".join(_word(int.from_bytes(digest[2 * n : 2 * n + 2], "big")) for n in range(_WORDS))


def _word(number: int) -> str:
    letters = [_CONSONANTS[number & 15]]
    number >>= 4
    for _ in range(2):
        letters += [_VOWELS[number & 3], _CONSONANTS[number >> 2 & 15]]
        number >>= 6
    return "".join(reversed(letters))
