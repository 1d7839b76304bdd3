"""A worker's memory holds shares, masks and keys: no other process of its user may look into it, and no core is left.

What is public of a process under /proc (its command line, state, sizes) stays readable; root sees everything.
"""

from __future__ import annotations

import ctypes
import resource
from contextlib import suppress
from typing import Final

__all__ = ["seal_process"]

_PR_SET_DUMPABLE: Final = 4  # prctl(2)


def seal_process() -> None:
    """Make this process not dumpable, with a core limit of 0. Before it has secrets; where the kernel offers it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
