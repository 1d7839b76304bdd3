"""A clock in place of `monotonic`, for what waits until a time and looks again."""

import threading


class StandingClock:
    """Stands where it is set; counts who looks at it."""

    def __init__(self):
        self._now, self._looks, self._looked = 0.0, 0, threading.Condition()

    def __call__(self):
        with self._looked:
            self._looks += 1
            self._looked.notify_all()
            return self._now

    def set(self, now):
        with self._looked:
            self._now = now

    def seen_at(self, now):
        """Return when whoever waits for a later time has looked twice: what was due by then is done."""
        with self._looked:
            self._now, until = now, self._looks + 2
            assert self._looked.wait_for(lambda: self._looks >= until, 20)
