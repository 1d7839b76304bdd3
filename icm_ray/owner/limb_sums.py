"""Sums by cell as words of a few bits, the least significant first: what an owner's groups of private keys bring.

A number is pieces of at most 24 bits, which many rows of a cell add up to without a carry; carries come at the end.
Floats are rounded to multiples of 2^-STEP, and are integers in that unit then; of squares the pieces are multiplied.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import BoundError, ProgramError
from icm_ray.query.private_keys import STEP, magnitude_bits, word_widths
from icm_ray.ring.array import RingArray

__all__ = ["LimbSums"]

Pieces = list[NDArray[np.int64]]

_PIECE = 24
_ROWS = 1 << 24  # at once: sums of pieces, and of what two pieces carry over, are doubles below 2^53


class LimbSums:
    """Sums of values, or of their squares, in words of `limb` bits: 1 to 24, or an even number up to 48."""

    def __init__(self, kind: str, floats: bool, name: str, cells: int, limb: int) -> None:
        """kind: "sum" or "squares". name: for errors. Errors: `ProgramError` (another limb)."""
        if not 1 <= limb <= 2 * _PIECE or (limb > _PIECE and limb % 2):
            raise ProgramError(f"{name}: sums in words of {limb} bits", name=name)
        self._squares, self._floats, self._name = kind == "squares", floats, name
        self._limb, self._piece = limb, limb if limb <= _PIECE else limb // 2
        self._bits = magnitude_bits(kind, floats=floats)
        words = len(word_widths(kind, floats=floats, limb=limb))
        self._sums = np.zeros((words * (limb // self._piece), cells), np.int64)

    def add(self, values: NDArray[Any], cells: NDArray[np.int64] | None) -> None:
        """Add values (rows,), int64 or uint64, or float64, to their cells (rows,), or to the only one.

        Errors: `BoundError` (a value too large for the words).
        """
        for start in range(0, values.size, _ROWS):
            rows = slice(start, start + _ROWS)
            self._add(values[rows], None if cells is None else cells[rows])

    def words(self) -> RingArray:
        """The words (words, cells). Errors: `BoundError` (a sum too large for them)."""
        sums, piece = self._sums.copy(), self._piece
        for place in range(len(sums) - 1):
            sums[place + 1] += sums[place] >> piece
            sums[place] &= (1 << piece) - 1
        beyond = sums[-1] >> (self._bits - piece * (len(sums) - 1))
        if ((beyond != 0) & (beyond != -1)).any():
            raise self._too_large()
        if piece < self._limb:
            sums = sums[::2] + (sums[1::2] << piece)
        return sums.view(np.uint64)

    def _too_large(self) -> BoundError:
        return BoundError(
            f"{self._name}: values to group are too large; those to 2^48 fit: scale them down", column=self._name
        )

    def _add(self, values: NDArray[Any], cells: NDArray[np.int64] | None) -> None:
        pieces = self._of_floats(values) if self._floats else self._of_integers(values)
        parts = _squared(pieces, self._piece) if self._squares else pieces
        for place, part in enumerate(parts[: len(self._sums)]):  # what is beyond the words is zero
            if cells is None:
                self._sums[place] += part.sum()
            else:
                self._sums[place] += np.bincount(cells, part, self._sums.shape[1]).astype(np.int64)

    def _of_integers(self, values: NDArray[Any]) -> Pieces:
        """Of 64-bit integers; of their magnitudes where they are squared."""
        if self._squares and values.dtype == np.int64:
            values = np.where(values < 0, -values.view(np.uint64), values.view(np.uint64))
        whole, piece = values.dtype.type, self._piece
        count = -(-64 // piece)
        low = whole((1 << piece) - 1)
        parts = [(values >> whole(piece * place)) & low for place in range(count - 1)]
        return [part.astype(np.int64) for part in (*parts, values >> whole(piece * (count - 1)))]

    def _of_floats(self, values: NDArray[Any]) -> Pieces:
        """Of multiples of 2^-STEP: each piece has the value's sign, all steps are exact."""
        most = (self._bits // 2 if self._squares else self._bits) - STEP
        if values.size and max(values.max(), -values.min()) >= 2.0**most:
            raise self._too_large()
        rest, piece = np.rint(np.ldexp(values, STEP)), self._piece
        if self._squares:
            rest = np.abs(rest)
        parts: Pieces = []
        for place in reversed(range(-(-(most + STEP) // piece))):
            part = np.trunc(np.ldexp(rest, -piece * place))
            rest -= np.ldexp(part, piece * place)
            parts.append(part.astype(np.int64))
        return parts[::-1]


def _squared(pieces: Pieces, piece: int) -> Pieces:
    """Of the square of what the pieces are of, none negative: sums of products, what is beyond a piece carried once."""
    size = len(pieces)
    products = [np.zeros_like(pieces[0]) for _ in range(2 * size)]
    for place in range(2 * size - 1):
        total = sum(
            pieces[one] * pieces[place - one] for one in range(max(0, place - size + 1), min(place, size - 1) + 1)
        )
        products[place] += total & ((1 << piece) - 1)
        products[place + 1] += total >> piece
    return products
