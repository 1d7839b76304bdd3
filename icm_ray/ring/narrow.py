"""Words of any number of bytes, 1 to 8, as they are dealt and opened: nothing that travels has a byte too many.

Where memory has no such word it is cut into pieces, of 4, 2 and 1 bytes, the lowest first; n words are n lowest pieces,
then n of the next ones. In memory they are words of 4 or 8 bytes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring.kernel import kernel

__all__ = ["add_narrow", "bytes_of", "narrowed", "widened", "word_of"]

Words = NDArray[np.unsignedinteger]

_PIECES: Final = {1: (1,), 2: (2,), 3: (2, 1), 4: (4,), 5: (4, 1), 6: (4, 2), 7: (4, 2, 1), 8: (8,)}
_WORDS: Final[dict[int, type[np.unsignedinteger]]] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def bytes_of(width: int) -> int:
    """Bytes that `width` bits take, 1 to 8."""
    return max(-(-width // 8), 1)


def _pieces(raw: NDArray[np.uint8], size: int) -> list[tuple[int, Words]]:
    """Each with the bits below it."""
    count, found, below = raw.size // size, [], 0
    for piece in _PIECES[size]:
        found.append((8 * below, raw[count * below : count * (below + piece)].view(_WORDS[piece])))
        below += piece
    return found


def word_of(size: int) -> type[np.unsignedinteger]:
    """The smallest word of memory that has `size` bytes."""
    return next(_WORDS[least] for least in (1, 2, 4, 8) if least >= size)


def widened(raw: NDArray[np.uint8], size: int, word: type[np.unsignedinteger]) -> Words:
    """Words in memory of words of `size` bytes; the very bytes where they are such words."""
    (_, lowest), *others = _pieces(raw, size)
    if not others:
        return lowest.astype(word, copy=False)
    words = np.empty(lowest.size, word)
    (shift, above), *rest = others
    join(lowest, above, shift, words)
    for shift, piece in rest:
        add_piece(piece, shift, words)
    return words


def add_narrow(words: Words, raw: NDArray[np.uint8], size: int) -> None:
    """words += the words of `size` bytes, in their place."""
    for shift, piece in _pieces(raw, size):
        add_piece(piece, shift, words)


def narrowed(words: Words, size: int) -> Words:
    """The low `size` bytes of each word: a fresh array of bytes, or the very words where they have no more."""
    if words.itemsize == size:
        return words
    raw = np.empty(words.size * size, np.uint8)
    for shift, piece in _pieces(raw, size):
        cut(words, shift, piece)
    return raw


@kernel
def join(low, high, shift, words):  # type: ignore[no-untyped-def]
    """words = low + 2^shift high."""
    for e in range(words.size):
        words[e] = np.uint64(low[e]) | (np.uint64(high[e]) << np.uint64(shift))


@kernel
def add_piece(piece, shift, words):  # type: ignore[no-untyped-def]
    """words += 2^shift piece."""
    for e in range(words.size):
        words[e] += np.uint64(piece[e]) << np.uint64(shift)


@kernel
def cut(words, shift, piece):  # type: ignore[no-untyped-def]
    """piece = the bits of each word from `shift` on, as many as it has."""
    for e in range(piece.size):
        piece[e] = words[e] >> np.uint64(shift)
