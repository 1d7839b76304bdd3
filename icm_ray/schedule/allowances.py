"""How much a member of a lane may be sent in a run of a plan, and how much of it before it asks for that.

A party is in round t. What it has not taken yet of what the dealer sent are corrections of steps that have not ended
before t. It must take in those of steps that begin by t + 1, and not more: whoever it waits for is in no later round,
and the dealer sends in the order in which steps begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from icm_ray.ops.cost import Cost
from icm_ray.ops.linear import Input
from icm_ray.ops.seams import party_after
from icm_ray.schedule.steps import Step, size_of

__all__ = ["Allowance", "allowances", "largest_frame"]

_LEAST: Final = 4 << 10
"""Bytes that any frame may have: names of slots are exchanged, too."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """corrections: bytes that a party is sent for each step, where any. ahead: of them, those that it may have to keep
    at a time. largest: of those of one step.
    """

    corrections: Mapping[int, int]
    ahead: int
    largest: int


def allowances(
    parties: tuple[str, ...], costs: Sequence[Cost], starts: Sequence[int], corrected: Sequence[str]
) -> dict[str, Allowance]:
    """What each party may be sent by the dealer."""
    due: dict[str, dict[int, int]] = {name: {} for name in parties}
    for index, (cost, name) in enumerate(zip(costs, corrected, strict=True)):
        for to, size in ((name, cost.dealt - cost.second), (party_after(parties, name), cost.second)):
            if size:
                due[to][index] = size
    found: dict[str, Allowance] = {}
    for name, steps in due.items():
        spans = [(starts[index], starts[index] + costs[index].rounds + 1, size) for index, size in steps.items()]
        found[name] = Allowance(steps, _most(spans), max(steps.values(), default=0))
    return found


def largest_frame(steps: Sequence[Step], costs: Sequence[Cost], starts: Sequence[int]) -> int:
    """Bytes that one party or owner sends another in one round, at most: parts of all steps that are under way."""
    spans: list[tuple[int, int, int]] = []
    for step, cost, start in zip(steps, costs, starts, strict=True):
        size = max(cost.sent) + (size_of(step.type) if isinstance(step.op, Input) else 0)
        spans.append((start, start + cost.rounds, size))
    return max(_LEAST, _most(spans))


def _most(spans: Iterable[tuple[int, int, int]]) -> int:
    """The most that is there at a time, of (first, last, size)."""
    changes: dict[int, int] = {}
    for first, last, size in spans:
        changes[first] = changes.get(first, 0) + size
        changes[last + 1] = changes.get(last + 1, 0) - size
    return max(accumulate(change for _, change in sorted(changes.items())), default=0)
