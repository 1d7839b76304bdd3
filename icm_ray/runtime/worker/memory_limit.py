"""A worker for another organisation has so much memory, and no more: the kernel refuses it what is beyond."""

from __future__ import annotations

import resource

from icm_ray.errors import FaultError

__all__ = ["limit_memory", "outgrown"]


def limit_memory(most: int) -> None:
    """Let this process have so many bytes of data at most, 0: any. What it would have beyond that is a MemoryError."""
    if most:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def outgrown(error: Exception, name: str, most: int) -> Exception:
    """What is told of an error of the worker `name`: the limit, where it came of that, which is public."""
    found: BaseException | None = error
    while found is not None and not isinstance(found, MemoryError):
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
