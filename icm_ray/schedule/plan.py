"""How a program is dealt and run: its steps, what each costs, in which round each begins, who gets its corrections.

All of it follows from the program and its public shapes, so that parties, dealer and owners agree without a word.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import groupby

from icm_ray.ops.catalogue import Node
from icm_ray.ops.cost import Cost
from icm_ray.ops.values import ValueType
from icm_ray.schedule import parallel_threshold
from icm_ray.schedule.allowances import Allowance, allowances, largest_frame
from icm_ray.schedule.blocks import in_blocks
from icm_ray.schedule.reads import with_reads
from icm_ray.schedule.steps import Step, costs_of, in_flight_for, shares_of, working_set

__all__ = ["Plan", "plan_of"]


@dataclass(frozen=True, slots=True)
class Plan:
    """steps: in an order in which inputs come first. costs: of each. starts: the round in which each begins.

    rounds: of the whole. in_flight: bytes of working sets that a worker may hold at once. shares: bytes of a party's
    shares of inputs and outputs, or of those of the largest operation. order: of dealing, that in which the steps
    begin. corrected: the party that gets the dealer's corrections of each step: of all that begin in one round the one
    that had least so far, since a party that waits for corrections behind another's, of a step beside, would wait for
    that one; what an operation deals by tags from `SECOND` on goes to the party after that. bulky: which steps are
    worth a thread of their own; large: which of them are products that are worth several. allowances: what the
    dealer may send each party. frame: bytes of the largest frame between two others.
    """

    parties: tuple[str, ...]
    steps: tuple[Step, ...]
    costs: tuple[Cost, ...]
    starts: tuple[int, ...]
    rounds: int
    in_flight: int
    shares: int
    order: tuple[int, ...]
    corrected: tuple[str, ...]
    bulky: tuple[bool, ...]
    large: tuple[bool, ...]
    allowances: Mapping[str, Allowance]
    frame: int

    def kinds(self, index: int) -> list[ValueType]:
        """The types of what a step takes."""
        return [self.steps[source].type for source in self.steps[index].inputs]

    @property
    def cost(self) -> Cost:
        """The whole."""
        total = Cost.free(len(self.parties))
        for cost in self.costs:
            total = total.then(cost)
        return Cost(self.rounds, total.sent, total.dealt, total.second)


def plan_of(
    parties: tuple[str, ...], nodes: tuple[Node, ...], types: tuple[ValueType, ...], in_flight: int, threads: int = 1
) -> Plan:
    """in_flight: bytes of working sets that a worker may hold at once; 0: as much as keeps it within four times its
    shares of inputs and outputs, or 128 MiB in programs of many operations. threads: how many blocks of
    them can be worked on at once.
    """
    narrowed = zip(with_reads(nodes, types), types, strict=True)
    given = tuple(Step(node.op, node.inputs, kind) for node, kind in narrowed)
    costs, shares = costs_of(parties, given), shares_of(given)
    room = in_flight or in_flight_for(given, costs, shares)
    weights = [working_set(step.op, cost, step.type) for step, cost in zip(given, costs, strict=True)]
    steps = in_blocks(parties, given, weights, room, threads)
    if steps is not given:
        costs = costs_of(parties, steps)
        weights = [working_set(step.op, cost, step.type) for step, cost in zip(steps, costs, strict=True)]
    starts, rounds = _schedule(steps, costs, weights, room)
    order = tuple(sorted(range(len(steps)), key=lambda index: (starts[index], index)))
    corrected = _corrected(parties, costs, starts, order)
    large = tuple(
        parallel_threshold.is_large(step.op, [steps[source].type for source in step.inputs], step.type)
        for step in steps
    )
    bulky = tuple(one or weight >= parallel_threshold.LEAST for one, weight in zip(large, weights, strict=True))
    return Plan(
        parties,
        steps,
        costs,
        starts,
        rounds,
        room,
        max(taken + made for taken, made in shares),
        order,
        corrected,
        bulky,
        large,
        allowances(parties, costs, starts, corrected),
        largest_frame(steps, costs, starts),
    )


def _corrected(
    parties: tuple[str, ...], costs: tuple[Cost, ...], starts: tuple[int, ...], order: tuple[int, ...]
) -> tuple[str, ...]:
    given, chosen = [0] * len(parties), [parties[0]] * len(costs)
    for _, begun in groupby(order, lambda index: starts[index]):
        least = given.index(min(given))
        for index in begun:
            given[least] += costs[index].dealt - costs[index].second
            given[(least + 1) % len(parties)] += costs[index].second
            chosen[index] = parties[least]
    return tuple(chosen)


def _schedule(
    steps: tuple[Step, ...], costs: tuple[Cost, ...], weights: list[int], room: int
) -> tuple[tuple[int, ...], int]:
    """Every step begins as soon as its inputs are there and its working set fits, in order; one alone always fits."""
    waits, users = [len(set(step.inputs)) for step in steps], [[] for _ in steps]  # type: list[int], list[list[int]]
    for index, step in enumerate(steps):
        for source in set(step.inputs):
            users[source].append(index)
    starts, held, now = [0] * len(steps), 0, 0
    ready = [index for index, count in enumerate(waits) if not count]
    ending: list[tuple[int, int]] = []

    def finish(index: int) -> None:
        for user in users[index]:
            waits[user] -= 1
            if not waits[user]:
                heappush(ready, user)

    while ready or ending:
        put_off, full = [], False
        while ready:
            index = heappop(ready)
            if weights[index] and (full or (held and held + weights[index] > room)):
                full = True
                put_off.append(index)
                continue
            starts[index] = now
            if costs[index].rounds:
                held += weights[index]
                heappush(ending, (now + costs[index].rounds, index))
            else:
                finish(index)
        ready = put_off  # sorted, since they were taken in order: a heap
        if ending:
            now = ending[0][0]
            while ending and ending[0][0] == now:
                index = heappop(ending)[1]
                held -= weights[index]
                finish(index)
    return tuple(starts), now
