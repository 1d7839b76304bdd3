"""The values of a shared column in order: those at some ranks are opened (docs/protocols.md, section 17).

Of rows that are chosen, or may lack a value, the others stand below all values: of N rows with n values, the value of
rank k is at place N - n + k, a share, where it is looked up (`functions.lookup`); the largest are at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from icm_ray.errors import ProgramError
from icm_ray.functions.lookup import at_places
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Reshape, Scale, Slice
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.doubles import nearest
from icm_ray.query.opened import Number
from icm_ray.query.partials import Join, PartialAggregate, Taken, join, sorted_values
from icm_ray.query.rows import Rows
from icm_ray.query.secret_cells import ChosenShares
from icm_ray.query.statistics.ranks import Rank, reached
from icm_ray.query.tasks import ColumnInfo

__all__ = ["SortedValues", "in_order", "is_value", "opened_at", "opened_at_end", "opened_at_secret", "opened_of_each"]

_VALUE: Final = "value"


@dataclass(frozen=True, slots=True)
class SortedValues(PartialAggregate):
    """All values (rows,), from the least to the largest, where they are all of one lane; else lanes' join sorts.

    negated: of the negated values.
    """

    words: ClassVar[str] = "order of values"
    rule: ClassVar[Join] = Join.SORTED

    negated: bool = False

    @property
    def kind(self) -> str:
        raise ProgramError("owners search for ranks; they sort nothing")

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        raise ProgramError("owners search for ranks; they sort nothing")

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        values = join(builder, Join.ROWS, parts)
        return sorted_values(builder, values) if len(rows.lanes) == 1 else values

    def of_all_chosen(self, builder: Builder, parts: Sequence[ChosenShares], rows: Rows) -> Value:
        return self.of_shares(builder, [self._candidates(builder, part) for part in parts], rows)

    def _candidates(self, builder: Builder, part: ChosenShares) -> Value:
        """The values (rows,), -2^(width - 1) where there is none: all differences are below 2^width, as a sort asks."""
        return builder.add(AssumeWidth(part.of.value.type.width), part.candidates(negated=self.negated))


def opened_at(builder: Builder, values: Value, ranks: Sequence[Rank]) -> Mapping[str, Taken]:
    """The values at the ranks that there are, by their number."""
    places = [at for at in (rank.among(values.type.count) for rank in ranks) if 0 <= at < values.type.count]
    return _opened(builder, values, places)


def opened_at_end(builder: Builder, values: Value, count: int, *, negated: bool) -> Mapping[str, Taken]:
    """So many of the largest values, the largest first, or of the negated ones the least."""
    size = values.type.count
    signed = builder.add(Scale(-1), values) if negated else values
    return _opened(builder, signed, range(size - 1, max(size - 1 - count, -1), -1))


def _opened(builder: Builder, values: Value, places: Sequence[int]) -> Mapping[str, Taken]:
    return {f"{_VALUE} {number}": builder.add(Slice(((at, at + 1, 1),)), values) for number, at in enumerate(places)}


def opened_at_secret(
    builder: Builder, values: Value, count: Value, ranks: Sequence[Rank], most: int
) -> Mapping[str, Taken]:
    """The values at ranks among the last `count` ones, by their number. Errors: `BoundError` (q of large terms)."""
    places = []
    for rank in ranks:
        scale, scaled = reached(builder, count, rank, most)
        others = builder.add(AddPublic(scale * values.type.count), builder.add(Scale(-scale), count))
        places.append((scale, builder.add(Add(), scaled, others)))
    return _opened(builder, at_places(builder, values, places), range(len(places)))


def opened_of_each(builder: Builder, found: Value) -> Mapping[str, Taken]:
    """Values (ranks, groups), those of each rank by its number."""
    ranks, groups = found.type.shape
    rows = [builder.add(Slice(((rank, rank + 1, 1), (0, groups, 1))), found) for rank in range(ranks)]
    return {f"{_VALUE} {rank}": builder.add(Reshape((groups,)), row) for rank, row in enumerate(rows)}


def in_order(numbers: Mapping[str, Number], *, whole: bool, nothing: int | None = None) -> list[int | float]:
    """What was opened: integers, or the doubles nearest to it. nothing: the magnitude of what is no value."""
    opened = [number for word, number in numbers.items() if word.startswith(_VALUE)]
    there = [number for number in opened if nothing is None or abs(number.integers[0]) != nothing]
    return [item.integers[0] if whole else nearest(item.number) for item in there]


def is_value(word: str) -> bool:
    """Whether a value at a rank is revealed under a word."""
    return word.startswith(_VALUE)
