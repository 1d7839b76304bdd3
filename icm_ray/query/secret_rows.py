"""Rows that are shares: every column of every partition secret-shared among the parties, in the partition's lane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from icm_ray.errors import BoundError, ColumnError
from icm_ray.ops.labels import Label, Labels, merged
from icm_ray.ops.linear import Load
from icm_ray.ops.values import FULL_WIDTH, ValueType, log2_ceil
from icm_ray.payload import Natural
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.program.derived_name import derived_name
from icm_ray.query.expressions.tree import Of
from icm_ray.query.grid import Grid, grid_from
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.partials import PartialAggregate
from icm_ray.query.rows import column_of
from icm_ray.query.secret_cells import of_lane
from icm_ray.query.secret_expressions.lower import on_shares
from icm_ray.query.secret_expressions.operand import RowBuild, Secret
from icm_ray.query.tasks import ColumnInfo, GroupKey

__all__ = ["BIT", "Encoding", "SecretPartition", "SecretRows", "encoding_for", "room_for"]

_INT_BOUND = 31
_ROOM = 60  # bits of f, bound and rows together: what a partition's sum, comparisons and split squares take
_MOST_F = 480  # so that sums of squares, with twice as many, are values of a program too


class Encoding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a column is shared: f fractional bits, magnitudes to 2^bound inclusive; `rounded` for floats. domain: the
    words that text may be; the number of each is shared, from 1 on, 0 where there is none. origin, step: in the units
    of a kind that has some, what 0 stands for, and what 1 is more.
    """

    f: Natural
    bound: int
    rounded: bool
    domain: tuple[str, ...] = ()
    origin: int = 0
    step: int = 1

    @property
    def error(self) -> float:
        """How far a shared value may be from the plain one."""
        return 2.0 ** -(self.f + 1) if self.rounded else 0.0

    def loss(self, f: int) -> str:
        """What to know of the digits that are left, in a session of f fractional bits; empty where they are as many."""
        if not self.rounded or (self.f >= f and self.f + self.bound >= f):
            return ""
        way_out = "scale the column up" if self.f == _MOST_F else "a smaller bound keeps more digits"
        return (
            f"with magnitudes to 2^{self.bound} values are rounded to multiples of 2^-{self.f}, where the session has "
            f"{f} fractional bits; {way_out}"
        )

    def grid(self, kind: str) -> Grid:
        """What the numbers of a column of that kind stand for."""
        return grid_from(kind, self.origin, self.step)

    def type(self, rows: int) -> ValueType:
        """Of one partition of the column."""
        return ValueType(shape=(rows,), f=self.f, width=max(self.f + self.bound, 0) + 2, error=self.error)


BIT: Final = Encoding(0, 0, rounded=False)
"""Of what is 0 or 1."""


def room_for(rows: int) -> int:
    """Bits that a value of partitions of so many rows may have."""
    return _ROOM - log2_ceil(rows)


def encoding_for(
    column: ColumnInfo, declared: int | None, rows: int, f: int, default: int, domain: tuple[str, ...] = ()
) -> Encoding:
    """The encoding of a column in partitions of up to `rows` rows. f: the session's fractional bits for magnitudes to
    the default bound, more of them below a smaller one, fewer where a larger one leaves no room; declared, default:
    log2 of the largest magnitude, of this column and of floats. domain: of text.

    Errors: `BoundError` naming the column where the bound leaves no room at all.
    """
    room = room_for(rows)
    if column.kind == "bool":
        return BIT
    if column.kind == "string":
        return Encoding(0, log2_ceil(len(domain) + 1), rounded=False, domain=domain)
    if column.kind == "int":
        bound = max(_INT_BOUND if declared is None else declared, 0)
        fits = 0
    else:
        bound = default if declared is None else declared
        fits = min(f + max(default - bound, 0), room - bound, _MOST_F)
    if fits < 0 or bound > room:
        raise BoundError(
            f"column {column.name!r}: magnitudes to 2^{bound} in partitions of {rows} rows do not fit; 2^{room} do. "
            f"Declare a smaller bound: bounds={{{column.name!r}: ...}}",
            column=column.name,
            bound=bound,
        )
    return Encoding(fits, bound, rounded=column.kind == "float")


class SecretPartition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Partition `number` of an owner's table, as shares of the parties in one lane."""

    owner: str
    table: str
    number: Natural
    lane: Natural
    rows: Natural


class SecretRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="shares"):
    """name: of these shares. source: of the dataset that they were made of. encodings: of the columns, in their order.
    chosen: the column of bits that says which rows are meant; None: all are. The values of others are 0. space: a name
    for which rows and columns these are, where they are not all rows and plain columns of the source. composed: where
    there is a policy, the columns that were computed of several.

    Beside a column whose values may be missing there are bits that say where one is; the value is 0 where none is. Keys
    under which parties keep shares follow from name, space, partition, column and encoding.
    """

    name: str
    source: str
    columns: tuple[ColumnInfo, ...]
    encodings: tuple[Encoding, ...]
    partitions: tuple[SecretPartition, ...]
    policy: Policy | None = None
    chosen: str | None = None
    space: str = ""
    composed: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        return sum(self.owners.values())

    @property
    def owners(self) -> Mapping[str, int]:
        rows: dict[str, int] = {}
        for partition in self.partitions:
            rows[partition.owner] = rows.get(partition.owner, 0) + partition.rows
        return rows

    @property
    def shared(self) -> bool:
        return True

    @property
    def lanes(self) -> frozenset[int]:
        return frozenset(partition.lane for partition in self.partitions)

    def labels(self, lane: int) -> Labels:
        return merged(
            label for partition in self.partitions if partition.lane == lane for label in self.behind(partition)
        )

    def behind(self, partition: SecretPartition) -> Labels:
        """Whose rows the shares of one partition are made of."""
        return (Label(self.source, partition.owner, ((partition.number, partition.rows),)),)

    @property
    def kept(self) -> Sequence[str]:
        return [
            key(partition, column.name)
            for partition in self.partitions
            for column in self.columns
            for key in ((self.key, self.key_of_presence) if column.nullable else (self.key,))
        ]

    @property
    def where(self) -> Of | None:
        return self.chosen

    @property
    def private(self) -> None:
        return None

    @property
    def groups(self) -> int:
        return 0

    @property
    def by(self) -> tuple[GroupKey, ...]:
        return ()

    def encoding(self, column: str) -> Encoding:
        """How a column is shared. Errors: `ColumnError` (none of that name)."""
        return self._column(column)[1]

    def _column(self, name: str) -> tuple[ColumnInfo, Encoding]:
        for info, encoding in zip(self.columns, self.encodings, strict=True):
            if info.name == name:
                return info, encoding
        raise ColumnError(f"{self.name} has no column {name!r}", column=name)

    def key(self, partition: SecretPartition, column: str) -> str:
        """The name under which every party keeps its share of a partition's column."""
        return derived_name("share", *self._place(partition), column, self.encoding(column))

    def key_of_presence(self, partition: SecretPartition, column: str) -> str:
        """The same of the bits that say where the column has a value."""
        return derived_name("there", *self._place(partition), column)

    def _place(self, partition: SecretPartition) -> tuple[str, str, str, int]:
        """What other rows, or columns that are computed otherwise, under the same name have another one of."""
        return self.name, self.space, partition.owner, partition.number

    def loaded(self, builder: Builder, partition: SecretPartition, column: str) -> Secret:
        """A column of a partition."""
        info, encoding = self._column(column)
        labels = self.behind(partition)
        value = builder.add(Load(self.key(partition, column), encoding.type(partition.rows), labels))
        there = None
        if info.nullable:
            there = builder.add(Load(self.key_of_presence(partition, column), BIT.type(partition.rows), labels))
        return Secret(info.kind, value, there, 0, encoding.domain, encoding.grid(info.kind))

    def type_of(self, of: Of) -> ValueType:
        """Of one value of a column or an expression, as it is computed with.

        Errors: `ColumnError` where it is not computed on shares, `BoundError` where it does not fit.
        """
        return self.encoding(of).type(1) if isinstance(of, str) else self._one(of).value.type

    def _one(self, of: Of) -> Secret:
        """One value. Errors: those of `type_of`."""
        builder = Builder(("one", "other"))  # what is written here is asked of nobody
        columns: dict[str, Secret] = {}

        def column(name: str) -> Secret:
            if name not in columns:
                columns[name] = self.loaded(builder, SecretPartition("", "", 0, 0, 1), name)
            return columns[name]

        rows = RowBuild(builder, column(self.columns[0].name).value)
        return rows.secret(on_shares(of, rows, column))

    def texts(self, column: Of) -> tuple[str, ...]:
        return self.encoding(column).domain if isinstance(column, str) else self._one(column).domain

    def grid(self, column: Of) -> Grid:
        """What the numbers of a column, or of an expression, stand for. Errors: those of `type_of`."""
        if isinstance(column, str):
            info, encoding = self._column(column)
            return encoding.grid(info.kind)
        return self._one(column).grid

    def key_size(self, of: Of) -> int:
        """What bounds the values of a column that rows are grouped by, as `PrivateKey` says it; of text bits of the
        number of each. Errors: `ColumnError` (none that rows are grouped by), those of `type_of`.
        """
        info = column_of(self, of)
        if info.kind == "string":
            return max(log2_ceil(len(self.texts(of)) + 1), 1)
        if info.kind == "bool":
            return 0
        kind = self.type_of(of)
        if info.kind != "int" or kind.f:
            raise ColumnError(f"{info.name}: rows are grouped by text, whole numbers and booleans, not by {info.kind}")
        return self.encoding(of).bound if isinstance(of, str) else kind.width - 1

    def rows_of_lane(self, lane: int) -> int:
        """How many rows a lane has."""
        return sum(partition.rows for partition in self.partitions if partition.lane == lane)

    def rounding(self, column: Of) -> float:
        return self.type_of(column).error

    def width(self, column: Of) -> int:
        return self.type_of(column).width

    def step(self, column: Of) -> int:
        return self.type_of(column).f

    def one_word(self, column: Of) -> bool:
        lanes: dict[int, list[int]] = {}
        for partition in self.partitions:
            lanes.setdefault(partition.lane, []).append(partition.rows)
        # as widths add up: in partitions, then in lanes, then over lanes
        grown = max(log2_ceil(max(counts)) + log2_ceil(len(counts)) for counts in lanes.values())
        return self.type_of(column).width + grown + log2_ceil(len(lanes)) <= FULL_WIDTH

    def partial(self, build: LaneBuild, partial: PartialAggregate) -> Value:
        """What the rows of one lane contribute."""
        return of_lane(build, self, partial, self.where, ())
