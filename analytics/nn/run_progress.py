"""How far a run is whose rows others ask about, question by question, in an order and a number that nobody tells."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from analytics.progress import Progress

__all__ = ["RunProgress"]

_QUIET: Final = 5.0
"""Seconds without a question after which a run counts as over."""


class _Run:
    """One that is shown. open: questions without an answer; ending: what ends it, where there are none."""

    def __init__(self) -> None:
        self.steps = Progress("predicting", None, "batches", 0)
        self.open = 0
        self.ending: threading.Timer | None = None


class RunProgress:
    """Progress of runs by their names, shown from a run's first question until some seconds after its last answer."""

    def __init__(self, quiet: float = _QUIET) -> None:
        self._quiet = quiet
        self._lock = threading.Lock()
        self._runs: dict[str, _Run] = {}

    @contextmanager
    def question(self, run: str) -> Iterator[Progress]:
        """Where the steps of one question of a run are counted."""
        with self._lock:
            if run not in self._runs:
                self._runs[run] = _Run()
                self._runs[run].steps.__enter__()
            one = self._runs[run]
            one.open += 1
            if one.ending is not None:
                one.ending.cancel()
                one.ending = None
        try:
            yield one.steps
        finally:
            with self._lock:
                one.open -= 1
                if not one.open:
                    one.ending = ending = threading.Timer(self._quiet, self._end, (run, one))
                    ending.daemon = True
                    ending.start()

    def _end(self, run: str, one: _Run) -> None:
        with self._lock:
            if one.open or self._runs.get(run) is not one:
                return
            del self._runs[run]
        one.steps.__exit__(None, None, None)

    def close(self) -> None:
        """End them all."""
        with self._lock:
            runs = list(self._runs.values())
            self._runs.clear()
        for one in runs:
            if one.ending is not None:
                one.ending.cancel()
            one.steps.__exit__(None, None, None)
