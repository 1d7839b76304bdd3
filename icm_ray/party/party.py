"""One party's worker: runs programs on its shares, in rounds in lock-step with the other parties."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import AddressReused, Desynchronised, ProgramError, StockMismatch
from icm_ray.ops.seams import Address, Frame, Link, Words
from icm_ray.party.correlations import Corrections, CorrectionSource, DealtShares
from icm_ray.party.policy import Policy, check_policy
from icm_ray.party.relief import Relief
from icm_ray.party.stocking import fill
from icm_ray.program.begin import SlotName, read_begin
from icm_ray.program.keys import key_for
from icm_ray.program.plan import Plan
from icm_ray.program.program import Program
from icm_ray.protocols.base import Context, Exchange, Round, Share
from icm_ray.protocols.table import TABLE
from icm_ray.ring.clock import Part, spends
from icm_ray.ring.prg import Key
from icm_ray.stock.agreement import exchange_names
from icm_ray.stock.ledger import Batch
from icm_ray.stock.stock import PartyStock, SpentSlot

__all__ = ["Outcome", "Party"]

Ring = NDArray[np.uint64]
Observer = Callable[[int, str, Ring], None]
_FITS = 256 << 10
"""Corrections of so many bytes never fill a line up."""


@dataclass(slots=True)
class Outcome:
    """What a run left with this party: values revealed to it (ring elements) and what it took.

    prepared: whether its randomness was dealt ahead of time.
    """

    results: dict[str, Ring] = field(default_factory=dict)
    attempt: int = 0
    rounds: int = 0
    sent_bytes: int = 0
    dealt_bytes: int = 0
    prepared: bool = False


@dataclass(slots=True)
class _Running:
    steps: Round
    wanted: Exchange


class Party:
    """links: to the other parties, to owners that are none and to the driver, where there are such. secrets: with
    each peer.

    The secret with the dealer gives masks; those with parties and owners are known to neither dealer nor driver.
    stock: randomness dealt ahead of time; None where there can be none.
    """

    def __init__(
        self,
        me: str,
        links: Mapping[str, Link],
        dealer: Link,
        secrets: Mapping[str, bytes],
        dealer_secret: bytes,
        stock: PartyStock | None = None,
    ) -> None:
        self.me, self.stock = me, stock
        self._links, self._dealer = dict(links), dealer
        self._secrets, self._dealer_secret = dict(secrets), dealer_secret
        self._last_attempt = 0
        self._spent: SpentSlot | None = None
        self.store: dict[str, Any] = {}
        self.policies: dict[str, Policy] = {}

    def add_link(self, name: str, link: Link) -> None:
        """A link for revealing to someone who is no party."""
        self._links[name] = link

    def run(
        self,
        program: Program,
        job: int,
        partition: int,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        observe: Observer | None = None,
    ) -> Outcome:
        """Run the program once. `inputs`: ring elements of what this party owns, by name.

        Raises `PolicyError` before a share leaves, `FaultError` when a peer fails, `ProgramError` for a bad program.
        """
        plan = program.plan()
        check_policy(program, self.policies, self.me)
        self.settle()
        address, name = self._begin(program, job, partition)
        outcome = Outcome(attempt=address.attempt, prepared=name is not None)
        slot = self._spent = self._consume(name, address)
        if name is not None:
            self._agree(program, name, address)
        key = key_for(self._dealer_secret, "dealer", address) if slot is None else slot.key
        source = Corrections(self._dealer, address) if slot is None else slot.corrections
        playing = _Run(self, plan, address, key, source, inputs or {}, outcome, observe)
        if slot is None and plan.cost.dealt > _FITS:
            with Relief(self._dealer.read_ahead) as relief:
                playing.play(relief.waiting)
        else:
            playing.play(nullcontext)
        return outcome

    def prepare(self, program: Program, job: int, count: int) -> Batch:
        """Take `count` slots of the program from the dealer; they count once the batch is added to the stock."""
        if self.stock is None:
            raise ProgramError(f"{self.me} has no stock")
        return fill(self.stock, self._dealer, self._dealer_secret, program, job, count, self._new_attempt)

    def settle(self) -> None:
        """Remove the slot of the last run, once its results are out: that takes milliseconds for a large one."""
        slot, self._spent = self._spent, None
        if slot is not None:
            slot.corrections.close()

    def forget(self, key: str) -> None:
        """Drop a kept value or weight, and what was prepared for it."""
        self.store.pop(key, None)
        if self.stock is not None:
            self.stock.forget(key)

    def _consume(self, name: SlotName | None, address: Address) -> SpentSlot | None:
        """The slot that the dealer names, consumed on disk. Nothing was sent yet; a difference raises."""
        try:
            if name is not None and self.stock is None:
                raise StockMismatch(f"{self.me} has no stock", party=self.me, step="stock", differs="store")
            if name is not None and self.stock is not None:
                return self.stock.take(address.program, name)
            if self.stock is not None:
                self.stock.expect_none(address.program)
        except StockMismatch as error:
            raise StockMismatch(error.message, **{**error.where, "partition": address.partition}) from None
        return None

    def _agree(self, program: Program, name: SlotName, address: Address) -> None:
        try:
            exchange_names(name, address, [self._links[peer] for peer in program.parties if peer != self.me])
        except StockMismatch:
            if self.stock is not None:
                self.stock.give_up(address.program)
            raise

    def _begin(self, program: Program, job: int, partition: int) -> tuple[Address, SlotName | None]:
        with spends(Part.DEALER):
            message = self._dealer.receive_message()
        begin = read_begin(message)
        if (begin.job, begin.program, begin.partition) != (job, program.digest, partition):
            raise Desynchronised("the dealer deals for another run", party="dealer", partition=partition, step="begin")
        self._new_attempt(begin.attempt, partition)
        return Address(job, begin.program, partition, begin.attempt), begin.slot

    def _new_attempt(self, attempt: int, partition: int | None = None) -> None:
        if attempt <= self._last_attempt:
            raise AddressReused(f"attempt {attempt} was used before", party="dealer", partition=partition, step="begin")
        self._last_attempt = attempt


class _Run:
    """One walk over a plan: begins what the round begins, merges the rounds of all that run, resumes them."""

    def __init__(
        self,
        party: Party,
        plan: Plan,
        address: Address,
        dealer_key: Key,
        corrections: CorrectionSource,
        inputs: Mapping[str, NDArray[Any]],
        outcome: Outcome,
        observe: Observer | None,
    ) -> None:
        self.party, self.plan, self.address = party, plan, address
        self.inputs, self.outcome, self.observe = inputs, outcome, observe
        self.keys = {name: key_for(secret, "pair", address) for name, secret in party._secrets.items()}
        self.dealer_key, self.corrections = dealer_key, corrections
        self.values: dict[int, Share] = {}
        self.running: dict[int, _Running] = {}
        self.uses = [0] * len(plan.steps)
        self.begins: list[list[int]] = [[] for _ in range(plan.rounds + 1)]
        for index, step in enumerate(plan.steps):
            self.begins[plan.starts[index]].append(index)
            for source in step.inputs:
                self.uses[source] += 1

    def play(self, waiting: Callable[[], AbstractContextManager[None]]) -> None:
        """waiting: what a wait for a peer is wrapped in."""
        for round_, begins in enumerate(self.begins):
            for index in list(self.running):
                self._advance(index, round_)
            for index in begins:
                self._begin(index)
                self._advance(index, round_)
            if round_ < self.plan.rounds:
                self._exchange(waiting)
        self.outcome.dealt_bytes = self.corrections.received
        if self.running:
            raise ProgramError("a program ended with operations that are still running")

    def _begin(self, index: int) -> None:
        step = self.plan.steps[index]
        shares = [self.values[source] for source in step.inputs]
        steps = TABLE[type(step.op)].run(step.op, self.plan.kinds(index), shares, self._context(index), step.type)
        self.running[index] = _Running(steps, Exchange())

    def _context(self, index: int) -> Context:
        corrected = self.plan.corrected[index] == self.party.me
        return Context(
            me=self.party.me,
            parties=self.plan.parties,
            operation=index,
            correlations=DealtShares(self.dealer_key, index, corrected, self.corrections),
            keys=self.keys,
            inputs=self.inputs,
            store=self.party.store,
            results=self.outcome.results,
            observe=self.observe,
        )

    def _advance(self, index: int, round_: int) -> None:
        """Resume an operation until its next round, or its end, which comes in the round that it declared."""
        running, last = self.running[index], self.plan.starts[index] + self.plan.costs[index].rounds
        try:
            running.wanted = next(running.steps)
        except StopIteration as stop:
            if round_ != last:
                raise ProgramError(f"step {index} ended in another round than it declared") from None
            del self.running[index]
            if self.uses[index]:
                self.values[index] = stop.value
            for source in self.plan.steps[index].inputs:
                self.uses[source] -= 1
                if not self.uses[source]:
                    self.values.pop(source, None)

    def _exchange(self, waiting: Callable[[], AbstractContextManager[None]]) -> None:
        """One round: to every peer one frame with the parts of all running operations, then one from every peer."""
        sends: dict[str, list[Words]] = {}
        receives: dict[str, list[Words]] = {}
        for index in sorted(self.running):
            wanted = self.running[index].wanted
            for name, parts in wanted.sends.items():
                sends.setdefault(name, []).extend(parts)
            for name, parts in wanted.receives.items():
                receives.setdefault(name, []).extend(parts)
        frame = Frame(self.address, self.outcome.rounds)
        for name, out in sends.items():
            with spends(Part.WIRE), waiting():
                self._link(name).send(frame, out)
            self.outcome.sent_bytes += sum(part.nbytes for part in out)
        for name, into in receives.items():
            with spends(Part.PEERS), waiting():
                self._link(name).receive(frame, into)
        self.outcome.rounds += 1

    def _link(self, name: str) -> Link:
        link = self.party._links.get(name)
        if link is None:
            raise ProgramError(f"{self.party.me} has no link to {name}")
        return link
