"""Workers for other organisations share so many cores of their machine, and no more: the kernel makes them wait."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["limit_cores"]

_THREADS: Final = Path("/proc/self/task")


def limit_cores(most: int) -> None:
    """Let the threads of this process, and all that they start, run on so many of its cores at most, 0: any. Processes
    of one machine that are given one number have the same cores, the last ones: the first are left to others.
    """
    if not most:
        return
    cores = sorted(os.sched_getaffinity(0))[-most:]
    done: set[str] = set()
    while found := {path.name for path in _THREADS.iterdir()} - done:  # until none is new: those that were not moved
        for thread in found:  # yet start others, which are not either
            with suppress(ProcessLookupError):  # it has ended
                os.sched_setaffinity(int(thread), cores)
        done |= found
