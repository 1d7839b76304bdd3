"""Lanes in the asker's own process, for mock rows: the same parties, and no organisation is asked."""

from __future__ import annotations

from dataclasses import replace

from icm_ray.instance.engine import OrganisationEngine
from icm_ray.runtime.carriers.threads import ThreadEngine

__all__ = ["MockEngine"]


class MockEngine(ThreadEngine):
    """`Engine` with the parties of lanes between organisations, and their settings, as threads over links in memory.

    What is asked here is written in no ledger that outlives it, and takes no randomness that was dealt ahead of time.
    """

    mock = True

    def __init__(self, like: OrganisationEngine) -> None:
        self._recipient = like.recipient
        config = replace(like.config, ledger=None, stock=None, rtt_ms=0.0, mbit=0.0)
        super().__init__(like.parties, like.owners, 1, config)

    @property
    def recipient(self) -> str:
        """Who would receive results where nobody is named."""
        return self._recipient
