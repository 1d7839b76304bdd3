"""Exact sums by cell of integers and doubles, whatever their scale, in limbs of `ring.wide`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring import exact_powers
from icm_ray.ring import exact_sums as kernels
from icm_ray.ring.array import RingArray
from icm_ray.ring.wide import limbs_of

__all__ = ["ExactProducts", "ExactSums"]

_KERNELS = {
    (False, 1): (kernels.add_integers, kernels.add_integers_at),
    (False, 2): (kernels.add_squares, kernels.add_squares_at),
    (True, 1): (kernels.add_doubles, kernels.add_doubles_at),
    (True, 2): (kernels.add_double_squares, kernels.add_double_squares_at),
}
_LIMBS_OF_A_SUM = 34  # 2^63 doubles below 2^1024, in units of 2^-1074: 2161 bits


class _Digits:
    """Digits by cell, into which terms are added up."""

    def __init__(self, held: int, limbs: int, cells: int, most_terms: int) -> None:
        self.digits = np.zeros((cells, 2 * held), np.int64)
        self._held, self._limbs = held, limbs
        self._most_terms, self._terms = most_terms, 0

    def pieces(self, rows: int) -> Iterator[slice]:
        """Rows to be added one after the other, carries between them."""
        start = 0
        while start < rows:
            if self._terms == self._most_terms:
                self._carry()
            stop = min(rows, start + self._most_terms - self._terms)
            yield slice(start, stop)
            self._terms += stop - start
            start = stop

    def words(self) -> RingArray:
        """The sums, two's complement limbs (cells, limbs)."""
        self._carry()
        digits, held = self.digits.view(np.uint64), self._held
        limbs = np.empty((len(digits), self._limbs), np.uint64)
        np.bitwise_or(digits[:, ::2], digits[:, 1::2] << np.uint64(32), out=limbs[:, :held])
        limbs[:, held:] = -(limbs[:, held - 1 : held] >> np.uint64(63))  # the sign
        return limbs

    def _carry(self) -> None:
        kernels.carry(self.digits)
        self._terms = 0


class ExactSums:
    """Sums of x^power by cell, power 1 to 4: integers, in units of 2^-(GRID power) where x are doubles. degree: of what
    they become a part of, no less than the power: limbs enough for that.

    Memory: of integers 64 bytes a cell and up to 112 of fourth powers; of doubles 544, 1072, 1616 and 2160.
    """

    def __init__(
        self, power: int, floats: bool, cells: int, most_terms: int = kernels.MOST_TERMS, degree: int = 2
    ) -> None:
        self._floats, self._power = floats, power
        held = _LIMBS_OF_A_SUM if floats and power == 1 else limbs_of(floats, max(power, 2))
        self._sums = _Digits(held, limbs_of(floats, max(power, degree)), cells, most_terms)

    def add(self, values: NDArray[Any], cells: NDArray[np.int64] | None) -> None:
        """Add values (rows,), int64 or uint64, or float64, to their cells (rows,), or to the only one."""
        words = values.view(np.uint64) if self._floats else values
        for rows in self._sums.pieces(words.size):
            self._add(words[rows], None if cells is None else cells[rows])

    def _add(self, words: NDArray[Any], cells: NDArray[np.int64] | None) -> None:
        digits = self._sums.digits
        if self._power > 2:
            add_powers = exact_powers.add_double_powers_at if self._floats else exact_powers.add_powers_at
            add_powers(words, _places(cells, words.size), self._power, digits)
            return
        add, add_at = _KERNELS[self._floats, self._power]
        if cells is None:
            add(words, digits)
        else:
            add_at(words, cells, digits)

    def words(self) -> RingArray:
        """The sums, two's complement limbs (cells, limbs)."""
        return self._sums.words()


class ExactProducts:
    """Sums of x y by cell: integers, in units of 2^-(2 GRID) where x and y are doubles."""

    def __init__(self, floats: bool, cells: int, most_terms: int = kernels.MOST_TERMS) -> None:
        self._floats = floats
        self._sums = _Digits(limbs_of(floats), limbs_of(floats), cells, most_terms)

    def add(self, values: NDArray[Any], others: NDArray[Any], cells: NDArray[np.int64] | None) -> None:
        """Add products of values (rows,), int64 or uint64 each, or float64, to their cells (rows,), or to the only
        one.
        """
        if self._floats:
            values, others = values.view(np.uint64), others.view(np.uint64)
        add = exact_powers.add_double_products_at if self._floats else exact_powers.add_products_at
        places = _places(cells, values.size)
        for rows in self._sums.pieces(values.size):
            add(values[rows], others[rows], places[rows], self._sums.digits)

    def words(self) -> RingArray:
        """The sums, two's complement limbs (cells, limbs)."""
        return self._sums.words()


def _places(cells: NDArray[np.int64] | None, rows: int) -> NDArray[np.int64]:
    """The cells of some rows, of the only one for None; they cannot be written, as folds hand them on."""
    if cells is not None:
        return cells
    places = np.zeros(rows, np.int64)
    places.flags.writeable = False
    return places
