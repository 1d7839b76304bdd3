"""A worker for another organisation has so much memory, and no more: the kernel refuses it what is beyond."""

from __future__ import annotations

import resource
from typing import Final

from icm_ray.errors import FaultError, IcmError

__all__ = ["limit_memory", "outgrown"]


_REFUSED: Final = ("cannot allocate memory", "resource temporarily unavailable", "can't start new thread")
"""How Arrow, the system and Python say that there is no memory, also for the stack of a thread."""


def limit_memory(most: int) -> None:
    """Let this process have so many bytes of data at most, 0: any. What it would have beyond that is a MemoryError."""
    if most:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def outgrown(error: Exception, name: str, most: int) -> Exception:
    """What is told of an error of the worker `name`: the limit, where it came of that, which is public."""
    found: BaseException | None = error
    while found is not None and not _of_memory(found):
        found = found.__cause__ or found.__context__  # Arrow's is told as an error of the file that was read
    if not most or found is None:
        return error
    return FaultError(
        f"{name} gives a peer's worker {most} bytes of memory (worker_bytes in the limits of its icm.toml), and this "
        "takes more: ask about fewer rows, columns or groups at once",
        party=name,
        step="memory",
        limit=most,
    )


def _of_memory(error: BaseException) -> bool:
    """Whether memory was refused. SystemError is what is left of that where the interpreter was in the middle of it; a
    lock that another process has (`BlockingIOError`) is told in the same words as a thread without room.
    """
    if isinstance(error, MemoryError | SystemError):
        return True
    return not isinstance(error, IcmError | BlockingIOError) and any(words in str(error).lower() for words in _REFUSED)
