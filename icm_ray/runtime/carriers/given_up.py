"""A start of Ray that is given up half-way: at once while Ray only starts processes, which takes seconds; never later.

Ray starts its processes and waits for them in Python, in the thread that called it. There an exception ends it, and
what it has started are that thread's children. From where it connects this process to them it has to come to its end:
half a connection would abort the process later.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from types import FrameType
from typing import Any, Final

__all__ = ["Start", "kill_children", "kill_trees"]

_RAY: Final = "ray."
_RAYLET: Final = "raylet"
_GONE: Final = 3.0
"""Seconds that killed processes are waited for: one that the kernel keeps in a disk's wait is left."""
_CONNECT: Final = ("ray._private.worker", "connect")
_NEVER_HERE: Final = ("importlib.", "_frozen_importlib")
"""A module half imported cannot be imported again."""


class Start:
    """One start of Ray, which another thread may give up."""

    def __init__(self) -> None:
        self.given_up = threading.Event()
        self._thread = 0  # that starts processes, as long as these may be ended
        self._ending = threading.Lock()

    @contextmanager
    def abandonable(self) -> Iterator[None]:
        """Raise `KeyboardInterrupt` from a call that Ray makes in the block once it is given up, before it connects."""
        before = sys.gettrace()
        if self.given_up.is_set():
            raise KeyboardInterrupt
        self._thread = threading.get_native_id()
        sys.settrace(self._called)  # of this thread alone, and of calls alone
        try:
            yield
        finally:
            sys.settrace(before)
            self._closed()

    def _called(self, frame: FrameType, _event: str, _arg: Any) -> None:
        where = _module(frame)
        if (where, frame.f_code.co_name) == _CONNECT:
            self._closed()
            sys.settrace(None)
        elif self.given_up.is_set() and where.startswith(_RAY) and _may_end(frame):
            raise KeyboardInterrupt

    def _closed(self) -> None:
        with self._ending:
            self._thread = 0

    def end_processes(self) -> None:
        """End what was started, where Ray waits for it and calls nothing; from another thread, again and again.

        Once there is a raylet Ray would wait for half a minute for one that is gone, and a second or two for one that
        is there: it is let be.
        """
        with self._ending:
            started = _children(os.getpid(), str(self._thread)) if self._thread else []
            if not any(_command(pid) == _RAYLET for pid in started):
                kill_trees(started)


def _may_end(frame: FrameType | None) -> bool:
    """Whether an exception would come up to whoever called Ray, and leave no module half imported."""
    while frame is not None:
        if frame.f_code.co_name == "__del__" or _module(frame).startswith(_NEVER_HERE):
            return False
        frame = frame.f_back
    return True


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def kill_children() -> None:
    """End the processes that this thread has started and that are left, with all that they have started, and wait until
    they are gone, three seconds at most.
    """
    kill_trees(_children(os.getpid(), str(threading.get_native_id())))


def kill_trees(pids: Iterable[int]) -> None:
    """End children of this process with all that they have started: Ray's agents would outlive its node by a minute."""
    roots = list(pids)
    everyone: list[int] = []
    left = list(roots)
    while left:
        pid = left.pop()
        everyone.append(pid)
        _send(pid, signal.SIGSTOP)  # nothing more is started
        left += _children(pid)
    for pid in everyone:
        _send(pid, signal.SIGKILL)
    deadline = monotonic() + _GONE
    for pid in roots:
        with suppress(OSError):  # somebody else has waited for it
            while os.waitpid(pid, os.WNOHANG) == (0, 0) and monotonic() < deadline:
                sleep(0.01)


def _send(pid: int, what: signal.Signals) -> None:
    with suppress(OSError):
        os.kill(pid, what)


def _command(pid: int) -> str:
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _children(pid: int, thread: str = "*") -> list[int]:
    """Those of a process, or of one of its threads. None where the kernel does not say: Ray ends what it knows of."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob(f"{thread}/children"):
        with suppress(OSError):
            found += map(int, file.read_text().split())
    return found
