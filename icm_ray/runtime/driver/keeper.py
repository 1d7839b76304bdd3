"""Threads that live as long as the process, for what must not end with the thread that asked for it.

The kernel ends what a thread started with a parent-death signal when that *thread* ends, and Ray starts its processes
so; and what a garbage collector finds is found in any thread, perhaps one that holds the very lock that giving it back
would need. Both are handed to a keeper.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from queue import SimpleQueue
from typing import Any, Final, TypeVar

__all__ = ["Keeper", "keeper", "made_once", "stubbornly"]

_HASTE: Final = 0.1
"""Seconds between two calls of what hastens an end."""

T = TypeVar("T")


class Keeper:
    """Carries out one task after the other, in a thread of its own that never ends before the process."""

    def __init__(self, name: str) -> None:
        self._tasks: SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = SimpleQueue()
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def submit(self, task: Callable[[], T]) -> Future[T]:
        """Have a task carried out, without waiting. Takes no lock: garbage collectors may call it, in any thread."""
        future: Future[T] = Future()
        self._tasks.put((task, future))
        return future

    def _work(self) -> None:
        while True:
            task, future = self._tasks.get()
            try:
                future.set_result(task())
            except BaseException as error:  # noqa: BLE001 - whoever waits is told, whatever it was
                future.set_exception(error)
            del task, future  # what they hold is given back now, not with the next task


_MAKING: Final = threading.RLock()
"""Held while something is made of which a process has one: a cache alone would let two threads make two."""


def keeper(name: str) -> Keeper:
    """This process's keeper of that name; a forked child has its own."""
    with _MAKING:
        return _keeper(name, os.getpid())


def made_once(make: Callable[[], T]) -> T:
    """What a cached function makes for all threads of this process."""
    with _MAKING:
        return make()


@cache
def _keeper(name: str, _process: int) -> Keeper:
    return Keeper(name)


def stubbornly(future: Future[T], hasten: Callable[[], object] | None = None) -> T:
    """The result of a task that has to come to its end: interruptions of the waiting are put off until it has.

    hasten: called now and again while that lasts, from the beginning on.
    """
    interruption: BaseException | None = None
    while not future.done():
        try:
            if hasten is not None:
                hasten()
            future.exception(_HASTE if hasten is not None else None)
        except TimeoutError:
            continue
        except KeyboardInterrupt as error:
            interruption = error
    if interruption is not None:
        raise interruption
    return future.result()
