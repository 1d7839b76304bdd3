"""How an engine ends: told to, dropped by its user, or with the process; in the process that opened it alone."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Final

from icm_ray.errors import IcmError, SessionError
from icm_ray.runtime.driver.engine import Engine
from icm_ray.runtime.driver.keeper import keeper, stubbornly
from icm_ray.runtime.driver.lane import Lane

__all__ = ["GIVE_BACK", "Ending", "forget_when_dropped"]

GIVE_BACK: Final = "icm-give-back"
"""The keeper that gives back what users dropped."""
_CLOSE: Final = "icm-close"


def forget_when_dropped(thing: object, engine: Engine, names: Callable[[], Sequence[str]]) -> None:
    """Let the workers forget what `names` says when nobody has `thing` any more.

    names: called then, and must not hold `thing` or the engine.
    """
    task = partial(_forget, weakref.ref(engine), names)
    weakref.finalize(thing, keeper(GIVE_BACK).submit, task).atexit = False


def _forget(engine: weakref.ref[Engine], names: Callable[[], Sequence[str]]) -> None:
    """In a thread of its own: a garbage collector may run where the lane's own locks are held."""
    session = engine()
    if session is not None and (left := names()):
        with suppress(IcmError):  # a session that is closed or broken keeps nothing
            session.forget(left)


class Ending:
    """What closing an engine takes, without the engine, so that one that its user drops is found.

    lanes: those that there are when it is called. leave: called at last, once.
    """

    def __init__(self, lanes: list[Lane], pool: ThreadPoolExecutor, leave: Callable[[], None] | None = None) -> None:
        self.closed = False
        self._leave = leave
        self._lanes, self._pool = lanes, pool
        self._closing = threading.Lock()
        self._process = os.getpid()
        atexit.register(self.close)

    def when_dropped(self, engine: object) -> None:
        """Close when nobody has the engine any more: by a thread that holds no lock of anybody."""
        keeper(_CLOSE)  # a garbage collector is no place to start a thread
        weakref.finalize(engine, keeper(GIVE_BACK).submit, self.close).atexit = False

    def here(self) -> bool:
        """Whether this is the process that opened the engine, and no child that was forked from it."""
        return os.getpid() == self._process

    def check_here(self) -> None:
        """Raise `SessionError` in a forked child, where the links are the parent's."""
        if not self.here():
            raise SessionError(
                "this session was opened by the process that this one was forked from, and stays there: open a "
                "session here, in a process that is started afresh (multiprocessing: start method 'spawn')"
            )

    def close(self) -> None:
        """End all workers, whatever state they are in. Idempotent; nothing in a forked child.

        An interruption is put off until that is done: half of it would leave processes behind.
        """
        if self.here():
            stubbornly(keeper(_CLOSE).submit(self._close))

    def _close(self) -> None:
        with self._closing:
            self.closed = True
            for lane in self._lanes:
                lane.interrupt()
            for lane in self._lanes:
                lane.close()
            self._pool.shutdown()
            leave, self._leave = self._leave, None
            if leave is not None:
                leave()
        atexit.unregister(self.close)
