"""Functions of one variable that an opening makes public polynomials, waves or powers of: what sigmoid, exp, GELU and
their like are made of.
"""

from __future__ import annotations

import msgspec

from icm_ray.errors import BoundError, ProgramError
from icm_ray.ops.values import FULL_WIDTH, Kind, ValueType

__all__ = ["MAX_CELL_BITS", "MAX_HARMONICS", "MAX_PERIOD", "DomainEdges", "ExpNegative", "Periodic", "Piecewise"]

MAX_CELL_BITS = 8
MAX_PERIOD = 32
MAX_HARMONICS = 64


class Piecewise(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
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
        result = ValueType(shape=x.shape, f=self.f, width=self.result_width, error=error)
        return result.checked("piecewise polynomial")


class DomainEdges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """What a function is outside its domain: 0 below `low`, `above` (and x itself where it `follows`) from `high` on.

    width: w of the opening; drop: bits of x that the comparison leaves out, so that low and high count 2^drop; a
    value less than one such unit below an edge falls on either side of it, by the public coin. above: in units of the
    result's 2^-f.
    """

    width: int
    drop: int
    low: int
    high: int | None = None
    above: int = 0
    follows: bool = False

    @property
    def edges(self) -> tuple[int, ...]:
        return (self.low,) if self.high is None else (self.low, self.high)

    def check(self, x: ValueType, f: int) -> None:
        """Raises where x does not fit."""
        if self.width > FULL_WIDTH:
            raise BoundError(f"a comparison of {self.width} bits; the ring has {FULL_WIDTH}", width=self.width)
        if not 0 <= self.drop < self.width - 2:
            raise ProgramError("a comparison of impossible sizes")
        if self.high is None and (self.above or self.follows):
            raise ProgramError("a function with a value above an edge that it does not have")
        if self.high is not None and not self.low < self.high:
            raise ProgramError(f"a domain from {self.low} to {self.high}")
        if self.follows and (f != x.f or self.high is None or self.high < 1):
            raise ProgramError("a function that follows x has its fractional bits, and follows it where it is positive")
        if not -(2**63) <= self.above < 2**63:
            raise BoundError(f"a program's constants have 64 bits, not {self.above.bit_length() + 1}")
        reach = max(map(abs, self.edges))
        if 2 ** max(x.width - 1 - self.drop, 0) + 1 + reach > 2 ** (self.width - self.drop - 1):
            raise BoundError(f"values of {x.width} bits against edges at width {self.width}", width=x.width)


def _check_sizes(word: int, excess: int, result_width: int, error: float) -> None:
    if word not in {32, 64} or not 1 <= excess < word - 1:
        raise ProgramError(f"sums in words of {word} bits with {excess} more fractional bits than the result")
    if result_width + excess > word - 1:
        raise BoundError(f"results of {result_width} bits in words of {word}", width=result_width)
    if not error >= 0:
        raise ProgramError(f"an error bound of {error}")


class Periodic(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """A trigonometric sum of x, and a multiple of x: constant + linear x + sum a_k cos(k t) + b_k sin(k t).

    t = 2 pi x / 2^period, k in `harmonics`; cosines and sines: the a_k and b_k in units of 2^-(public_bits + 8), one of
    the two tuples empty where all of its coefficients are 0. Dealt sines and cosines have `dealt_bits`, public factors
    `public_bits` fractional bits; the sum has both together and is taken in words of 32 or 64 bits, constant and
    linear (for x as an integer) in its units. The result has f. reach: the largest |x|, as an integer, for which the
    sum is the function; where x may be larger, `edges` say what the function is there, or it `repeats`: the sum has no
    multiple of x, and is the function for every x. result_width, error, slope: as in `Piecewise`.
    """

    period: int
    harmonics: tuple[int, ...]
    cosines: tuple[int, ...]
    sines: tuple[int, ...]
    constant: int
    linear: int
    dealt_bits: int
    public_bits: int
    f: int
    word: int
    reach: int
    result_width: int
    error: float
    slope: float = 1.0
    edges: DomainEdges | None = None
    repeats: bool = False

    @property
    def excess(self) -> int:
        """Fractional bits of the sum beyond those of the result."""
        return self.dealt_bits + self.public_bits - self.f

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE:
            raise ProgramError("a trigonometric sum takes additive shares")
        if not 1 <= self.period <= MAX_PERIOD or not 1 <= len(self.harmonics) <= MAX_HARMONICS:
            raise ProgramError("a trigonometric sum of impossible sizes")
        lengths = {len(self.cosines), len(self.sines)}
        if lengths not in ({len(self.harmonics)}, {0, len(self.harmonics)}) or min(self.harmonics) < 1:
            raise ProgramError("a trigonometric sum has a coefficient for every harmonic")
        if not (1 <= self.dealt_bits <= 29 and 1 <= self.public_bits <= 29 and max(self.harmonics) < 2**16):
            raise ProgramError("a trigonometric sum of impossible sizes")
        largest = max(map(abs, (*self.cosines, *self.sines)))
        if largest >= 2**31 or max(abs(self.constant), abs(self.linear)) >= 2**63:
            raise BoundError(f"a coefficient of {largest.bit_length()} bits", width=largest.bit_length())
        _check_sizes(self.word, self.excess, self.result_width, self.error)
        width = self.result_width
        if self.repeats and (self.linear or self.edges is not None):
            raise ProgramError("a function that repeats itself has no edges and no multiple of x")
        if self.edges is not None:
            self.edges.check(x, self.f)
            low, high = ((edge or 0) << self.edges.drop for edge in (self.edges.low - 1, self.edges.high))
            if self.edges.high is None or max(-low, high) > self.reach:
                raise ProgramError(f"a domain from {low} to {high} of a function that is one to {self.reach}")
            width = max(width, self.edges.above.bit_length() + 1, x.width if self.edges.follows else 0) + 1
        elif not self.repeats and (2 ** (x.width - 1) > self.reach or x.width > self.period):
            raise BoundError(f"a function to {self.reach} of values of {x.width} bits", width=x.width)
        error = self.error + self.slope * x.error
        return ValueType(shape=x.shape, f=self.f, width=width, error=error).checked("trigonometric sum")


class ExpNegative(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="op", tag=True):
    """e^x of x <= 0 (its maker's promise), 0 below the domain.

    Cells are 2^shift wide, 2^cell_bits of them, the top one [0, 2^shift); x >= -(2^cell_bits - 1) 2^shift or cut
    off by `edges`, which have a lower one alone. dealt_bits, public_bits: fractional bits of the two factors of a
    result. The sum is taken in words of 32 or 64 bits; the result has f. error: of the whole, for exact x.
    """

    shift: int
    cell_bits: int
    dealt_bits: int
    public_bits: int
    f: int
    word: int
    error: float
    edges: DomainEdges | None = None

    @property
    def excess(self) -> int:
        """Fractional bits of the sum beyond those of the result."""
        return self.dealt_bits + self.public_bits - self.f

    def infer(self, x: ValueType) -> ValueType:
        if x.kind is not Kind.SHARE:
            raise ProgramError("an exponential takes additive shares")
        if not 1 <= self.cell_bits <= MAX_CELL_BITS or not 1 <= self.shift <= 40 or not 0 <= x.f <= 40:
            raise ProgramError("an exponential of impossible sizes")
        if not (1 <= self.dealt_bits <= 28 and 1 <= self.public_bits <= 28) or self.shift > x.f + 1:
            raise ProgramError("an exponential of impossible sizes")
        _check_sizes(self.word, self.excess, self.f + 2, self.error)
        lowest = -(2**self.cell_bits - 1) << self.shift
        if self.edges is not None:
            self.edges.check(x, self.f)
            if self.edges.high is not None or (self.edges.low - 1) << self.edges.drop < lowest:
                raise ProgramError("an exponential is cut off below, at a cell that it has")
        elif -(2 ** (x.width - 1)) < lowest:
            raise BoundError(f"an exponential to {lowest} of values of {x.width} bits", width=x.width)
        return ValueType(shape=x.shape, f=self.f, width=self.f + 2, error=self.error + x.error).checked("exponential")
