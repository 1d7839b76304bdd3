"""A member's stock: which slots it has, in which generation, and how they are consumed once.

A slot is used when the dealer names it and every party agrees; each member's next unused slot is on disk before it
says so. A member that is not rolled back therefore stops a second use: a dealer never names a slot twice, a party
refuses one below its own. That members differ at all is found by three comparisons: store, generation, and the slot
that was next when the directory was opened. What a run of this very session left behind (it broke off before every
party had heard of its slot) is no difference: the dealer's offset may be ahead of a party's, never below.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import msgspec

from icm_ray.errors import AddressReused, StockMismatch
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.disk import Disk
from icm_ray.preprocessing.ledger import Batch, Ledger, encode_ledger, read_ledger
from icm_ray.preprocessing.slot import SlotWriter, StoredSlot, erase
from icm_ray.program.run_header import SlotName
from icm_ray.program.source_fingerprint import engine_digest
from icm_ray.ring.prg import Key, fresh_secret

__all__ = ["DealerStock", "PartyStock", "SpentSlot"]

_LEDGER: Final = "ledger"
_STORE_BYTES: Final = 16


class Stock:
    """Opens a member's directory: its generation is raised, on disk, before anything else. What another engine prepared
    (engine: the digest of this one) is discarded.

    Raises `StockMismatch` for a damaged ledger.
    """

    def __init__(
        self, directory: Directory, member: str, disk: Disk | None = None, engine: bytes | None = None
    ) -> None:
        self._directory, self._member, self._disk = directory, member, disk or Disk()
        self._engine = engine or engine_digest()
        try:
            self._open(read_ledger(directory.path / _LEDGER, member))
        except BaseException:
            directory.close()
            raise

    def _open(self, before: Ledger) -> None:
        self._generation = before.generation + 1
        # A key of a weight names another mask in every session: what depends on one ends with its session.
        same = before.engine == self._engine
        self._batches = {batch.store: batch for batch in before.batches if same and not batch.weights}
        self._opened = {batch.store: batch.next for batch in before.batches}
        self._save()
        self.sweep()

    def _save(self) -> None:
        """Memory first, then disk: where the disk fails, this process still knows what is used up."""
        ledger = Ledger(self._generation, tuple(self._batches.values()), self._engine)
        self._disk.replace(self._directory.path / _LEDGER, encode_ledger(ledger))

    def batch(self, program: bytes, store: bytes, count: int, weights: tuple[str, ...]) -> Batch:
        """A batch to be added to this stock, once it is filled. Raises `AddressReused` for a store that it knows."""
        if store in self._opened or len(store) != _STORE_BYTES:
            raise AddressReused(f"{self._member}: a store of that name was there before", party="dealer", step="stock")
        return Batch(store, program, count, self._generation, weights)

    def add(self, batch: Batch) -> None:
        """Let a batch count, after every slot of it reached the disk."""
        self._opened[batch.store] = 0
        self._batches[batch.store] = batch
        try:
            self._save()
        except OSError:  # none of it was used, so that it may go again
            del self._batches[batch.store]
            raise

    @property
    def path(self) -> Path:
        """Its directory."""
        return self._directory.path

    def left(self, program: bytes) -> int:
        """How many unused slots there are for a program."""
        return sum(batch.count - batch.next for batch in self._batches.values() if batch.program == program)

    def give_up(self, program: bytes) -> None:
        """Discard what is there for a program, after members disagreed on it."""
        self._discard([batch for batch in self._batches.values() if batch.program == program])

    def forget(self, weight: str) -> None:
        """Discard what depends on a weight that is no longer used."""
        self._discard([batch for batch in self._batches.values() if weight in batch.weights])

    def _discard(self, batches: list[Batch]) -> None:
        if batches:
            for batch in batches:
                del self._batches[batch.store]
            self._save()
            self.sweep()

    def _advance(self, batch: Batch, offset: int) -> None:
        """Consume every slot up to `offset`, on disk."""
        if offset + 1 < batch.count:
            self._batches[batch.store] = msgspec.structs.replace(batch, next=offset + 1)
        else:
            del self._batches[batch.store]
        self._save()

    def _path(self, store: bytes, offset: int) -> Path:
        return self._directory.path / f"{store.hex()}-{offset}.slot"

    def sweep(self) -> None:
        """Erase slots that no batch has: used ones, and those of a preparation that did not come to its end."""
        kept = {
            self._path(batch.store, offset)
            for batch in self._batches.values()
            for offset in range(batch.next, batch.count)
        }
        for path in self._directory.path.glob("*.slot"):
            if path not in kept:
                erase(self._disk, path)

    def close(self) -> None:
        """Let another process open it. Idempotent."""
        self._directory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class DealerStock(Stock):
    """The dealer's: it knows what there is, and keeps nothing of what is in it."""

    def new_batch(self, program: bytes, count: int, weights: tuple[str, ...]) -> Batch:
        """A batch under a fresh name."""
        return self.batch(program, fresh_secret(_STORE_BYTES), count, weights)

    def take(self, program: bytes) -> SlotName | None:
        """Consume the next slot for a program, on disk, and name it; None where there is none."""
        for batch in self._batches.values():
            if batch.program == program:
                name = SlotName(batch.store, batch.next, self._generation - batch.since, self._opened[batch.store])
                self._advance(batch, batch.next)
                return name
        return None


@dataclass(frozen=True, slots=True)
class SpentSlot:
    """What a party takes from a consumed slot for its one run."""

    key: Key
    corrections: StoredSlot


class PartyStock(Stock):
    """A party's: the slots themselves."""

    def writer(self, batch: Batch, offset: int, secret: bytes) -> SlotWriter:
        """Of the file of a slot that is being prepared."""
        return SlotWriter(self._disk, self._path(batch.store, offset), batch.program, batch.store, offset, secret)

    def filled(self) -> None:
        """Wait until the names of all slots are on disk."""
        self._disk.sync_directory(self._directory.path)

    def expect_none(self, program: bytes) -> None:
        """The dealer deals live. Raises `StockMismatch`, and gives up, where there are slots of which it knows none."""
        if self.left(program):
            self.give_up(program)
            raise self._differs("store", "has slots where the dealer has none")

    def take(self, program: bytes, name: SlotName) -> SpentSlot:
        """Consume the slot that the dealer names: on disk, its secret overwritten, before it is handed out.

        Raises `StockMismatch` where this stock differs in anything, or the slot's file is damaged; the stock of that
        program is given up then.
        """
        path = self._path(name.store, name.offset)
        try:
            batch = self._agreed(program, name)
            slot = StoredSlot(self._disk, path, self._member, program, name.store, name.offset)
        except StockMismatch:
            self.give_up(program)
            raise
        try:
            # Left over are slots of runs that broke off before they got here: the dealer takes batches in this order.
            passed = [self._path(batch.store, offset) for offset in range(batch.next, name.offset)]
            for store, other in list(self._batches.items()):
                if store == batch.store:
                    break
                if other.program == program:
                    passed += [self._path(store, offset) for offset in range(other.next, other.count)]
                    del self._batches[store]
            self._advance(batch, name.offset)
            key = slot.spend()
            for old in passed:
                erase(self._disk, old)
        except BaseException:
            slot.close()
            raise
        return SpentSlot(key, slot)

    def _agreed(self, program: bytes, name: SlotName) -> Batch:
        batch = self._batches.get(name.store)
        if batch is None or batch.program != program:
            raise self._differs("store", "has no such store")
        generation = self._generation - batch.since
        if generation != name.generation:
            raise self._differs("generation", f"is in generation {generation}, the dealer in {name.generation}")
        opened = self._opened[batch.store]
        if opened != name.opened:
            raise self._differs("offset", f"was opened at slot {opened}, the dealer's at {name.opened}")
        if not batch.next <= name.offset < batch.count:
            raise self._differs("offset", f"is at slot {batch.next} of {batch.count}, the dealer names {name.offset}")
        return batch

    def _differs(self, what: str, how: str) -> StockMismatch:
        return StockMismatch(
            f"{self._member}'s stock {how}: it was copied, restored from a backup, or left behind by a crash; "
            "nothing was shared, and the stock of this program is given up",
            party=self._member,
            step="stock",
            differs=what,
        )
