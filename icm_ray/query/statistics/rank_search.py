"""Values at given ranks: of rows that owners hold found by their order keys, nothing is sorted; shares are sorted.

A key is found digit by digit from the top (`query.key_digits`), a question for each digit. In each, owners count their
values below each value of the next digit, the parties compare the sums with the rank, on shares, and open how many do
not exceed it: the digit. [C_t <= k] = [v >= t] for the key v at rank k, whatever digits a question claims to know: what
it tells is a function of the result (docs/protocols.md, section 19). Every member reads the digits before in the next
question, and so learns the result.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import msgspec

from icm_ray.errors import BoundError, ColumnError, InputError, ProgramError
from icm_ray.program.build import Builder, Value
from icm_ray.query.key_digits import KeyDigits, KeySpace, key_space
from icm_ray.query.opened import Known, Number
from icm_ray.query.ordered_groups import OrderedGroups, ranks_of, typed_values
from icm_ray.query.partials import PartialAggregate, Taken, shared
from icm_ray.query.rows import Rows, cells, column_of, public_count
from icm_ray.query.small_cells import GUARD
from icm_ray.query.sorted_ranks import RanksByKey
from icm_ray.query.statistics.base import OfColumn
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.ranks import KeysBelow, Rank, next_digits, reached
from icm_ray.query.statistics.sorted_values import (
    SortedValues,
    in_order,
    is_value,
    opened_at,
    opened_at_secret,
    opened_of_each,
)
from icm_ray.query.withheld import Withheld
from icm_ray.ring.fixed import float_of_key

__all__ = ["FoundDigits", "RankSearch"]

_DIGITS: Final = "digits"


@dataclass(frozen=True, slots=True)
class FoundDigits:
    """What a step found for one cell: the digit of each rank; beside: another number that the last step opens."""

    digits: tuple[int, ...]
    beside: int | None


class RankSearch(OfColumn, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """prefixes: (ranks, cells), what the digits found so far amount to. digits: how many these are."""

    all_learn: ClassVar[bool] = True
    adds_up: ClassVar[bool] = False
    of_groups: ClassVar[bool] = True
    """Whether it is found of each group of shared rows."""

    digits: int = 0
    prefixes: tuple[tuple[int, ...], ...] = ()

    @abstractmethod
    def searched(self, rows: Rows) -> tuple[Rank, ...]:
        """The ranks. Errors: `ProgramError` for those that cannot be."""

    @abstractmethod
    def result(self, values: Sequence[int | float], beside: int | None, rows: Rows) -> Any:
        """Of one cell, from the values at the ranks that there are; beside: see `FoundDigits`."""

    def beside(self, builder: Builder, count: Taken, rows: Rows) -> Mapping[str, Taken]:
        """What the last step opens beside digits, under one word or none."""
        del builder, count, rows
        return {}

    # --- steps ----------------------------------------------------------------------------------------------------

    def _space(self, rows: Rows) -> KeySpace:
        if rows.private is not None:
            raise InputError(f"{self.title} is not offered of groups of private keys: state the groups: domain={{...}}")
        return key_space(column_of(rows, self.column).kind, self.in_words)

    @property
    @abstractmethod
    def title(self) -> str:
        """What it is, in words."""

    def _of_shares(self, rows: Rows) -> bool:
        """Whether values are sorted on shares. Errors: `ColumnError` of groups of them."""
        if not rows.shared:
            return False
        if rows.groups and not self.of_groups:
            reason = "of groups of shared rows that is not offered: filter for one at a time, or ask before .share()"
            raise ColumnError(f"{self.title}: {reason}", column=self.in_words)
        self._space(rows)
        if self.digits or self.prefixes:
            raise ProgramError(f"{self.title}: no step of a search has shared rows behind it")
        return True

    def sorted_of_shares(self, rows: Rows) -> SortedValues:
        """The order in which its values are looked up."""
        del rows
        return SortedValues(self.column)

    def at_secret_ranks(self, builder: Builder, values: Value, count: Value, rows: Rows) -> Mapping[str, Taken]:
        """What is opened of sorted values (rows,) of which the last ones, so many, count."""
        return opened_at_secret(builder, values, count, self.searched(rows), rows.count)

    def steps(self, rows: Rows) -> tuple[int, ...]:
        """The bits that each question finds."""
        return self._space(rows).digits(len(self.searched(rows)) * cells(rows))

    def _known(self, rows: Rows) -> tuple[tuple[int, ...], ...]:
        """The prefixes, (ranks, cells). Errors: `ProgramError` for those that no step before this one can find."""
        sizes, shape = self.steps(rows), (len(self.searched(rows)), cells(rows))
        if not self.digits and not self.prefixes:
            return ((0,) * shape[1],) * shape[0]
        if not 0 < self.digits < len(sizes) or [len(row) for row in self.prefixes] != [shape[1]] * shape[0]:
            raise ProgramError(f"{self.title}: no step of this search has such digits behind it")
        end = 1 << sum(sizes[: self.digits])
        if not all(0 <= prefix < end for row in self.prefixes for prefix in row):
            raise ProgramError(f"{self.title}: digits that a key cannot begin with")
        return self.prefixes

    def partials(self, rows: Rows) -> tuple[PartialAggregate, ...]:
        if self._of_shares(rows):
            if rows.groups:
                return (OrderedGroups(self.column),) if rows.count else ()
            counted = ValuesOfColumn(self.column)
            return (self.sorted_of_shares(rows), counted) if rows.count else (counted,)
        sizes, prefixes = self.steps(rows), self._known(rows)
        known, size = sum(sizes[: self.digits]), sizes[self.digits]
        digits = KeyDigits(self._space(rows), known, size, tuple(dict.fromkeys(prefixes)))
        return KeysBelow(self.column, digits), ValuesOfColumn(self.column)

    def finish(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        if self._of_shares(rows):
            return self._opened_of_shares(builder, values, rows) if rows.count else {}
        below, count = shared(values[0]), values[1]
        prefixes = self._known(rows)
        table = list(dict.fromkeys(prefixes))
        searched = [(rank, table.index(row)) for rank, row in zip(self.searched(rows), prefixes, strict=True)]
        with self._fitting(rows):
            opened: dict[str, Taken] = {_DIGITS: next_digits(builder, below, count, searched, rows.count)}
            if self.digits == len(self.steps(rows)) - 1:
                opened |= self.beside(builder, count, rows)
        return opened

    def _opened_of_shares(self, builder: Builder, values: Sequence[Taken], rows: Rows) -> Mapping[str, Taken]:
        if rows.groups:
            with self._fitting(rows):
                return self._opened_of_groups(builder, ranks_of(builder, rows, shared(values[0]), self.column), rows)
        ordered, count = shared(values[0]), values[1]
        if isinstance(count, Known):
            return opened_at(builder, ordered, self.searched(rows))
        with self._fitting(rows):
            found = self.at_secret_ranks(builder, ordered, count, rows)
            return {**found, **self.beside(builder, count, rows)}

    def _opened_of_groups(self, builder: Builder, ordered: RanksByKey, rows: Rows) -> Mapping[str, Taken]:
        """The value at each rank in each group (cells,)."""

        def of_counts(rank: Rank) -> Callable[[Value], tuple[int, Value]]:
            return lambda count: reached(builder, count, rank, rows.count)

        found = ordered.at([of_counts(rank) for rank in self.searched(rows)])
        typed = typed_values(builder, rows, found, self.column)
        return {**opened_of_each(builder, typed), **self.beside(builder, ordered.counts(), rows)}

    @contextmanager
    def _fitting(self, rows: Rows) -> Iterator[None]:
        try:
            yield
        except BoundError as error:
            reason = (
                f"{self.title}: its place among {rows.count} rows does not fit; take a q of smaller terms ({error})"
            )
            raise BoundError(reason, column=self.in_words) from None

    def decode(self, numbers: Mapping[str, Number], rows: Rows) -> Any:
        if rows.shared:
            nothing = None if public_count(rows, self.column) else 1 << (rows.width(self.column) - 1)
            values = in_order(numbers, whole=self.whole(rows), nothing=nothing)
            others = [number.integers[0] for word, number in numbers.items() if not is_value(word) and word != GUARD]
            return self.result(values, others[0] if others else None, rows)
        others = [number.integers[0] for word, number in numbers.items() if word not in {_DIGITS, GUARD}]
        return FoundDigits(tuple(numbers[_DIGITS].integers), others[0] if others else None)

    def follow(self, answer: Any, rows: Rows) -> tuple[Self | None, Any]:
        """The next step, or the result: of rows in groups a list of them. What is withheld is so in every step."""
        if rows.shared:
            return None, answer
        found: list[FoundDigits | Withheld] = answer if rows.by else [answer]
        sizes, known = self.steps(rows), self._known(rows)
        size = sizes[self.digits]
        prefixes = tuple(
            tuple((before << size) + _digit(cell, rank) for before, cell in zip(row, found, strict=True))
            for rank, row in enumerate(known)
        )
        if self.digits < len(sizes) - 1 and not all(isinstance(cell, Withheld) for cell in found):
            return msgspec.structs.replace(self, digits=self.digits + 1, prefixes=prefixes), None
        results = [
            cell if isinstance(cell, Withheld) else self._result(cell, [row[at] for row in prefixes], rows)
            for at, cell in enumerate(found)
        ]
        return None, results if rows.by else results[0]

    def _result(self, found: FoundDigits, places: Sequence[int], rows: Rows) -> Any:
        space, whole = self._space(rows), self.whole(rows)
        there = [place - space.offset for place in places if 0 < place < (1 << space.bits) - 1]  # no value: an end
        return self.result(there if whole else [float_of_key(key) for key in there], found.beside, rows)

    def notes(self, rows: Rows) -> tuple[str, ...]:
        if rows.shared:
            return ("values are sorted on shares, in an order that nobody sees",)
        steps = self.steps(rows)
        note = (
            f"{len(steps)} questions, of which this is the first, find {steps[0]} bits of its order key each; owners "
            "and parties read the bits before in the next one, and so learn the values"
        )
        return (note,)


def _digit(found: FoundDigits | Withheld, rank: int) -> int:
    return 0 if isinstance(found, Withheld) else found.digits[rank]
