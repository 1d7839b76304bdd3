"""Corrections of steps that are dealt at the same time leave in the order of the steps."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from icm_ray.dealer.dealing import Outlet
from icm_ray.ops.seams import Frame, Words

__all__ = ["OrderedSender"]


class _Place:
    """What sends the corrections of one step to one party."""

    def __init__(self, sender: OrderedSender, place: int, link: Outlet) -> None:
        self._turns, self._place, self._link = sender, place, link

    def send(self, frame: Frame, parts: Sequence[Words]) -> None:
        self._turns.send(self._place, self._link, frame, parts)


class OrderedSender:
    """Those of the earliest step that has not ended leave at once; those of later ones wait until it is their turn."""

    def __init__(self) -> None:
        self._sending = Lock()  # held while a queue is full, too: the dealer is ahead enough then
        self._turn = 0
        self._ended: set[int] = set()
        self._waiting: dict[int, list[tuple[Outlet, Frame, Sequence[Words]]]] = {}

    def outlet(self, place: int, link: Outlet) -> Outlet:
        """Where the corrections of the step at `place`, counted from 0, go that are for `link`."""
        return _Place(self, place, link)

    def send(self, place: int, link: Outlet, frame: Frame, parts: Sequence[Words]) -> None:
        """Send, or keep until the step's turn has come."""
        with self._sending:
            if place == self._turn:
                link.send(frame, parts)
            else:
                self._waiting.setdefault(place, []).append((link, frame, parts))

    def end(self, place: int) -> None:
        """The step at `place` sends no more."""
        with self._sending:
            self._ended.add(place)
            while self._turn in self._ended:
                self._ended.remove(self._turn)
                self._turn += 1
                for link, frame, parts in self._waiting.pop(self._turn, ()):
                    link.send(frame, parts)
