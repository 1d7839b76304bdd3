"""A party's shares of dealt randomness: expanded from its key with the dealer, or the corrections that the dealer
sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Condition
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import AddressReused, Desynchronised
from icm_ray.ops.seams import SECOND, Address, Frame, Link, Words
from icm_ray.profile import Part, spends
from icm_ray.ring.prg import Key
from icm_ray.schedule.allowances import Allowance

__all__ = ["CorrectionSource", "Corrections", "DealtShares", "ExpectedCorrections", "SharedCorrections"]


class CorrectionSource(Protocol):
    """Where the corrections of one run come from: the dealer's link, or the slot that it filled before.

    received: bytes taken so far.
    """

    received: int

    def take(self, operation: int, tag: int, size: int) -> NDArray[np.uint8]:
        """The correction of (operation, tag), of `size` bytes: writable, the caller's own."""


class ExpectedCorrections:
    """Which corrections are still to come: as many bytes for each step as its plan has, each (step, tag) once.

    sizes: bytes by step. sender, partition: for errors.
    """

    def __init__(self, sizes: Mapping[int, int], sender: str, partition: int) -> None:
        self._left = dict(sizes)
        self._came: dict[int, set[int]] = {}
        self._sender, self._partition = sender, partition

    def check(self, step: int, tag: int, size: int) -> None:
        """Count one that came. Raises `Desynchronised` for what the plan does not have, too much, or twice."""
        left, came = self._left.get(step, 0), self._came.setdefault(step, set())
        if not 0 < size <= left or tag in came:
            what = "a second time" if tag in came else f"with {size} bytes where {left} are left of its step"
            raise Desynchronised(
                f"the correction {(step, tag)} came {what}",
                party=self._sender,
                partition=self._partition,
                step=str(step),
            )
        came.add(tag)
        self._left[step] = left - size
        if left == size:
            del self._left[step], self._came[step]


class Corrections:
    """The corrections of one run, in the order of arrival; what comes early is kept until it is asked for, within what
    the plan allows.
    """

    def __init__(self, link: Link, address: Address, allowed: Allowance) -> None:
        self._link = link
        self._expected = ExpectedCorrections(allowed.corrections, link.peer, address.partition)
        self._room = allowed.ahead
        self._frame = Frame(address, 0)
        self._early: dict[tuple[int, int], NDArray[np.uint8]] = {}
        self.received = 0

    def take(self, operation: int, tag: int, size: int) -> NDArray[np.uint8]:
        """The correction of (operation, tag), of `size` bytes."""
        wanted = (operation, tag)
        while wanted not in self._early:
            self._keep(*self._receive())
        return self._checked(wanted, size)

    def _receive(self) -> tuple[int, int, NDArray[np.uint8]]:
        with spends(Part.DEALER):
            return self._link.receive_any(self._frame)

    def _keep(self, step: int, found: int, payload: NDArray[np.uint8]) -> None:
        self._expected.check(step, found, payload.nbytes)
        if payload.nbytes > self._room:
            raise Desynchronised(
                f"{self._link.peer} sends corrections before those that are due",
                party=self._link.peer,
                partition=self._frame.address.partition,
                step=str(step),
            )
        self._room -= payload.nbytes
        self.received += payload.nbytes
        self._early[step, found] = payload

    def _checked(self, wanted: tuple[int, int], size: int) -> NDArray[np.uint8]:
        payload = self._early.pop(wanted)
        self._room += payload.nbytes
        if payload.nbytes != size:
            raise Desynchronised(
                f"a correction of {payload.nbytes} bytes where {size} were expected",
                party=self._link.peer,
                step=str(wanted),
            )
        return payload


class SharedCorrections(Corrections):
    """The same, for several threads: one of those that wait reads the link, for all of them."""

    def __init__(self, link: Link, address: Address, allowed: Allowance) -> None:
        super().__init__(link, address, allowed)
        self._changed = Condition()
        self._reading = False
        self._failed: Exception | None = None

    def take(self, operation: int, tag: int, size: int) -> NDArray[np.uint8]:
        """The correction of (operation, tag), of `size` bytes. What the link raises, it raises to all who wait."""
        wanted = (operation, tag)
        with self._changed:
            while wanted not in self._early:
                if self._failed is not None:
                    raise self._failed
                if self._reading:
                    with spends(Part.DEALER):
                        self._changed.wait()
                    continue
                self._reading = True
                try:
                    self._changed.release()
                    try:
                        came = self._receive()
                    finally:
                        self._changed.acquire()
                    self._keep(*came)
                except Exception as error:  # what was read is lost to the others too, whatever it was
                    self._failed = error
                    raise
                finally:
                    self._reading = False
                    self._changed.notify_all()
            return self._checked(wanted, size)


class DealtShares:
    """`Correlations` of one operation. corrected, second: whether corrections of tags below `SECOND`, and of those from
    there on, come here.
    """

    __slots__ = ("_corrected", "_corrections", "_key", "_operation", "_second", "_used")

    def __init__(
        self, key: Key, operation: int, corrected: bool, corrections: CorrectionSource, *, second: bool = False
    ) -> None:
        self._key, self._operation = key, operation
        self._corrected, self._second, self._corrections = corrected, second, corrections
        self._used: set[int] = set()

    def _once(self, tag: int) -> None:
        if tag in self._used:
            raise AddressReused(f"tag {tag} of operation {self._operation} was used before", step=str(self._operation))
        self._used.add(tag)

    def words(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        self._once(tag)
        return self._key.words(self._operation, tag, count, dtype)

    def dealt(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        self._once(tag)
        if count and (self._second if tag >= SECOND else self._corrected):
            payload = self._corrections.take(self._operation, tag, count * np.dtype(dtype).itemsize)
            return payload.view(dtype)
        return self._key.words(self._operation, tag, count, dtype)
