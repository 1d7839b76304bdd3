"""A program for one lane while it is written, with what owners have to bring for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from icm_ray.ops.labels import Labels
from icm_ray.ops.linear import Input
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.program.program import Program
from icm_ray.query.group_tables import in_one_table
from icm_ray.query.tasks import InputTask

__all__ = ["LaneBuild", "LaneProgram", "Members"]


class Members(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who takes part: the parties in order, and the owners that are no party."""

    parties: tuple[str, ...]
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LaneProgram:
    """One run on one lane. tasks: by owner, by input name, how the owner's worker makes the input."""

    lane: int
    program: Program
    partition: int = 0
    tasks: Mapping[str, Mapping[str, InputTask]] = field(default_factory=dict)


class LaneBuild:
    """For these members, on this lane."""

    def __init__(self, members: Members, lane: int) -> None:
        self.lane = lane
        self.builder = Builder(members.parties, members.owners)
        self.memo: dict[Any, Any] = {}
        """What was computed for one statistic and serves others, by what it is."""
        self._tasks: dict[str, dict[str, InputTask]] = {}

    def bring(self, owner: str, name: str, task: InputTask, kind: ValueType, labels: Labels) -> Value:
        """Add an input that the owner's own worker makes, of the rows that the labels say; an input of that name gets a
        number behind it.
        """
        mine = self._tasks.setdefault(owner, {})
        taken = sum(known == name or known.startswith(f"{name} #") for known in mine)
        label = f"{name} #{taken + 1}" if taken else name
        mine[label] = task
        return self.builder.add(Input(owner, label, kind, labels))

    def program(self, partition: int = 0) -> LaneProgram:
        """What was written, checked."""
        return LaneProgram(self.lane, in_one_table(self.builder.build()), partition, dict(self._tasks))
