"""What torch logs, or prints, while it fails: typed errors say it."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

__all__ = ["silence"]


@contextmanager
def silence() -> Iterator[None]:
    """torch logs what it raises, with tracebacks, and prints its graph; the finding, or the error, says it."""
    loggers = [logging.getLogger(name) for name in ("torch", *logging.root.manager.loggerDict) if _is_torchs(name)]
    before = [logger.disabled for logger in loggers]
    try:
        for logger in loggers:
            logger.disabled = True
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled


def _is_torchs(name: str) -> bool:
    return name == "torch" or name.startswith("torch.")
