"""Rows that are shares: every column of every partition secret-shared among the parties, in the partition's lane."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from threading import Event

from analytics.quantity import LaneBuild, Quantity, QuantityKind, join, largest
from icm_ray.errors import BoundError
from icm_ray.ops.compare import CountAtLeast
from icm_ray.ops.linear import Concatenate, Load, Rescale, Scale, Slice, Subtract, Sum
from icm_ray.ops.products import SumOfSquares
from icm_ray.ops.values import FULL_WIDTH, ValueType, log2_ceil
from icm_ray.ops.wide import SquareParts, Widen
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.tasks import ColumnInfo
from icm_ray.runtime.driver.engine import Engine

__all__ = ["Encoding", "SharedPartition", "SharedRows", "encoding_for"]

_INT_BOUND = 31
_ROOM = 60  # bits of f, bound and rows together: what a partition's sum, comparisons and split squares take


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a column is shared: f fractional bits, magnitudes to 2^bound inclusive; `rounded` for floats."""

    f: int
    bound: int
    rounded: bool

    @property
    def error(self) -> float:
        """How far a shared value may be from the plain one."""
        return 2.0 ** -(self.f + 1) if self.rounded else 0.0

    def type(self, rows: int) -> ValueType:
        """Of one partition of the column."""
        return ValueType(shape=(rows,), f=self.f, width=max(self.f + self.bound, 0) + 2, error=self.error)


def encoding_for(column: ColumnInfo, declared: int | None, rows: int, f: int, default: int) -> Encoding:
    """The encoding of a column in partitions of up to `rows` rows. f: the session's fractional bits, reduced where the
    bound leaves no room; declared, default: log2 of the largest magnitude, of this column and of floats.

    Errors: `BoundError` naming the column where the bound leaves no room at all.
    """
    room = _ROOM - log2_ceil(rows)
    if column.kind == "bool":
        return Encoding(0, 0, rounded=False)
    if column.kind == "int":
        bound = max(_INT_BOUND if declared is None else declared, 0)
        fits = 0
    else:
        bound = default if declared is None else declared
        fits = min(f, room - bound)
    if fits < 0 or bound > room:
        raise BoundError(
            f"column {column.name!r}: magnitudes to 2^{bound} in partitions of {rows} rows do not fit; 2^{room} do. "
            f"Declare a smaller bound: bounds={{{column.name!r}: ...}}",
            column=column.name,
            bound=bound,
        )
    return Encoding(fits, bound, rounded=column.kind == "float")


@dataclass(frozen=True, slots=True)
class SharedPartition:
    """keys: by column, the name under which every party keeps its share in the lane's worker."""

    owner: str
    lane: int
    rows: int
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class SharedRows:
    """name: of these shares, unlike that of the dataset, which names the rows in policies."""

    engine: Engine
    name: str
    dataset: str
    policy: Policy | None
    columns: tuple[ColumnInfo, ...]
    partitions: tuple[SharedPartition, ...]
    encodings: Mapping[str, Encoding]
    forgotten: Event = field(default_factory=Event)

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
    def key(self) -> str:
        return self.name

    @property
    def lanes(self) -> frozenset[int]:
        return frozenset(partition.lane for partition in self.partitions)

    def rounding(self, column: str) -> float:
        return self.encodings[column].error

    def step(self, column: str) -> int:
        return self.encodings[column].f

    def fits(self, quantity: Quantity) -> Quantity:
        return quantity

    def forget(self) -> None:
        self.forgotten.set()
        self.engine.forget([key for partition in self.partitions for key in partition.keys.values()])

    def partial(self, build: LaneBuild, quantity: Quantity) -> Value:
        builder, encoding = build.builder, self.encodings[quantity.column]
        here = [partition for partition in self.partitions if partition.lane == build.lane]
        loads = [
            builder.add(Load(partition.keys[quantity.column], encoding.type(partition.rows))) for partition in here
        ]
        kind = quantity.kind
        if kind is QuantityKind.TOTAL and encoding.type(self.count).width + log2_ceil(self.count) < FULL_WIDTH:
            return join(builder, kind, [builder.add(Sum(), load) for load in loads])
        if kind in {QuantityKind.TOTAL, QuantityKind.WIDE_TOTAL}:
            return _widened(builder, [builder.add(Sum(), load) for load in loads])
        if kind is QuantityKind.SQUARES:
            return join(builder, kind, [_squares(builder, load) for load in loads])
        if kind is QuantityKind.COUNTS:
            return join(builder, kind, [_counts(builder, load, quantity.edges) for load in loads])
        if kind is QuantityKind.NEGATED:
            loads = [builder.add(Scale(-1), load) for load in loads]
        return join(builder, kind, [largest(builder, load) for load in loads])


def _widened(builder: Builder, values: list[Value]) -> Value:
    """The sum of numbers (1,), in the wide ring."""
    together = values[0] if len(values) == 1 else builder.add(Concatenate(), *values)
    wide = builder.add(Widen(), together)
    return wide if len(values) == 1 else builder.add(Sum(), wide)


def _squares(builder: Builder, x: Value) -> Value:
    """The sum of x^2 of one partition (rows,), in the wide ring: at once where it fits, else from parts of a split."""
    if 2 * x.type.width - 1 + log2_ceil(x.type.count) < FULL_WIDTH:
        return builder.add(Widen(), builder.add(SumOfSquares(), x))
    shift = max(x.type.width // 2, 1)
    parts = builder.add(Widen(), builder.add(SquareParts(shift), x))
    weighted = [
        builder.add(Scale(1 << power), builder.add(Slice(((at, at + 1, 1),)), parts))
        for at, power in enumerate((2 * shift, shift + 1, 0))
    ]
    total = builder.add(Sum(), builder.add(Concatenate(), *weighted))
    return _with_fraction(builder, total, 2 * x.type.f)


def _with_fraction(builder: Builder, whole: Value, f: int) -> Value:
    """The same ring elements, read with f fractional bits."""
    return builder.add(Rescale(f), whole) if f else whole


def _counts(builder: Builder, x: Value, edges: tuple[float, ...]) -> Value:
    """Counts (bins,) of one partition: differences, on shares, of how many values reach each edge.

    x in units of 2^-f reaches an edge e where x >= ceil(e 2^f), and is beyond the last where x >= floor(e 2^f) + 1.
    """
    scaled = [Fraction(edge) * 2**x.type.f for edge in edges]
    thresholds = [*map(math.ceil, scaled[:-1]), math.floor(scaled[-1]) + 1]
    reach = 2 ** (x.type.width - 1)  # no value is beyond it, so nor need an edge be
    clamped = tuple(min(max(threshold, -reach), reach) for threshold in thresholds)
    reached = builder.add(CountAtLeast(clamped, x.type.width + 1), x)
    bins = len(edges) - 1
    upper = builder.add(Slice(((0, bins, 1),)), reached)
    return builder.add(Subtract(), upper, builder.add(Slice(((1, bins + 1, 1),)), reached))
