"""Lanes in the asker's own process, for mock rows: the same parties, and no organisation is asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from weakref import WeakMethod

from icm_ray.config import EngineConfig
from icm_ray.errors import OwnerError, SessionClosed
from icm_ray.names import DRIVER
from icm_ray.runtime.carriers.threads import ThreadEngine

__all__ = ["MockEngine", "MockEngines"]


class MockEngine(ThreadEngine):
    """`Engine` with the parties of lanes between organisations as threads over links in memory. recipient: the asker.

    What is asked here is written in no ledger that outlives it, and takes no randomness that was dealt ahead of time.
    """

    mock = True

    def __init__(
        self,
        parties: tuple[str, ...],
        recipient: str,
        config: EngineConfig,
        wider: Callable[[], Callable[[tuple[str, ...]], MockEngine] | None] = lambda: None,
    ) -> None:
        self._recipient, self._wider = recipient, wider
        super().__init__(parties, (), 1, replace(config, ledger=None, stock=None, rtt_ms=0.0, mbit=0.0))

    @property
    def recipient(self) -> str:
        """Who would receive results where nobody is named."""
        return self._recipient

    @property
    def home(self) -> object:
        """The connection that mock rows are tried in."""
        return self._wider

    def among(self, others: Iterable[str]) -> MockEngine:
        """The lanes of the same connection with these others. Errors: `SessionClosed` where nobody has that any more,
        `OwnerError`.
        """
        if (made := self._wider()) is None:
            raise SessionClosed("the connection that this frame was taken from is gone: keep it as long as its frames")
        return made((self._recipient, *sorted({*others} - {self._recipient})))

    def hears(self, recipient: str) -> bool:
        """What would be for the asker: of others' results it would hear that they are there."""
        return recipient in {self._recipient, DRIVER}


class MockEngines:
    """One for each set of parties, of a process that asks for `recipient`. peers: whom that has approved."""

    def __init__(self, recipient: str, peers: Collection[str], config: EngineConfig) -> None:
        self._recipient, self._peers, self._config = recipient, peers, config
        self._wider = WeakMethod(self.of)
        self._made: dict[tuple[str, ...], MockEngine] = {}
        self._lock, self._closed = threading.Lock(), False

    def of(self, parties: tuple[str, ...]) -> MockEngine:
        """That of these parties, in order. Raises `SessionClosed` after `close`, `OwnerError` for who is no peer."""
        for name in parties:
            if name not in (self._recipient, *self._peers):
                known = ", ".join((self._recipient, *self._peers))
                raise OwnerError(f"{name!r} is not approved here; there are {known}")
        with self._lock:
            if self._closed:
                raise SessionClosed("the connection was closed")
            if parties not in self._made:
                self._made[parties] = MockEngine(parties, self._recipient, self._config, self._wider)
            return self._made[parties]

    def close(self) -> None:
        """End them. Idempotent."""
        with self._lock:
            self._closed = True
            made, self._made = list(self._made.values()), {}
        for engine in made:
            engine.close()
