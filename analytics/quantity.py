"""The shared values that statistics are made of: partial ones of every lane, joined into one.

A quantity is what is shared and added up (or compared); what is opened of it, and how it is read, `measures` says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Event
from typing import Protocol

from icm_ray.errors import BoundError
from icm_ray.ops.compare import Maximum
from icm_ray.ops.linear import Add, Concatenate, Input, Sum
from icm_ray.ops.values import FULL_WIDTH, ValueType
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.tasks import ColumnInfo, InputTask
from icm_ray.runtime.driver.engine import Engine, LaneJob

__all__ = ["LaneBuild", "Part", "Quantity", "QuantityKind", "Rows", "join", "largest"]


class QuantityKind(StrEnum):
    """What is computed of a column's rows; every one but `COUNTS` is a number, shape (1,)."""

    TOTAL = "sum"
    WIDE_TOTAL = "wide sum"
    SQUARES = "sum of squares"
    LARGEST = "maximum"
    NEGATED = "maximum of the negated values"
    COUNTS = "counts"
    VALUES = "number of values"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity of one column. edges: of counts alone, shape (bins + 1,), in the column's units."""

    kind: QuantityKind
    column: str
    edges: tuple[float, ...] = ()


class Rows(Protocol):
    """The rows behind a frame: with their owners, or as shares of the parties."""

    @property
    def engine(self) -> Engine:
        """The session."""

    @property
    def dataset(self) -> str:
        """The name under which parties keep the policy of these rows."""

    @property
    def policy(self) -> Policy | None:
        """What may be revealed."""

    @property
    def columns(self) -> tuple[ColumnInfo, ...]:
        """Names and kinds: public."""

    @property
    def count(self) -> int:
        """Rows of all owners together: public."""

    @property
    def owners(self) -> Mapping[str, int]:
        """The rows that each owner brought: public."""

    @property
    def shared(self) -> bool:
        """Whether the rows are shares."""

    @property
    def lanes(self) -> frozenset[int]:
        """The lanes whose workers hold or read rows."""

    @property
    def key(self) -> str:
        """A name of these rows that no others of the session have."""

    def fits(self, quantity: Quantity) -> Quantity:
        """The quantity to ask for in the given one's place, where this kind of rows serves both by the same value."""

    def forget(self) -> None:
        """Let the workers drop the rows."""

    @property
    def forgotten(self) -> Event:
        """Set once the rows were forgotten."""

    def partial(self, build: LaneBuild, quantity: Quantity) -> Value:
        """What the rows of one lane contribute."""

    def rounding(self, column: str) -> float:
        """How far one value of the column, as it is computed with, may be from the plain one."""

    def step(self, column: str) -> int:
        """Fractional bits of the values that counts and extremes compare; -1 where owners compare plain values."""


@dataclass(frozen=True, slots=True)
class Part:
    """A quantity of certain rows: what lanes contribute to."""

    rows: Rows
    quantity: Quantity

    @property
    def key(self) -> tuple[str, Quantity]:
        """Two parts of one key are one value."""
        return self.rows.key, self.quantity


class LaneBuild:
    """A program for one lane while it is written, with what owners have to bring for it.

    rows: the public number of rows behind what the program reveals.
    """

    def __init__(self, engine: Engine, lane: int, rows: int) -> None:
        self.lane = lane
        self.builder = Builder(engine.parties, engine.owners, rows, engine.config.in_flight, engine.threads)
        self._tasks: dict[str, dict[str, InputTask]] = {}

    def bring(self, owner: str, name: str, task: InputTask, kind: ValueType) -> Value:
        """Add an input that the owner's own worker makes; an input of that name gets a number behind it."""
        mine = self._tasks.setdefault(owner, {})
        taken = sum(known == name or known.startswith(f"{name} #") for known in mine)
        label = f"{name} #{taken + 1}" if taken else name
        mine[label] = task
        return self.builder.add(Input(owner, label, kind))

    def job(self, partition: int = 0) -> LaneJob:
        """The finished program, to be executed."""
        return LaneJob(self.lane, self.builder.build(), partition, dict(self._tasks))


def join(builder: Builder, kind: QuantityKind, values: Sequence[Value]) -> Value:
    """One value from those of several places: the largest of them, or their sum."""
    if len(values) == 1:
        return values[0]
    if kind in {QuantityKind.LARGEST, QuantityKind.NEGATED}:
        return largest(builder, builder.add(Concatenate(), *values))
    if kind is not QuantityKind.COUNTS:
        return builder.add(Sum(), builder.add(Concatenate(), *values))
    level = list(values)
    while len(level) > 1:  # in pairs, so that the width grows with the logarithm of their number
        pairs = [builder.add(Add(), a, b) for a, b in zip(level[::2], level[1::2], strict=False)]
        level = pairs + level[2 * len(pairs) :]
    return level[0]


def largest(builder: Builder, values: Value) -> Value:
    """The largest of shared values (n,): shape (1,)."""
    width = values.type.width + 1
    if width > FULL_WIDTH:
        raise BoundError(f"a maximum of values of {width - 1} bits does not fit; declare a smaller bound", width=width)
    return builder.add(Maximum(width), values)
