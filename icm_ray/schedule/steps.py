"""What is really dealt and run: a program's nodes with their types, some of them cut into blocks of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icm_ray.ops.catalogue import Edge, Long, Operation, row_of
from icm_ray.ops.cost import Cost
from icm_ray.ops.values import ValueType
from icm_ray.protocols.table import TABLE

__all__ = ["Step", "cost_of", "costs_of", "in_flight_for", "shares_of", "size_of", "working_set"]

_LEAST: int = 3 << 19
"""Bytes that are always allowed in flight: below, cutting costs more than it saves."""
_DEEP: int = 16
"""Operations after which a program is a deep one, as a network's are: blocks of each would cost it rounds, and a step's
other parts are worked on meanwhile anyway."""
_LEAST_OF_DEEP: int = 1 << 27
"""What is always allowed there."""


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on earlier steps, and the type of its result."""

    op: Operation
    inputs: tuple[int, ...]
    type: ValueType


def size_of(kind: ValueType) -> int:
    """Bytes of one party's share."""
    return kind.count * 8 * kind.limbs


def cost_of(op: Operation, inputs: list[ValueType], parties: tuple[str, ...], out: ValueType) -> Cost:
    """What the operation declares."""
    return TABLE[type(op)].cost(op, inputs, parties, out)


def costs_of(parties: tuple[str, ...], steps: Sequence[Step]) -> tuple[Cost, ...]:
    """What each of the steps costs."""
    return tuple(
        [cost_of(step.op, [steps[source].type for source in step.inputs], parties, step.type) for step in steps]
    )


def working_set(op: Operation, cost: Cost, out: ValueType) -> int:
    """Bytes that a party holds while the operation runs, or a little more: what is opened, of itself and of every peer,
    the masks of that, what is dealt, the result. 0 for local operations and those at the edges.
    """
    row = row_of(op)
    if row.edge is not Edge.NONE or not (cost.rounds or cost.dealt):
        return 0
    parties = len(cost.sent)
    opened = max(cost.sent) // (parties - 1)
    held = (1 + parties) * opened + 9 * cost.dealt // 8 + size_of(out)
    return 3 * held // 4 if row.compares else held


def in_flight_for(steps: Sequence[Step], costs: Sequence[Cost], shares: Sequence[tuple[int, int]]) -> int:
    """Bytes of working sets that a worker may hold at once: with inputs and outputs no more than four times these, or
    128 MiB where there are many operations, one after the other.

    shares: what `shares_of` says. Those that count are those that the program is given and leaves, or those of its
    largest operation.
    """
    # the result is there twice for a moment: in blocks, and put together
    room = max(7 * (3 * taken + 2 * made) // 8 for taken, made in shares)
    # the levels of a long row's maximum stand beside it: half of it each, differences and larger ones
    rows = (steps[step.inputs[0]].type for step in steps if row_of(step.op).long is Long.LEVELS)
    return max(
        _LEAST_OF_DEEP if _talking(steps, costs) >= _DEEP else _LEAST,
        room - max((size_of(row) for row in rows if len(row.shape) == 1), default=0),
    )


def _talking(steps: Sequence[Step], costs: Sequence[Cost]) -> int:
    """How many operations open anything between a program's inputs and its results."""
    return sum(cost.rounds > 0 and row_of(step.op).edge is Edge.NONE for step, cost in zip(steps, costs, strict=True))


def shares_of(steps: Sequence[Step]) -> list[tuple[int, int]]:
    """Bytes of a party's shares that are taken and made: by the program as a whole, and by each of its operations."""
    sizes = [size_of(step.type) for step in steps]
    given = left = 0
    for step, size in zip(steps, sizes, strict=True):
        edge = row_of(step.op).edge
        if edge is Edge.GIVEN:
            given += size
        elif edge is Edge.LEFT or edge is Edge.REVEALED:
            left += size
    each = [(sum([sizes[source] for source in step.inputs]), size) for step, size in zip(steps, sizes, strict=True)]
    return [(given, left), *each]
