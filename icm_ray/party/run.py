"""One run of a plan at one party: operations begin in their rounds and are resumed after each, until they end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ProgramError
from icm_ray.ops.linear import Concatenate, Reveal
from icm_ray.ops.seams import Address, Frame, Link, Words, party_after
from icm_ray.ops.values import Kind
from icm_ray.party.correlations import CorrectionSource, DealtShares
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Context, Exchange, Round, Share, alone
from icm_ray.protocols.table import TABLE
from icm_ray.ring.array import RingArray
from icm_ray.ring.prg import Key
from icm_ray.schedule.dependencies import needs_by_key
from icm_ray.schedule.plan import Plan
from icm_ray.schedule.thread_pool import ThreadPool

__all__ = ["Observer", "PartyEnv", "Run", "RunResult"]

_SENDING, _WAITING = spends(Part.WIRE), spends(Part.PEERS)


class Observer(Protocol):
    """Told of the operation, the name and the words of what is opened to all parties."""

    def __call__(self, operation: int, what: str, value: RingArray, /) -> None: ...


@dataclass(slots=True)
class RunResult:
    """What a run left with this party: values revealed to it (ring elements) and what it took.

    preprocessed: whether its randomness was dealt ahead of time.
    """

    results: dict[str, RingArray] = field(default_factory=dict)
    attempt: int = 0
    rounds: int = 0
    sent_bytes: int = 0
    dealt_bytes: int = 0
    preprocessed: bool = False


@dataclass(frozen=True, slots=True)
class PartyEnv:
    """What the party brings to a run: links by peer, keys with peers and with the dealer, corrections, what it keeps
    between runs, inputs by name.
    """

    me: str
    links: Mapping[str, Link]
    keys: Mapping[str, Key]
    dealer_key: Key
    corrections: CorrectionSource
    store: MutableMapping[str, Any]
    inputs: Mapping[str, NDArray[Any]]
    observe: Observer | None


@dataclass(slots=True)
class _Running:
    steps: Round
    wanted: Exchange


class Run:
    """One walk over a plan: begins what the round begins, merges the rounds of all that run, resumes them.

    The pool's threads advance the operations of a round together, where several are worth it; what is sent, once all
    have advanced, is the same for any number of them.
    """

    def __init__(self, mine: PartyEnv, plan: Plan, address: Address, outcome: RunResult, pool: ThreadPool) -> None:
        self._mine, self._plan, self._address, self._outcome = mine, plan, address, outcome
        self._pool, self._several = pool, pool.threads > 1
        self._lock = Lock()
        self._observe = self._observed if self._several and mine.observe is not None else mine.observe
        self._values: dict[int, Share] = {}
        self._running: dict[int, _Running] = {}
        self._uses = [0] * len(plan.steps)
        self._homes = _homes(plan)
        self._wholes: dict[int, RingArray] = {}
        self._begins: list[list[int]] = [[] for _ in range(plan.rounds + 1)]
        for index, step in enumerate(plan.steps):
            self._begins[plan.starts[index]].append(index)
            for source in step.inputs:
                self._uses[source] += 1

    def play(self, waiting: Callable[[], AbstractContextManager[None]]) -> None:
        """Walk the plan; the outcome is filled in. waiting: what a wait for a peer is wrapped in."""
        for round_, begins in enumerate(self._begins):
            indices = [*sorted(self._running), *begins]
            if self._several and sum(self._plan.bulky[index] for index in indices) > 1:
                self._in_parallel(indices, round_)
            else:
                for index in indices:
                    self._advance(index, round_)
            if round_ < self._plan.rounds:
                self._exchange(waiting)
        self._outcome.dealt_bytes = self._mine.corrections.received
        if self._running:
            raise ProgramError("a program ended with operations that are still running")
        if self._several:
            self._sort_results()

    def _in_parallel(self, indices: Sequence[int], round_: int) -> None:
        steps, places = self._plan.steps, {index: place for place, index in enumerate(indices)}
        needs = needs_by_key([steps[index].op for index in indices])
        for place, index in enumerate(indices):
            needs[place].update(places[source] for source in steps[index].inputs if source in places)
        self._pool.carry_out(needs, lambda place: self._advance(indices[place], round_))

    def _sort_results(self) -> None:
        """In the order in which one thread finds them: it is that of what the driver is sent."""
        plan, found = self._plan, self._outcome.results
        reveals = [(index, step.op.name) for index, step in enumerate(plan.steps) if isinstance(step.op, Reveal)]
        reveals.sort(key=lambda reveal: plan.starts[reveal[0]] + plan.costs[reveal[0]].rounds)
        self._outcome.results = {name: found[name] for _, name in reveals if name in found}

    def _begin(self, index: int) -> _Running:
        step = self._plan.steps[index]
        shares = [self._values[source] for source in step.inputs]
        steps = TABLE[type(step.op)].run(step.op, self._plan.kinds(index), shares, self._context(index), step.type)
        running = self._running[index] = _Running(steps, Exchange())
        return running

    def _context(self, index: int) -> Context:
        mine = self._mine
        corrected = self._plan.corrected[index]
        second = party_after(self._plan.parties, corrected)
        return Context(
            me=mine.me,
            parties=self._plan.parties,
            operation=index,
            correlations=DealtShares(
                mine.dealer_key, index, corrected == mine.me, mine.corrections, second=second == mine.me
            ),
            keys=mine.keys,
            inputs=mine.inputs,
            store=mine.store,
            results=self._outcome.results,
            observe=self._observe,
            place=self._place(index),
            threads=self._pool.borrow if self._several and self._plan.large[index] else alone,
        )

    def _place(self, index: int) -> RingArray | None:
        """Where a block's result goes in the array that the blocks are put together in."""
        if index not in self._homes:
            return None
        whole, start, stop = self._homes[index]
        with self._lock:
            if whole not in self._wholes:
                self._wholes[whole] = np.empty(self._plan.steps[whole].type.count, np.uint64)
            return self._wholes[whole][start:stop]

    def _observed(self, operation: int, what: str, value: RingArray) -> None:
        if self._mine.observe is not None:
            with self._lock:
                self._mine.observe(operation, what, value)

    def _advance(self, index: int, round_: int) -> None:
        """Begin or resume an operation until its next round, or its end, which comes in the round that it declared."""
        running = self._running.get(index) or self._begin(index)
        try:
            running.wanted = next(running.steps)
        except StopIteration as stop:
            if round_ != self._plan.starts[index] + self._plan.costs[index].rounds:
                raise ProgramError(f"step {index} ended in another round than it declared") from None
            del self._running[index]
            if not self._several:
                self._end(index, stop.value)
                return
            with self._lock:
                self._end(index, stop.value)

    def _end(self, index: int, value: Share) -> None:
        if self._uses[index]:
            self._values[index] = value
        self._wholes.pop(index, None)
        for source in self._plan.steps[index].inputs:
            self._uses[source] -= 1
            if not self._uses[source]:
                self._values.pop(source, None)

    def _exchange(self, waiting: Callable[[], AbstractContextManager[None]]) -> None:
        """One round: to every peer one frame with the parts of all running operations, then one from every peer."""
        sends: dict[str, list[Words]] = {}
        receives: dict[str, list[Words]] = {}
        for index in sorted(self._running):
            wanted = self._running[index].wanted
            for name, parts in wanted.sends.items():
                sends.setdefault(name, []).extend(parts)
            for name, parts in wanted.receives.items():
                receives.setdefault(name, []).extend(parts)
        frame = Frame(self._address, self._outcome.rounds)
        for name, out in sends.items():
            with _SENDING, waiting():
                self._link(name).send(frame, out)
            self._outcome.sent_bytes += sum(part.nbytes for part in out)
        for name, into in receives.items():
            with _WAITING, waiting():
                self._link(name).receive(frame, into)
        self._outcome.rounds += 1

    def _link(self, name: str) -> Link:
        link = self._mine.links.get(name)
        if link is None:
            raise ProgramError(f"{self._mine.me} has no link to {name}")
        return link


def _homes(plan: Plan) -> dict[int, tuple[int, int, int]]:
    """For steps that are put together: in which step, and from which word of it to which."""
    homes: dict[int, tuple[int, int, int]] = {}
    for index, step in enumerate(plan.steps):
        if not isinstance(step.op, Concatenate) or step.op.axis or step.type.kind is not Kind.SHARE:
            continue
        start = 0
        for source in step.inputs:
            stop = start + plan.steps[source].type.count
            homes[source] = (index, start, stop)
            start = stop
    return homes
