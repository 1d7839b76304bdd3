"""The dealer of a lane: walks the same program as the parties, ahead of them, and hears nothing of what they do."""

from __future__ import annotations

from collections import ChainMap, Counter
from collections.abc import Callable, Mapping, MutableMapping
from typing import Final

import msgspec
import numpy as np

from icm_ray.dealer.dealing import OperationDealing, Outlet
from icm_ray.dealer.ordered_sender import OrderedSender
from icm_ray.errors import ProgramError
from icm_ray.names import DEALER
from icm_ray.ops.seams import Address, Frame, Link
from icm_ray.preprocessing.filling import END, Filling, check_preparable, weights_of
from icm_ray.preprocessing.keys import slot_key, slot_secret
from icm_ray.preprocessing.ledger import Batch
from icm_ray.preprocessing.stock import DealerStock
from icm_ray.profile import Part, spends
from icm_ray.program.kept import Kept, hold_to_kept
from icm_ray.program.keys import key_for
from icm_ray.program.program import Program
from icm_ray.program.run_header import Begin
from icm_ray.program.stamped import Stamped
from icm_ray.protocols.base import Threads, alone
from icm_ray.protocols.table import TABLE
from icm_ray.ring.prg import Key
from icm_ray.schedule.dependencies import keeps, needs_by_key
from icm_ray.schedule.thread_pool import ThreadPool

__all__ = ["Dealer"]

_AHEAD: Final = (512 << 10, 64 << 20)
"""Bytes that the dealer keeps for each party beyond what the system's buffers hold, at least and at most: a quarter of
what a worker may hold in flight."""


class Dealer:
    """links: to parties and outside owners; secrets: with parties. The links' bounded queues keep the dealer from
    running too far ahead. stock: which slots were dealt ahead of time; None where none can be. threads: that deal.
    """

    def __init__(
        self,
        links: Mapping[str, Link],
        secrets: Mapping[str, bytes],
        stock: DealerStock | None = None,
        threads: int = 1,
    ) -> None:
        self.relink(links, secrets)
        self.stock, self._threads = stock, threads
        self._attempt = 0
        self._store: dict[str, object] = {}
        self._stored: tuple[str, ...] = ()  # by the last run
        self.kept: dict[str, Kept] = {}  # what each key of the store stands for

    def relink(self, links: Mapping[str, Link], secrets: Mapping[str, bytes]) -> None:
        """Deal over these links from now on, under these secrets. Attempts are counted on; masks of weights stay."""
        self._links, self._secrets = dict(links), dict(secrets)

    def run(self, stamped: Stamped, job: int, partition: int) -> int:
        """Deal for one run of the program, or name a slot that was dealt before; returns its attempt number. Every
        call is a new attempt, with fresh randomness.

        Raises `ProgramError` where the program says of a weight what it is not; nothing was dealt then.
        """
        program = stamped.program
        made, staged = self.check(program), dict[str, object]()
        self._stored = ()
        self._attempt += 1
        address = Address(job, stamped.digest, partition, self._attempt)
        slot = self.stock.take(address.program) if self.stock is not None else None  # consumed before it is named
        begin = msgspec.msgpack.encode(Begin(job, address.program, partition, address.attempt, slot))
        with spends(Part.WIRE):
            for name in program.parties + program.owners:
                self._links[name].send_message(begin)
        if slot is None:
            keys = {name: key_for(self._secrets[name], "dealer", address) for name in program.parties}
            self._deal(stamped, address, keys, ChainMap(staged, self._store))
        self._store.update(staged)
        self.kept.update(made)
        self._stored = tuple(staged)
        return self._attempt

    def undo(self) -> None:
        """Drop the masks that the last run left: the parties did not end it."""
        for key in self._stored:
            self.forget(key)
        self._stored = ()

    def check(self, program: Program) -> dict[str, Kept]:
        """Raise `ProgramError` for members whom the lane does not have, and where the weights that were loaded are not
        what the program says; those that it will load, by key.
        """
        if strangers := [name for name in program.parties + program.owners if name not in self._links]:
            raise ProgramError(f"a program for {strangers[0]}, who is not in the lane of {', '.join(self._links)}")
        return hold_to_kept(program, self.kept, DEALER, weights_alone=True)

    def preprocess(self, stamped: Stamped, job: int, count: int) -> Batch:
        """Deal `count` slots of the program; they count once the batch is added to the stock. Nothing of them is kept.

        Raises `ProgramError` for a program that loads a weight, or uses one that is not loaded.
        """
        program = stamped.program
        check_preparable(program)
        if self.stock is None:
            raise ProgramError("this dealer has no stock")
        self.check(program)
        weights = weights_of(program)
        batch = self.stock.new_batch(stamped.digest, count, weights)
        for offset in range(count):
            self._attempt += 1
            said = Filling(job, batch.program, batch.store, offset, self._attempt)
            address = Address(job, batch.program, offset, self._attempt)
            keys = {}
            for name in program.parties:
                secret = slot_secret(self._secrets[name], batch.program, batch.store, offset, said.attempt)
                keys[name] = slot_key(secret, batch.program, batch.store, offset)
                self._links[name].send_message(msgspec.msgpack.encode(said))
            sent = self._deal(stamped, address, keys, dict(self._store))
            for name in program.parties:
                self._links[name].send(Frame(address, END, sent[name]), (np.empty(0, np.uint8),))
        return batch

    def _deal(
        self, stamped: Stamped, address: Address, keys: Mapping[str, Key], store: MutableMapping[str, object]
    ) -> Counter[str]:
        """Walk the program once. keys: the streams of every party. Returns how many corrections each was sent.

        Several threads deal several steps at once, a few steps ahead; what leaves is the same.
        """
        plan, sent = stamped.plan(), Counter[str]()
        for name in plan.parties:
            self._links[name].set_receive_limits(0, 0)  # it hears nothing
            self._links[name].set_send_buffer(min(max(plan.in_flight // 4, _AHEAD[0]), _AHEAD[1]))

        def deal(index: int, outlet: Callable[[str], Outlet], threads: Threads) -> Counter[str]:
            step, frame = plan.steps[index], Frame(address, index)
            dealing = OperationDealing(plan.parties, keys, index, plan.corrected[index], outlet, frame, store, threads)
            TABLE[type(step.op)].deal(step.op, plan.kinds(index), dealing, step.type)
            return dealing.sent

        dealt = [index for index in plan.order if plan.costs[index].dealt or keeps(plan.steps[index].op)]
        bulky = sum(plan.bulky[index] for index in dealt)
        with ThreadPool(self._threads if bulky else 1) as pool:

            def borrow(index: int) -> Threads:
                return pool.borrow if plan.large[index] else alone

            if pool.threads == 1 or 2 * bulky < len(dealt):
                for index in dealt:
                    sent += deal(index, self._links.__getitem__, borrow(index))
                return sent
            sender, counts = OrderedSender(), [Counter[str]()] * len(dealt)

            def in_turn(place: int) -> None:
                index = dealt[place]
                counts[place] = deal(index, lambda name: sender.outlet(place, self._links[name]), borrow(index))
                sender.end(place)

            pool.carry_out(needs_by_key([plan.steps[index].op for index in dealt]), in_turn, pool.threads + 1)
        return sum(counts, sent)

    def forget(self, key: str) -> None:
        """Drop the mask of a weight that is no longer used."""
        self._store.pop(key, None)
        self.kept.pop(key, None)
        if self.stock is not None:
            self.stock.forget(key)
