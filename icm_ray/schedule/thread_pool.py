"""The threads of one worker: steps that do not need one another are carried out at the same time.

A worker that was given T threads has never more than T at work, those inside a large product included: whoever carries
out a step may borrow threads for which there is no other step. Kernels, AES and large numpy operations run outside
Python's lock, which is why threads help at all.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from heapq import heapify, heappop, heappush
from threading import Condition
from typing import Self

from icm_ray.errors import BoundError
from icm_ray.profile import Part, spends

__all__ = ["ThreadPool"]


class _Tasks:
    """Tasks 0, 1, ... of which each can begin when those that it needs have ended; the earliest goes first."""

    def __init__(self, needs: Sequence[Collection[int]], ahead: int) -> None:
        self._waits, self._users = [len(needed) for needed in needs], [[] for _ in needs]  # type: list[int], list[list[int]]
        for task, needed in enumerate(needs):
            for source in needed:
                self._users[source].append(task)
        self._ready = [task for task, count in enumerate(self._waits) if not count]
        heapify(self._ready)
        self._ahead, self._ended, self._first = ahead, bytearray(len(needs)), 0

    @property
    def ready(self) -> int:
        """How many could begin now, or soon."""
        return len(self._ready) if self._within() else 0

    @property
    def over(self) -> bool:
        return self._first == len(self._ended)

    def _within(self) -> bool:
        return bool(self._ready) and (not self._ahead or self._ready[0] < self._first + self._ahead)

    def pop(self) -> int | None:
        return heappop(self._ready) if self._within() else None

    def end(self, task: int) -> None:
        self._ended[task] = True
        while self._first < len(self._ended) and self._ended[self._first]:
            self._first += 1
        for user in self._users[task]:
            self._waits[user] -= 1
            if not self._waits[user]:
                heappush(self._ready, user)


class ThreadPool:
    """`threads` threads, the caller's own among them; the others end with the `with` block.

    Raises `BoundError` for less than one.
    """

    def __init__(self, threads: int) -> None:
        if threads < 1:
            raise BoundError(f"a worker has one thread at least, not {threads}")
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, "icm-pool") if threads > 1 else None
        self._changed = Condition()
        self._busy = 1
        self._tasks: _Tasks | None = None
        self._failed: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown()

    def carry_out(self, needs: Sequence[Collection[int]], act: Callable[[int], None], ahead: int = 0) -> None:
        """`act` on every task, each after those that it needs, which come before it.

        ahead: how far beyond the earliest task that has not ended one may begin (0: any). The first error is raised
        once all that run have ended; what has not begun by then never does.
        """
        if self._pool is None or len(needs) < 2:
            for task in range(len(needs)):
                act(task)
            return
        self._tasks, self._failed, self._busy = _Tasks(needs, ahead), None, 0
        helpers: list[Future[None]] = []
        try:
            for _ in range(min(self.threads, len(needs)) - 1):
                helpers.append(self._pool.submit(copy_context().run, self._help, act))  # noqa: PERF401 - known one by one
            self._work(act)
        except BaseException as error:  # noqa: BLE001 - of this thread alone, such as Ctrl-C while it waits for the others
            self._fail(error)
        for helper in helpers:
            helper.result()
        failed, self._tasks, self._failed, self._busy = self._failed, None, None, 1
        if failed is not None:
            try:
                raise failed
            finally:
                del failed  # its traceback holds this frame

    @contextmanager
    def borrow(self) -> Iterator[int]:
        """Inside a task: how many threads it may use for a while, its own and those that have nothing else to do."""
        with self._changed:
            waiting = 0 if self._tasks is None else self._tasks.ready
            spare = max(0, self.threads - self._busy - waiting)
            self._busy += spare
        try:
            yield 1 + spare
        finally:
            with self._changed:
                self._busy -= spare
                self._changed.notify_all()

    def _help(self, act: Callable[[int], None]) -> None:
        with spends(Part.PYTHON):
            self._work(act)

    def _work(self, act: Callable[[int], None]) -> None:
        while (task := self._next()) is not None:
            try:
                act(task)
            except BaseException as error:  # noqa: BLE001 - raised by `carry_out`, in the caller's thread
                self._ended(task, error)
            else:
                self._ended(task, None)

    def _next(self) -> int | None:
        """The next task, once there is one and a thread for it; None where there will be none."""
        with self._changed:
            while True:
                tasks = self._tasks
                if tasks is None or self._failed is not None or tasks.over:
                    return None
                task = tasks.pop() if self._busy < self.threads else None
                if task is not None:
                    self._busy += 1
                    return task
                self._changed.wait()

    def _ended(self, task: int, error: BaseException | None) -> None:
        with self._changed:
            self._busy -= 1
            if error is not None:
                self._failed = self._failed or error
            elif self._tasks is not None:
                self._tasks.end(task)
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._failed = self._failed or error
            self._changed.notify_all()
