"""A quantile of rows that owners hold: the value at a place among the sorted values, exactly; nothing is sorted.

It is found by its order key, digit by digit from the top (`query.key_digits`), a question for each digit. In each,
owners count their values below each value of the next digit, the parties compare the sums with the rank, on shares,
and open how many do not exceed it: the digit. [C_t <= k] = [v >= t] for the key v at rank k, whatever digits a question
claims to know: what it tells is a function of the result (docs/protocols.md, section 19). Every member reads the digits
before in the next question, and so learns the result.

Between two values ("linear", "midpoint") both are found. How far from the lower one a quantile lies follows from the
number of values N; where that is secret, q (N - 1) modulo 1 is opened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Final

import msgspec

from icm_ray.errors import BoundError, ColumnError, ProgramError
from icm_ray.program.build import Builder
from icm_ray.query.doubles import DOUBLE, TINIEST, nearest
from icm_ray.query.error_bound import EXACT, ErrorBound
from icm_ray.query.key_digits import KeyDigits, KeySpace, key_space
from icm_ray.query.opened import Known, Number
from icm_ray.query.partials import Taken, shared
from icm_ray.query.rows import Rows, cells, column_of, public_count
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.ranks import (
    Interpolation,
    KeysBelow,
    Rank,
    fraction_of,
    next_digits,
    place_between,
    ranks,
)
from icm_ray.query.withheld import Withheld
from icm_ray.ring.fixed import float_of_key

__all__ = ["FoundDigits", "Quantile"]

_DIGITS: Final = "digits"
_PLACE: Final = "place between two values"


@dataclass(frozen=True, slots=True)
class FoundDigits:
    """What a step found for one cell: the digit of each rank; place: of the result between two values, at the last
    step.
    """

    digits: tuple[int, ...]
    place: int


class Quantile(OfColumn, frozen=True, forbid_unknown_fields=True, tag="quantile"):
    """q: from 0 to 1. interpolation: what is taken between two values. prefixes: (ranks, cells), of the keys at each
    rank, in each cell; digits: how many digits they have.
    """

    all_learn: ClassVar[bool] = True

    q: float = 0.5
    interpolation: Interpolation = "linear"
    digits: int = 0
    prefixes: tuple[tuple[int, ...], ...] = ()

    @property
    def operation(self) -> str:
        return "median" if self.q == 0.5 and self.interpolation == "linear" else "quantile"

    @property
    def fraction(self) -> float:
        """Which part of the values is below: policies ask for some on either side."""
        return self.q

    @property
    def title(self) -> str:
        if self.q == 0.5 and self.interpolation == "linear":
            return f"median of {self.in_words}"
        how = "" if self.interpolation == "linear" else f" ({self.interpolation})"
        return f"{self.q:g} quantile of {self.in_words}{how}"

    # --- what is searched for -------------------------------------------------------------------------------------

    @property
    def _fraction(self) -> Fraction:
        if not 0 <= self.q <= 1:
            raise ProgramError(f"a quantile lies from 0 to 1, not at {self.q}")
        return fraction_of(self.q)

    def _ranks(self, rows: Rows) -> tuple[Rank, ...]:
        return ranks(self._fraction, self.interpolation, rows.count if public_count(rows, self.column) else None)

    def _space(self, rows: Rows) -> KeySpace:
        if rows.shared:
            raise ColumnError(
                f"{self.title}: quantiles of shared rows are not offered yet; ask before .share()", column=self.in_words
            )
        return key_space(column_of(rows, self.column).kind, self.in_words)

    def steps(self, rows: Rows) -> tuple[int, ...]:
        """The bits that each question finds."""
        return self._space(rows).digits(len(self._ranks(rows)) * cells(rows))

    def _known(self, rows: Rows) -> tuple[tuple[int, ...], ...]:
        """The prefixes, (ranks, cells). Errors: `ProgramError` for those that no step before this one can find."""
        sizes, shape = self.steps(rows), (len(self._ranks(rows)), cells(rows))
        if not self.digits and not self.prefixes:
            return ((0,) * shape[1],) * shape[0]
        if not 0 < self.digits < len(sizes) or [len(row) for row in self.prefixes] != [shape[1]] * shape[0]:
            raise ProgramError(f"{self.title}: no step of this search has such digits behind it")
        end = 1 << sum(sizes[: self.digits])
        if not all(0 <= prefix < end for row in self.prefixes for prefix in row):
            raise ProgramError(f"{self.title}: digits that a key cannot begin with")
        return self.prefixes

    # --- on shares ------------------------------------------------------------------------------------------------

    def partials(self, rows: Rows) -> tuple[KeysBelow, ValuesOfColumn]:
        sizes, prefixes = self.steps(rows), self._known(rows)
        known, size = sum(sizes[: self.digits]), sizes[self.digits]
        digits = KeyDigits(self._space(rows), known, size, tuple(dict.fromkeys(prefixes)))
        return KeysBelow(self.column, digits), ValuesOfColumn(self.column)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        below, count = shared(values[0]), values[1]
        prefixes, q = self._known(rows), self._fraction
        table = list(dict.fromkeys(prefixes))
        searched = [(rank, table.index(row)) for rank, row in zip(self._ranks(rows), prefixes, strict=True)]
        try:
            opened = {_DIGITS: next_digits(builder, below, count, q, searched, rows.count)}
            if self._opens_place(rows) and not isinstance(count, Known):
                opened[_PLACE] = place_between(builder, count, q, rows.count)
        except BoundError as error:
            reason = f"{self.title}: q as {q} does not fit {rows.count} rows; take one of smaller terms ({error})"
            raise BoundError(reason, column=self.in_words) from None
        return opened

    def _opens_place(self, rows: Rows) -> bool:
        """Whether this step tells where between two values the result lies."""
        last = self.digits == len(self.steps(rows)) - 1
        return last and self.interpolation == "linear" and len(self._ranks(rows)) > 1

    # --- from what is opened --------------------------------------------------------------------------------------

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> FoundDigits:
        if isinstance(place := numbers.get(_PLACE), Number):
            between = place.integers[0]
        else:
            between = (rows.count - 1) * self._fraction.numerator % self._fraction.denominator
        return FoundDigits(tuple(numbers[_DIGITS].integers), between)

    def follow(self, answer: Any, rows: Rows) -> tuple[Quantile | None, Any]:
        """The next step, or the result: of rows in groups a list of them. What is withheld is so in every step."""
        found: list[FoundDigits | Withheld] = answer if rows.by else [answer]
        sizes, known = self.steps(rows), self._known(rows)
        size = sizes[self.digits]
        prefixes = tuple(
            tuple((before << size) + _digit(cell, rank) for before, cell in zip(row, found, strict=True))
            for rank, row in enumerate(known)
        )
        if self.digits < len(sizes) - 1 and not all(isinstance(cell, Withheld) for cell in found):
            return msgspec.structs.replace(self, digits=self.digits + 1, prefixes=prefixes), None
        results = [self._result(cell, [row[at] for row in prefixes], rows) for at, cell in enumerate(found)]
        return None, results if rows.by else results[0]

    def _result(self, found: FoundDigits | Withheld, places: Sequence[int], rows: Rows) -> Any:
        if isinstance(found, Withheld):
            return found
        space, whole = self._space(rows), self.whole(rows)
        if not all(0 < place < (1 << space.bits) - 1 for place in places):
            return math.nan  # of no values, as pandas has it
        keys = [place - space.offset for place in places]
        ends = keys if whole else [float_of_key(key) for key in keys]
        if self.interpolation in {"lower", "higher", "nearest"}:
            return ends[0]
        if len(ends) == 1 or ends[0] == ends[1]:
            return float(ends[0])
        low, high = map(Fraction, ends)
        share = Fraction(found.place, self._fraction.denominator) if self.interpolation == "linear" else Fraction(1, 2)
        return nearest(low + (high - low) * share)

    # --- in words -------------------------------------------------------------------------------------------------

    def error(self, rows: Rows) -> ErrorBound:
        if self.interpolation in {"lower", "higher", "nearest"}:
            return EXACT
        return ErrorBound(TINIEST, DOUBLE)

    def discloses(self, rows: Rows) -> str:
        both = " and the value above it" if len(self._ranks(rows)) > 1 else ""
        between = public_count(rows, self.column) or self.interpolation != "linear" or not both
        place = "" if between else ", and the place between them: q (N - 1) modulo 1, N the number of values"
        return f"the value at {self.q:g} of the sorted values{both}, digit by digit{place}; no count"

    def notes(self, rows: Rows) -> tuple[str, ...]:
        steps = self.steps(rows)
        note = (
            f"{len(steps)} questions, of which this is the first, find {steps[0]} bits of its order key each; owners "
            "and parties read the bits before in the next one, and so learn the values"
        )
        return (note,)


def _digit(found: FoundDigits | Withheld, rank: int) -> int:
    return 0 if isinstance(found, Withheld) else found.digits[rank]
