"""One party's worker: runs programs on its shares, in rounds in lock-step with the other parties."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Collection, Mapping
from contextlib import nullcontext
from typing import Any

from numpy.typing import NDArray

from icm_ray.errors import AddressReused, Desynchronised, PolicyError, ProgramError, StockMismatch
from icm_ray.ops.labels import Labels
from icm_ray.ops.seams import Address, Link
from icm_ray.party.correction_prefetch import CorrectionPrefetch
from icm_ray.party.correlations import Corrections, SharedCorrections
from icm_ray.party.policy import check_labels, check_policy, kept_labels
from icm_ray.party.preprocess import fill
from icm_ray.party.run import Observer, PartyEnv, Run, RunResult
from icm_ray.policy import Policy
from icm_ray.preprocessing.ledger import Batch
from icm_ray.preprocessing.slot_handshake import exchange_names
from icm_ray.preprocessing.stock import PartyStock, SpentSlot
from icm_ray.profile import Part, spends
from icm_ray.program.kept import Kept, hold_to_kept
from icm_ray.program.keys import key_for
from icm_ray.program.program import Program
from icm_ray.program.run_header import SlotName, read_begin
from icm_ray.program.stamped import Stamped
from icm_ray.ring.array import RingArray
from icm_ray.schedule.thread_pool import ThreadPool

__all__ = ["Observer", "Party", "RunResult"]

_FITS = 256 << 10
"""Corrections of so many bytes never fill a line up."""


class Party:
    """links: to the other parties, to external owners and to the driver, where there are such. secrets: with
    each peer.

    The secret with the dealer gives masks; those with parties and owners are known to neither dealer nor driver.
    stock: randomness dealt ahead of time; None where there can be none. threads: that work on its operations.
    """

    def __init__(
        self,
        me: str,
        links: Mapping[str, Link],
        dealer: Link,
        secrets: Mapping[str, bytes],
        dealer_secret: bytes,
        stock: PartyStock | None = None,
        threads: int = 1,
    ) -> None:
        self.me, self.stock, self._threads = me, stock, threads
        self.relink(links, dealer, secrets, dealer_secret)
        self._last_attempt = 0
        self._spent: SpentSlot | None = None
        self.store: dict[str, Any] = {}
        self.kept: dict[str, Kept] = {}  # what each key of the store stands for
        self.labels: dict[str, Labels] = {}  # whose rows what is kept is made of, by key
        self.policies: dict[str, Policy] = {}  # by dataset
        self._stored: tuple[str, ...] = ()  # by the last run, or taken since
        self._without: set[str] = set()  # datasets that were forgotten, but for what is kept of them

    def relink(
        self, links: Mapping[str, Link], dealer: Link, secrets: Mapping[str, bytes], dealer_secret: bytes
    ) -> None:
        """Work over these links from now on, under these secrets. Shares, policies and stock stay."""
        self._links, self._dealer = dict(links), dealer
        self._secrets, self._dealer_secret = dict(secrets), dealer_secret

    def run(
        self,
        stamped: Stamped,
        job: int,
        partition: int,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        observe: Observer | None = None,
    ) -> RunResult:
        """Run the program once. `inputs`: ring elements of what this party owns, by name.

        Raises `PolicyError` before a share leaves, `FaultError` when a peer fails, `ProgramError` for a bad program.
        """
        program, plan = stamped.program, stamped.plan()
        made, staged = self.check(program), dict[str, Any]()
        self._stored = ()
        self.settle()
        address, name = self._begin(stamped, job, partition)
        allowed = plan.allowances[self.me]
        for peer in self._links.values():
            peer.set_receive_limits(plan.frame, plan.frame)
        self._dealer.set_receive_limits(allowed.largest, allowed.ahead)  # it may be among those links
        outcome = RunResult(attempt=address.attempt, preprocessed=name is not None)
        slot = self._spent = self._consume(name, address)
        if name is not None:
            self._agree(program, name, address)
        key = key_for(self._dealer_secret, "dealer", address) if slot is None else slot.key
        dealt = SharedCorrections if self._threads > 1 else Corrections
        source = dealt(self._dealer, address, allowed) if slot is None else slot.corrections
        keys = {peer: key_for(secret, "pair", address) for peer, secret in self._secrets.items()}
        store = ChainMap(staged, self.store)  # a run that ends early leaves nothing
        mine = PartyEnv(self.me, self._links, keys, key, source, store, inputs or {}, observe)
        with ThreadPool(self._threads) as pool:
            playing = Run(mine, plan, address, outcome, pool)
            if slot is None and sum(cost.dealt for cost in plan.costs) > _FITS:
                with CorrectionPrefetch(self._dealer.read_ahead) as prefetch:
                    playing.play(prefetch.waiting)
            else:
                playing.play(nullcontext)
        self.store.update(staged)
        self.kept.update(made)
        self.labels.update(kept_labels(program))
        self._stored = tuple(staged)
        return outcome

    def keep(self, taken: Mapping[str, tuple[RingArray, Kept, Labels]]) -> None:
        """Keep shares that come from this party's worker in another lane: words, what they stand for, whose rows."""
        for key, (words, kept, labels) in taken.items():
            self.store[key], self.kept[key], self.labels[key] = words, kept, labels
        self._stored = tuple(taken)

    def undo(self) -> None:
        """Drop what the last run left, or was taken since: other members did not end it."""
        for key in self._stored:
            self.forget(key)
        self._stored = ()

    def check(self, program: Program) -> dict[str, Kept]:
        """Raise `PolicyError` where a policy refuses the program, `ProgramError` where what is kept is not what it says
        that it takes; what it will keep, by key.
        """
        check_policy(program, self.policies, self.me)
        check_labels(program, self.labels, self.me)
        return hold_to_kept(program, self.kept, self.me)

    def preprocess(self, stamped: Stamped, job: int, count: int) -> Batch:
        """Take `count` slots of the program from the dealer; they count once the batch is added to the stock."""
        if self.stock is None:
            raise ProgramError(f"{self.me} has no stock")
        allowed = stamped.plan().allowances[self.me]
        self._dealer.set_receive_limits(allowed.largest, 0)
        return fill(self.stock, self._dealer, self._dealer_secret, stamped, job, count, self._new_attempt, allowed)

    def settle(self) -> None:
        """Remove the slot of the last run, once its results are out: that takes milliseconds for a large one."""
        slot, self._spent = self._spent, None
        if slot is not None:
            slot.corrections.close()

    def set_policy(self, dataset: str, policy: Policy) -> None:
        """What may be revealed of a dataset, as long as anything of it is kept. Raises `PolicyError` where another
        policy is kept already.
        """
        if self.policies.get(dataset, policy) != policy:
            raise PolicyError(
                f"{self.me} refuses: it keeps another policy of {dataset}", party=self.me, dataset=dataset
            )
        self.policies[dataset] = policy

    def forget(self, key: str, held: Collection[str] = ()) -> None:
        """Drop a kept value or weight, and what was prepared for it; or a dataset's policy, once nothing made of its
        rows is kept, nor the rows themselves. held: datasets whose rows are.
        """
        self.store.pop(key, None)
        self.kept.pop(key, None)
        self.labels.pop(key, None)
        if key in self.policies:
            self._without.add(key)
        if self._without:
            made_of = {label.dataset for labels in self.labels.values() for label in labels}
            for dataset in self._without - made_of - set(held):
                self._without.discard(dataset)
                self.policies.pop(dataset, None)
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

    def _begin(self, stamped: Stamped, job: int, partition: int) -> tuple[Address, SlotName | None]:
        with spends(Part.DEALER):
            message = self._dealer.receive_message()
        begin = read_begin(message)
        if (begin.job, begin.program, begin.partition) != (job, stamped.digest, partition):
            raise Desynchronised("the dealer deals for another run", party="dealer", partition=partition, step="begin")
        self._new_attempt(begin.attempt, partition)
        return Address(job, begin.program, partition, begin.attempt), begin.slot

    def _new_attempt(self, attempt: int, partition: int | None = None) -> None:
        if attempt <= self._last_attempt:
            raise AddressReused(f"attempt {attempt} was used before", party="dealer", partition=partition, step="begin")
        self._last_attempt = attempt
