"""What the dealer makes for one operation: it expands every party's stream and sends one party the difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

import numpy as np

from icm_ray.errors import AddressReused
from icm_ray.ops.seams import SECOND, Frame, Words, party_after
from icm_ray.profile import Part, spends
from icm_ray.protocols.base import Threads, alone
from icm_ray.ring import limbs
from icm_ray.ring.array import RingArray
from icm_ray.ring.narrow import widened
from icm_ray.ring.prg import Key

__all__ = ["OperationDealing", "Outlet"]


class Outlet(Protocol):
    """Where corrections go: the link to a party, or a place in the queue for it."""

    def send(self, frame: Frame, parts: Sequence[Words]) -> None:
        """As `Link.send`."""


class OperationDealing:
    """`Dealing` of one operation. `corrected` is the party that gets corrections, but for those of tags from `SECOND`
    on, which the one after it gets; the others only expand. outlet: where those of a party go.

    sent: how many corrections each was sent so far.
    """

    def __init__(
        self,
        parties: tuple[str, ...],
        keys: Mapping[str, Key],
        operation: int,
        corrected: str,
        outlet: Callable[[str], Outlet],
        frame: Frame,
        store: MutableMapping[str, Any],
        threads: Threads = alone,
    ) -> None:
        self.parties, self.store, self.threads, self.sent = parties, store, threads, Counter[str]()
        self._keys, self._operation = keys, operation
        self._corrected, self._second = corrected, party_after(parties, corrected)
        self._outlet, self._frame = outlet, frame
        self._used: set[tuple[int, str]] = set()

    def _stream(self, tag: int, party: str, count: int, dtype: type[np.unsignedinteger]) -> Words:
        if (tag, party) in self._used:
            raise AddressReused(f"tag {tag} of operation {self._operation} was used before", step=str(self._operation))
        self._used.add((tag, party))
        return self._keys[party].words(self._operation, tag, count, dtype)

    @spends(Part.KERNELS)
    def words(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        total, *rest = (self._stream(tag, party, count, dtype) for party in self.parties)
        for words in rest:
            total += words
        return total

    @spends(Part.KERNELS)
    def planes(self, tag: int, count: int) -> RingArray:
        total, *rest = (self._stream(tag, party, count, np.uint64) for party in self.parties)
        for words in rest:
            total ^= words
        plane: RingArray = total.view(np.uint64)
        return plane

    def party_words(self, tag: int, party: str, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        return self._stream(tag, party, count, dtype)

    @spends(Part.KERNELS)
    def give(self, tag: int, value: Words) -> None:
        dtype = value.dtype.type
        correction = value
        for words in self._others(tag, value.size, dtype):
            correction = np.subtract(correction, words, out=words)
        self.send(tag, correction)

    @spends(Part.KERNELS)
    def give_wide(self, tag: int, value: RingArray) -> None:
        correction = value
        for words in self._others(tag, value.size, np.uint64):
            theirs = words.view(np.uint64).reshape(value.shape)
            limbs.subtract(correction, theirs, theirs)
            correction = theirs
        self.send(tag, correction.reshape(-1))

    @spends(Part.KERNELS)
    def others_xor(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        total, *rest = self._others(tag, count, dtype)
        for words in rest:
            total ^= words
        return total

    @spends(Part.KERNELS)
    def others_sum(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        total, *rest = self._others(tag, count, dtype)
        for words in rest:
            total += words
        return total

    @spends(Part.KERNELS)
    def others_narrow(self, tag: int, count: int, size: int, word: type[np.unsignedinteger] = np.uint64) -> Words:
        total, *rest = (widened(raw.view(np.uint8), size, word) for raw in self._others(tag, count * size, np.uint8))
        for words in rest:
            total += words
        return total

    def _others(self, tag: int, count: int, dtype: type[np.unsignedinteger]) -> list[Words]:
        corrected = self._of(tag)
        return [self._stream(tag, party, count, dtype) for party in self.parties if party != corrected]

    def _of(self, tag: int) -> str:
        """The party that is corrected."""
        return self._second if tag >= SECOND else self._corrected

    def send(self, tag: int, correction: Words) -> None:
        if not correction.size:
            return  # nobody waits for nothing
        to = self._of(tag)
        self.sent[to] += 1
        with spends(Part.WIRE):
            self._outlet(to).send(Frame(self._frame.address, self._operation, tag), (correction,))
