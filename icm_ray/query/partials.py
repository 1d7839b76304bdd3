"""Partial aggregates: the shared values that statistics are made of, partial ones of every lane, joined into one.

A partial aggregate has two faces, one for each place where rows are: what their owner aggregates in the clear and
shares, and what the parties compute on shares. What is opened of it, and how that is read, statistics say.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar

from icm_ray.errors import BoundError, ColumnError, ProgramError
from icm_ray.functions.order_keys import largest_key
from icm_ray.ops.compare import Maximum
from icm_ray.ops.linear import Add, AssumeWidth, Concatenate, Rescale, Reshape
from icm_ray.ops.sorting import Sort
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Of
from icm_ray.query.key_digits import KeyDigits
from icm_ray.query.opened import Known
from icm_ray.query.rows import Rows
from icm_ray.query.tasks import ColumnInfo, GroupKey

if TYPE_CHECKING:
    from icm_ray.query.lane_build import LaneBuild
    from icm_ray.query.owner_rows import OwnerRows
    from icm_ray.query.secret_cells import ChosenShares
    from icm_ray.query.secret_rows import SecretRows

__all__ = [
    "Join",
    "PartialAggregate",
    "PartialOf",
    "RowCount",
    "Taken",
    "join",
    "largest",
    "shared",
    "sorted_values",
    "typed_sum",
]

Taken = Value | Known
"""What a statistic gets for a partial aggregate: a shared value, or a number that is public."""


class Join(Enum):
    """How the partial values of several places become one."""

    SUM = auto()
    """Place by place, in pairs: the width grows with the logarithm of their number."""
    LARGEST = auto()
    """Of numbers (cells,), or of order keys (2, cells)."""
    ROWS = auto()
    """One after the other: they are rows."""
    SORTED = auto()
    """The same, from the least to the largest."""


def join(builder: Builder, rule: Join, values: Sequence[Value]) -> Value:
    """One value from those of several places."""
    if len(values) == 1:
        return values[0]
    if rule is Join.ROWS:
        return builder.add(Concatenate(), *values)
    if rule is Join.SORTED:
        return sorted_values(builder, builder.add(Concatenate(), *values))
    if rule is Join.LARGEST:
        if len(values[0].type.shape) == 2:
            return largest_key(builder, values)
        if (cells := values[0].type.count) > 1:
            columns = [builder.add(Reshape((cells, 1)), value) for value in values]
            return largest(builder, builder.add(Concatenate(axis=1), *columns))
        return largest(builder, builder.add(Concatenate(), *values))
    level = list(values)
    while len(level) > 1:
        pairs = [builder.add(Add(), a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def sorted_values(builder: Builder, values: Value) -> Value:
    """Shared values (n,) from the least to the largest. Errors: `BoundError` (of too many bits for so many)."""
    return values if values.type.count < 2 else builder.add(Sort(), values)


def largest(builder: Builder, values: Value) -> Value:
    """The largest of shared values (n,): shape (1,); of (cells, n): (cells,)."""
    width = values.type.width + 1
    if width > FULL_WIDTH:
        raise BoundError(f"a maximum of values of {width - 1} bits does not fit; declare a smaller bound", width=width)
    return builder.add(Maximum(width), values)


def typed_sum(builder: Builder, column: Value, kind: ValueType) -> Value:
    """Whole numbers, read as the sums of a type that they are."""
    read = builder.add(Rescale(kind.f), column) if kind.f else column
    return builder.add(AssumeWidth(kind.width, kind.error), read)


@dataclass(frozen=True, slots=True)
class PartialAggregate(ABC):
    """A partial aggregate of one column."""

    words: ClassVar[str]
    """What it is, for people."""
    rule: ClassVar[Join]
    apart: ClassVar[bool] = False
    """Whether lanes contribute it by itself, where they contribute all that is added up at once."""
    joined: ClassVar[str] = ""
    """What the parties make of what lanes or owners contribute, for people; "": they join it."""

    column: Of

    @property
    @abstractmethod
    def kind(self) -> str:
        """Of the aggregate that an owner makes (`icm_ray.query.tasks.Aggregate`)."""

    @property
    def between(self) -> tuple[int | float, ...]:
        """The edges that it takes."""
        return ()

    @property
    def next_digits(self) -> KeyDigits | None:
        """The digits for which keys are counted."""
        return None

    @property
    def in_ring(self) -> int:
        """The degree of what it becomes a part of: sums have limbs for that."""
        return 2

    @property
    def times(self) -> Of | None:
        """What the values are multiplied with, row by row."""
        return None

    @property
    def by(self) -> tuple[GroupKey, ...]:
        """What the values are counted by, beside the groups of the rows: cells within each of these."""
        return ()

    @property
    def entity(self) -> str:
        """The column that says whose the rows are, where it is by entities; else ""."""
        return ""

    @property
    def keys_of(self) -> str:
        """The policy by whose name rows have keys that are added up; else ""."""
        return ""

    def substitute(self, rows: Rows) -> PartialAggregate | RowCount:
        """The partial aggregate to take in this one's place, where these rows serve both by the same value."""
        return self

    @abstractmethod
    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        """Of what an owner shares, of so many rows in so many groups."""

    def brought(self, builder: Builder, value: Value) -> Value:
        """The partial value, from what an owner shared."""
        return value

    @abstractmethod
    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        """The partial value, from shares of partitions (rows,) of one lane; rows: all of the dataset."""

    def of_chosen(self, builder: Builder, part: ChosenShares, rows: Rows) -> Value:
        """The partial value (cells,), from shares of some rows of one partition, in groups.

        Errors: `ColumnError` where it is not computed on them.
        """
        raise ColumnError(f"the {self.words} of chosen, grouped or missing shares is not offered: ask before .share()")

    def of_all_chosen(self, builder: Builder, parts: Sequence[ChosenShares], rows: Rows) -> Value:
        """The same, from shares of some rows of all partitions of one lane."""
        return join(builder, self.rule, [self.of_chosen(builder, part, rows) for part in parts])

    def of_lane(self, build: LaneBuild, base: SecretRows, where: Of | None, by: tuple[GroupKey, ...]) -> Value | None:
        """What the rows of one lane contribute, where it is made of all of them at once; None: of each partition."""
        return None

    def of_owners(self, build: LaneBuild, base: OwnerRows, where: Of | None, by: tuple[GroupKey, ...]) -> Value | None:
        """What the owners whose rows are in a lane share, where it is no `Aggregate`; None: where it is one."""
        return None

    def taken(self, builder: Builder, rows: Rows, table: Value) -> Mapping[PartialAggregate, Value]:
        """What statistics take, from what all lanes contribute, where that is not the value itself."""
        return {}

    def addends(self, builder: Builder, part: ChosenShares, count: int) -> tuple[Value, ...]:
        """What it is the sums of, of each row of some shares (rows,), where rows are added up by a key that they are
        sorted by; count: how many these are at the most.

        Errors: `ColumnError` where it is made of more than sums.
        """
        raise ColumnError(
            f"the {self.words} of groups of shared rows by private keys, or by many values, is not offered: state few "
            "groups, domain={...}, or ask before .share()"
        )

    def sum_types(self, rows: Rows, count: int) -> tuple[ValueType, ...]:
        """Of these sums, of so many rows. Errors: those of `addends`."""
        raise ColumnError(
            f"the {self.words} of groups of shared rows by private keys, or by many values, is not offered: state few "
            "groups, domain={...}, or ask before .share()"
        )

    def of_sums(self, builder: Builder, sums: Sequence[Value], rows: Rows) -> Value:
        """The partial value (cells,), from the sums of what `addends` gives, each (cells,)."""
        raise ProgramError(f"the {self.words} is not made of sums")


@dataclass(frozen=True, slots=True)
class RowCount:
    """The number of values behind a statistic, in the place of a partial aggregate, where that is public."""

    column: Of

    def substitute(self, rows: Rows) -> RowCount:
        """Itself, whatever the rows."""
        del rows
        return self

    def known(self, rows: Rows) -> Known:
        """The number."""
        return Known(rows.count)


@dataclass(frozen=True, slots=True)
class PartialOf:
    """A partial aggregate of certain rows: what lanes contribute to. Two that are equal are one value."""

    dataset: str
    partial: PartialAggregate | RowCount


def shared(taken: Taken) -> Value:
    """A value that is shared; raises `ProgramError` for a public one."""
    if isinstance(taken, Known):
        raise ProgramError("a public number where a shared value is needed")
    return taken
