"""Where the time of a run goes: seconds by part, exclusive of one another.

Whoever spends time says on what, with `spends`, as a decorator or around a block; sections nest, and time inside an
inner one counts there alone. Outside a measured run a section costs one look-up. No `yield` inside a section: the
time until the generator is resumed would count.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import wraps
from time import perf_counter
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


class _Times:
    """One thread's: the sections that it is in, and what it has spent so far."""

    __slots__ = ("inside", "since", "spent")

    def __init__(self) -> None:
        self.inside: list[Part] = []
        self.since = 0.0
        self.spent = dict.fromkeys(Part, 0.0)


class Clock:
    """Seconds by part of one run; `now`: a monotonic counter of seconds.

    Each thread has times of its own, which are added: where several work at once, parts add up to more than the run
    took, and a thread that is in no section spends nothing.
    """

    def __init__(self, now: Callable[[], float] = perf_counter) -> None:
        self._now = now
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
        times, now = self._times(), self._now()
        if times.inside:
            times.spent[times.inside[-1]] += now - times.since
        times.inside.append(part)
        times.since = now

    def leave(self) -> None:
        """... and from now on what it did before."""
        times, now = self._times(), self._now()
        times.spent[times.inside.pop()] += now - times.since
        times.since = now

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
    """A section: the block, or every call of the decorated function, spends its time on `part`. To be used often."""

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
