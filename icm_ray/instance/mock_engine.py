"""Lanes in the asker's own process, for mock rows: the same parties, and no organisation is asked."""

from __future__ import annotations

import threading
from dataclasses import replace

from icm_ray.config import EngineConfig
from icm_ray.errors import SessionClosed
from icm_ray.names import DRIVER
from icm_ray.runtime.carriers.threads import ThreadEngine

__all__ = ["MockEngine", "MockEngines"]


class MockEngine(ThreadEngine):
    """`Engine` with the parties of lanes between organisations as threads over links in memory. recipient: the asker.

    What is asked here is written in no ledger that outlives it, and takes no randomness that was dealt ahead of time.
    """

    mock = True

    def __init__(self, parties: tuple[str, ...], recipient: str, config: EngineConfig) -> None:
        self._recipient = recipient
        super().__init__(parties, (), 1, replace(config, ledger=None, stock=None, rtt_ms=0.0, mbit=0.0))

    @property
    def recipient(self) -> str:
        """Who would receive results where nobody is named."""
        return self._recipient

    def hears(self, recipient: str) -> bool:
        """What would be for the asker: of others' results it would hear that they are there."""
        return recipient in {self._recipient, DRIVER}


class MockEngines:
    """One for each set of parties, of a process that asks for `recipient`."""

    def __init__(self, recipient: str, config: EngineConfig) -> None:
        self._recipient, self._config = recipient, config
        self._made: dict[tuple[str, ...], MockEngine] = {}
        self._lock, self._closed = threading.Lock(), False

    def of(self, parties: tuple[str, ...]) -> MockEngine:
        """That of these parties, in order. Raises `SessionClosed` after `close`."""
        with self._lock:
            if self._closed:
                raise SessionClosed("the connection was closed")
            if parties not in self._made:
                self._made[parties] = MockEngine(parties, self._recipient, self._config)
            return self._made[parties]

    def close(self) -> None:
        """End them. Idempotent."""
        with self._lock:
            self._closed = True
            made, self._made = list(self._made.values()), {}
        for engine in made:
            engine.close()
