"""Private keys that rows are grouped by, and the words in which an owner's groups become shares.

A key is words, compared one after the other, the first the most significant: an integer below 2^41 in magnitude is
itself, any other int64 its upper and its lower half, text its UTF-8 bytes, five to a word, zeros behind. A key beyond
all others pads (`sentinel`).

Aggregates are words of `LIMB` bits and a sign, so that sums of them stay far from 64 bits; the number they make is put
together in a wide ring, exactly, before anything is opened. Sums of floats are of values rounded to multiples of
2^-`STEP`, of which their sums are multiples, and sums of squares of 2^-(2 STEP).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from icm_ray.errors import InputError, ProgramError
from icm_ray.payload import Natural
from icm_ray.query.contributions import SCALE_WIDTH, WORD_WIDTH, WORDS
from icm_ray.query.tasks import MOST_GROUPS, MOST_TEXT, PrivateKey
from icm_ray.ring.wide import LIMBS_OF_INTEGERS

__all__ = [
    "CHECK",
    "LIMB",
    "MOST_INTEGER",
    "PAIR",
    "SMALL",
    "STEP",
    "TEXT_BYTES",
    "PrivateKeys",
    "key_place",
    "key_radix",
    "key_widths",
    "magnitude_bits",
    "read_key",
    "ring_limbs",
    "sentinel",
    "values_of_word",
    "word_of_no_key",
    "word_widths",
]

CHECK: Final = 40
"""Bits of a second hash of a key, beside one by which rows are sorted."""
LIMB: Final = 48
STEP: Final = 64
MOST_INTEGER: Final = 63
"""log2 of the largest magnitude of integers: all of int64."""
SMALL: Final = 40
"""log2 of the largest magnitude of integers that are one word."""
PAIR: Final = 32
"""Bits of the lower half of others."""
TEXT_BYTES: Final = 5
"""Of a word of text: with the tags of a sort of 2^20 rows they fit 64 bits."""
_ROWS = 32  # log2 of the rows of a table, at the most
_FLOATS = 48  # log2 of the largest float


class PrivateKeys(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What rows are grouped by, and the most groups that an owner brings from one lane. Their number is bounded, not
    opened before it is asked for.
    """

    keys: tuple[PrivateKey, ...]
    most: Natural

    def __post_init__(self) -> None:
        if not 1 <= len(self.keys) <= 8:
            raise InputError(f"rows are grouped by 1 to 8 private keys, not by {len(self.keys)}")
        if not 1 <= self.most <= MOST_GROUPS:
            raise InputError(f"max_groups={self.most}: 1 to {MOST_GROUPS} groups of private keys can be asked for")
        for key in self.keys:
            if key.kind == "string" and not 1 <= key.size <= MOST_TEXT:
                raise InputError(f"max_bytes={key.size}: text that is a private key has 1 to {MOST_TEXT} bytes at most")
            if key.kind != "string" and not 0 <= key.size <= MOST_INTEGER:
                raise InputError(
                    f"integers that are private keys have magnitudes to 2^{MOST_INTEGER}, not 2^{key.size}"
                )


def key_widths(key: PrivateKey) -> tuple[int, ...]:
    """The width of each word of a key; the first has room for `sentinel`."""
    if key.kind == "string":
        return (8 * TEXT_BYTES + 2,) + (8 * TEXT_BYTES + 1,) * (max(key.size - 1, 0) // TEXT_BYTES)
    if key.size <= SMALL:
        return (key.size + 2,)
    return (PAIR + 1, PAIR + 1)


def sentinel(key: PrivateKey) -> int:
    """The first word of a key beyond all keys."""
    if key.kind == "string":
        return 1 << 8 * TEXT_BYTES
    return (1 << key.size) + 1 if key.size <= SMALL else 1 << (PAIR - 1)


def read_key(key: PrivateKey, words: Sequence[int]) -> int | bool | str:
    """The key whose words were opened."""
    if key.kind == "string":
        try:
            raw = b"".join(word.to_bytes(TEXT_BYTES, "big") for word in words)
            return raw.rstrip(b"\0").decode()
        except (OverflowError, UnicodeDecodeError):
            raise ProgramError("words that were opened as a key are no text") from None
    if key.kind == "bool":
        return bool(words[0])
    return words[0] if len(words) == 1 else (words[0] << PAIR) + words[1]


def key_radix(key: PrivateKey) -> int:
    """Of shared rows: how many places the values of a key have, from 0 on."""
    if key.kind == "bool":
        return 2
    return 1 << key.size if key.kind == "string" else (2 << key.size) + 1


def key_place(key: PrivateKey, value: int) -> int:
    """The place of a value: of an integer, a boolean, or the number of a text."""
    return value + (1 << key.size) if key.kind == "int" else value


def word_of_no_key(keys: Sequence[PrivateKey]) -> int:
    """One more than the largest word of keys: their places as the digits of a number, the last one's the lowest."""
    return math.prod(map(key_radix, keys))


def values_of_word(keys: Sequence[PrivateKey], word: int) -> tuple[int, ...]:
    """The value of each key, from the word of all."""
    found = []
    for key in reversed(keys):
        word, place = divmod(word, key_radix(key))
        found.append(place - key_place(key, 0))
    return tuple(reversed(found))


def magnitude_bits(kind: str, *, floats: bool) -> int:
    """log2 of the largest sum, or sum of squares, in units of its last place."""
    power = 2 if kind == "squares" else 1
    return power * (_FLOATS + STEP if floats else 64) + _ROWS - 1


def word_widths(kind: str, *, floats: bool, limb: int = LIMB) -> tuple[int, ...]:
    """The widths of the words of an aggregate of this kind, the least significant first.

    Errors: `InputError` (a kind that is not made of groups of private keys).
    """
    if kind == "count":
        return (_ROWS + 1,)
    if kind in {"min", "max"}:
        return (34, 34)
    if kind == "contributions":
        return (SCALE_WIDTH, *(WORD_WIDTH,) * (WORDS - 1))
    if kind not in {"sum", "squares"}:
        raise InputError(f"{kind} is not offered of groups of private keys: state the groups: domain={{...}}")
    return (limb + 1,) * -(-(magnitude_bits(kind, floats=floats) + 1) // limb)


def ring_limbs(*, floats: bool) -> int:
    """64-bit words of the wide ring in which sums and sums of squares are put together."""
    return 6 if floats else LIMBS_OF_INTEGERS
