"""On how many images of each data owner a model may predict: its parts for the lanes, which the workers keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from icm_ray.errors import InputError, OwnerError

__all__ = ["Quota"]


class Quota:
    """Divided over lanes, as each lane's worker of the model's owner counts for itself; whoever is not named has none.

    Raises `InputError` for a number of images that is none, `OwnerError` for a name that is not in the session.
    """

    def __init__(self, images: Mapping[str, int] | None, members: tuple[str, ...], lanes: int) -> None:
        given: Any = images or {}
        if not isinstance(given, Mapping):
            raise InputError(f"quota says how many images of whom, as {{'bob': 10_000}}, not {images!r}")
        for name, number in given.items():
            if name not in members:
                raise OwnerError(f"quota: {name!r} is not in the session; it has {', '.join(members)}")
            if not isinstance(number, int | np.integer) or isinstance(number, bool) or number < 0:
                raise InputError(f"quota: {number!r} is no number of images")
        self.images = {name: int(number) for name, number in given.items()}
        self._lanes = lanes
        self._used: Counter[tuple[int, str]] = Counter()

    def part(self, lane: int) -> dict[str, int]:
        """What the worker of a lane is told: together they are the whole."""
        return {name: number // self._lanes + (lane < number % self._lanes) for name, number in self.images.items()}

    def left(self, lane: int, owner: str) -> int | None:
        """Images that the worker will still take; None: any number."""
        if owner not in self.images:
            return None
        return max(0, self.part(lane)[owner] - self._used[lane, owner])

    def use(self, lane: int, owner: str, count: int) -> None:
        """So many were sent there."""
        if owner in self.images:
            self._used[lane, owner] += count
