"""How far something is that takes longer than a second: a bar where there is a terminal, else a line now and then."""

from __future__ import annotations

import os
import sys
import threading
from time import monotonic
from types import TracebackType
from typing import Final, Self, TextIO

__all__ = ["Progress"]

_PATIENCE: Final = 1.0
"""Seconds before anything is shown."""
_UNREAD: Final = 1.0
"""Seconds that the end waits for a stream that nobody may read."""
_LINES: Final = 10.0
"""Seconds between two lines where there is no terminal."""
_LOOK: Final = 0.2


class Progress:
    """Counts steps that are done, from any thread, and shows them on standard error while the block lasts.

    title: what is done. total: steps in all; None: nobody knows. unit: what a step is, in the plural. rows: of all
    steps together.
    ICM_PROGRESS=0 in the environment: nothing is shown.
    """

    def __init__(self, title: str, total: int | None, unit: str, rows: int) -> None:
        self.title, self.total, self.unit, self.rows = title, total, unit, rows
        self._began = monotonic()
        self._count, self._rows = 0, 0
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def done(self, rows: int = 0) -> None:
        """One step more, of so many rows."""
        with self._lock:
            self._count += 1
            self._rows += rows

    def line(self) -> str:
        """How far it is: steps, rows a second, seconds left."""
        with self._lock:
            count, rows = self._count, self._rows
        spent = max(monotonic() - self._began, 1e-9)
        speed = f", {rows / spent:,.0f} rows/s" if rows else ""
        left = f", {spent * (self.total - count) / count:.0f} s left" if count and self.total is not None else ""
        of = "" if self.total is None else f" of {self.total}"
        return f"{self.title}: {count}{of} {self.unit}{speed}{left}"

    def __enter__(self) -> Self:
        if self.total != 0 and sys.stderr is not None and os.environ.get("ICM_PROGRESS", "1") != "0":
            self._thread = threading.Thread(target=self._show, args=(sys.stderr,), name="icm-progress", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join(_UNREAD)

    def _show(self, stream: TextIO) -> None:
        if self._over.wait(_PATIENCE):
            return
        if stream.isatty():
            self._bar(stream)
            return
        while True:
            stream.write(self.line() + "\n")
            if self._over.wait(_LINES):
                return

    def _bar(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        with Bar(*columns, console=Console(file=stream), transient=True) as bar:
            task = bar.add_task(self.line(), total=self.total)
            while not self._over.wait(_LOOK):
                bar.update(task, completed=self._count, description=self.line())
