"""Functions of one variable as piecewise polynomials on equal cells: what sigmoid, exp, GELU and their like are made
of.
"""

from __future__ import annotations

import msgspec

from icm_ray.errors import BoundError, ProgramError
from icm_ray.ops.values import FULL_WIDTH, Kind, ValueType

__all__ = ["MAX_CELL_BITS", "Piecewise"]

MAX_CELL_BITS = 8


class Piecewise(msgspec.Struct, frozen=True, tag_field="op", tag=True):
    """p_i(lo) of the cell i that x lies in, cells 2^shift wide, 2^cell_bits of them, centred on zero.

    coefficients: for the cells i = -M/2 .. M/2 - 1, those of lo^0, lo^1, ..., as integers; lo = (x - i 2^shift) /
    2^drop, rounded down, where i is the cell of x or, by a public coin, the next one: so |lo| < 2^(shift-drop), and
    the top cell is left to the coin: |x| <= (M/2 - 1) 2^shift is the caller's to ensure. The sums have f + excess
    fractional bits and are taken in words of 32 or 64 bits (|sum| < 2^(word-2)); the result has f. result_width: its
    declared width; error: of the whole, in plain units, as its maker has checked it over the domain; slope: a bound
    on the derivative.
    """

    shift: int
    drop: int
    cell_bits: int
    coefficients: tuple[tuple[int, ...], ...]
    f: int
    excess: int
    word: int
    result_width: int
    error: float
    slope: float = 1.0

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE:
            raise ProgramError("a piecewise polynomial takes additive shares")
        if (
            self.word not in {32, 64}
            or not 1 <= self.cell_bits <= MAX_CELL_BITS
            or not 0 <= self.drop < self.shift
            or self.excess < 1
        ):
            raise ProgramError("a piecewise polynomial of impossible sizes")
        if self.shift + self.cell_bits > FULL_WIDTH:
            raise ProgramError(f"a function on {self.shift + self.cell_bits} bits; the ring has {FULL_WIDTH}")
        lengths = {len(row) for row in self.coefficients}
        if len(self.coefficients) != 1 << self.cell_bits or len(lengths) != 1:
            raise ProgramError(f"{len(self.coefficients)} rows of coefficients for 2^{self.cell_bits} cells")
        if x.width > self.cell_bits + self.shift:
            raise BoundError(f"a function on {self.cell_bits + self.shift} bits of values of {x.width}", width=x.width)
        if self.result_width + self.excess > self.word - 1:
            raise BoundError(f"results of {self.result_width} bits in words of {self.word}", width=self.result_width)
        error = self.error + self.slope * x.error
        return ValueType(shape=x.shape, f=self.f, width=self.result_width, error=error)
