"""One process of a user's, as its instance sees it: what it had started ends when it is gone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from icm_ray.errors import IcmError
from icm_ray.instance.messages import Answer, Call, EndWorker, Forward, StartWorker

__all__ = ["OneUser"]


class OneUser:
    """answer_any: what any user is answered."""

    def __init__(self, answer_any: Callable[[Call], Answer]) -> None:
        self._answer = answer_any
        self._lock = threading.Lock()
        self._started: set[tuple[str, str, int]] = set()
        self._gone = False

    def answer(self, call: Call) -> Answer:
        """As any user is; workers that it has started anywhere are known from now on."""
        match call:
            case Forward(organisation, StartWorker(session, lane)):
                place = organisation, session, lane
                with self._lock:
                    self._started.add(place)
                answer = self._answer(call)
                if self._gone:  # it left while that was on its way
                    self._end(place)
                return answer
            case Forward(organisation, EndWorker(session, lane)):
                answer = self._answer(call)
                with self._lock:
                    self._started.discard((organisation, session, lane))
                return answer
        return self._answer(call)

    def left(self) -> None:
        """It is gone: its workers are ended, by threads of their own, for organisations may be away."""
        with self._lock:
            self._gone, left = True, list(self._started)
        for place in left:
            threading.Thread(target=self._end, args=(place,), name="icm-forsaken", daemon=True).start()

    def _end(self, place: tuple[str, str, int]) -> None:
        organisation, session, lane = place
        with suppress(IcmError):  # who cannot be reached ends them by itself
            self._answer(Forward(organisation, EndWorker(session, lane)))
