"""Predictions under approvals: a use is good for as many images as were requested, of one run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Final

from icm_ray.instance.granting import use_of
from icm_ray.instance.prediction_form import PredictionForm
from icm_ray.instance.request import Request
from icm_ray.instance.requests import Requests
from icm_ray.runtime.orders.house import PredictionFacts

__all__ = ["ImageGranting"]

_MOST: Final = 1024
"""Runs that are remembered; one that is not takes another use."""


@dataclass
class _Room:
    """left: images that uses of a run are still good for. request: as the last use of it left it."""

    request: Request
    left: int


class ImageGranting:
    """What the own workers are told. Of one instance, which they end with: what is left of a use ends with it, too."""

    def __init__(self, me: str, requests: Requests) -> None:
        self._me, self._requests = me, requests
        self._rooms: dict[tuple[str, str, str, str], _Room] = {}
        self._lock = threading.Lock()

    def grant(self, asker: str, form: PredictionForm, asked: PredictionFacts) -> list[Request]:
        """Let a prediction run under an approval of this form: the uses that it takes, none where those of its run have
        room for these images. Errors: `PolicyError`, `InstanceError`.
        """
        key = _run(asker, form, asked)
        with self._lock:
            room = self._rooms.pop(key, None)
            if room is not None and not self._requests.stands(room.request):
                room = None
            left, taken = room.left if room is not None else 0, []
            while left < asked.count:
                used = use_of(self._requests, self._me, asker, form)
                taken.append(used)
                left += _images(used)
                room = self._rooms[key] = _Room(used, left)  # kept, also where the next use is refused
            if room is not None:
                room.left = left - asked.count
                self._rooms[key] = room
            while len(self._rooms) > _MOST:
                self._rooms.pop(next(iter(self._rooms)))
            return taken

    def give_back(self, asker: str, form: PredictionForm, asked: PredictionFacts) -> None:
        """A prediction did not begin: its run has room for these images again. The use stays taken."""
        with self._lock:
            room = self._rooms.get(_run(asker, form, asked))
            if room is not None:
                room.left += asked.count


def _run(asker: str, form: PredictionForm, asked: PredictionFacts) -> tuple[str, str, str, str]:
    return asker, asked.session, asked.run, form.digest


def _images(request: Request) -> int:
    form = request.canonical
    return form.images if isinstance(form, PredictionForm) else 0
