"""Where the time of a run goes: seconds by part, exclusive of one another.

Whoever spends time says on what, with `spends`, as a decorator or around a block; sections nest, and time inside an
inner one counts there alone. Work counts for as long as the thread had a core; the rest of it, while others had them
all, is a part of its own. Outside a measured run a section costs one look-up. No `yield` inside a section: the
time until the generator is resumed would count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import wraps
from time import perf_counter, thread_time
from typing import ParamSpec, TypeVar

__all__ = ["Clock", "Part", "present_clock", "spends"]

P = ParamSpec("P")
T = TypeVar("T")


class Part(StrEnum):
    """What time is spent on."""

    PRG = "prg"
    """Expanding streams."""
    KERNELS = "kernels"
    """Arithmetic on whole arrays, compiled or numpy's, and copies of them."""
    PRODUCTS = "products"
    """Matrix products and convolutions."""
    WIRE = "wire"
    """Moving bytes to and from links."""
    PEERS = "peers"
    """Waiting for other members: for a frame to begin, or for room in a full queue."""
    DEALER = "dealer"
    """Waiting for the dealer: for a run to begin, or for a correction."""
    PYTHON = "python"
    """All the rest: interpretation, scheduling, messages, freeing of arrays."""
    CORES = "cores"
    """Ready to work, but without a core (or, in a product, waiting for the threads that were lent to it)."""


_WORK = frozenset({Part.PRG, Part.KERNELS, Part.PRODUCTS, Part.PYTHON})


class _Times:
    """One thread's: the sections that it is in, and what it has spent so far."""

    __slots__ = ("inside", "since", "spent", "worked")

    def __init__(self) -> None:
        self.inside: list[Part] = []
        self.since = self.worked = 0.0
        self.spent = dict.fromkeys(Part, 0.0)

    def count(self, now: float, worked: float) -> None:
        """Until now, where the thread has had a core for `worked` in all, the section that it is in."""
        if self.inside:
            part, passed = self.inside[-1], now - self.since
            if part in _WORK:
                work = min(passed, worked - self.worked)
                self.spent[Part.CORES] += passed - work
                passed = work
            self.spent[part] += passed
        self.since, self.worked = now, worked


class Clock:
    """Seconds by part of one run. now: a monotonic counter of seconds; working: of those that the calling thread had a
    core.

    Each thread has times of its own, which are added: where several work at once, parts add up to more than the run
    took, and a thread that is in no section spends nothing.
    """

    def __init__(self, now: Callable[[], float] = perf_counter, working: Callable[[], float] = thread_time) -> None:
        self._now, self._working = now, working
        self._mine = threading.local()
        self._all: list[_Times] = []
        self._adding = threading.Lock()

    def _times(self) -> _Times:
        times: _Times | None = getattr(self._mine, "times", None)
        if times is None:
            times = self._mine.times = _Times()
            with self._adding:
                self._all.append(times)
        return times

    def enter(self, part: Part) -> None:
        """The calling thread spends its time on `part` from now on."""
        times = self._times()
        times.count(self._now(), self._working())
        times.inside.append(part)

    def leave(self) -> None:
        """... and from now on what it did before."""
        times = self._times()
        times.count(self._now(), self._working())
        times.inside.pop()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure what the block spends, and what threads do that run in a copy of its context."""
        token = _PRESENT.set(self)
        self.enter(Part.PYTHON)
        try:
            yield
        finally:
            self.leave()
            _PRESENT.reset(token)

    def spent(self) -> dict[str, float]:
        """Seconds by part so far, without sections that have not ended."""
        with self._adding:
            every = list(self._all)
        return {str(part): sum(times.spent[part] for times in every) for part in Part}


_PRESENT: ContextVar[Clock | None] = ContextVar("icm_clock", default=None)


present_clock: Callable[[], Clock | None] = _PRESENT.get
"""The clock of the present run; None where nothing is measured."""


class spends:  # noqa: N801 - reads as the verb that it is, like contextlib's own
    """A section: the block, or every call of the decorated function, spends its time on `part`.

    One may be entered any number of times, by several threads.
    """

    __slots__ = ("_part",)

    def __init__(self, part: Part) -> None:
        self._part = part

    def __enter__(self) -> None:
        clock = _PRESENT.get()
        if clock is not None:
            clock.enter(self._part)

    def __exit__(self, *_: object) -> None:
        clock = _PRESENT.get()
        if clock is not None:
            clock.leave()

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        part = self._part

        @wraps(function)
        def measured(*args: P.args, **kwargs: P.kwargs) -> T:
            clock = _PRESENT.get()
            if clock is None:
                return function(*args, **kwargs)
            clock.enter(part)
            try:
                return function(*args, **kwargs)
            finally:
                clock.leave()

        return measured
