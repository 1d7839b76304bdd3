"""What a worker has worked out before: the same program comes again for every batch and every partition."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from icm_ray.program.program import decode_program
from icm_ray.program.stamped import RunSettings, Stamped

__all__ = ["Latest", "Programs"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Latest(Generic[K, V]):
    """The latest values by their keys; at most `limit` bytes of them, and always the last."""

    def __init__(self, limit: int = 4 << 20) -> None:
        self._limit, self._bytes = limit, 0
        self._kept: dict[K, tuple[V, int]] = {}  # in the order of their last use

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K, size: int, make: Callable[[], V]) -> V:
        """The value of a key: kept, or made. size: its bytes, about. What `make` raises is raised, every time."""
        found = self._kept.pop(key, None)
        if found is None:
            found = make(), size
            self._bytes += size
        self._kept[key] = found
        while self._bytes > self._limit and len(self._kept) > 1:
            _, freed = self._kept.pop(next(iter(self._kept)))
            self._bytes -= freed
        return found[0]


class Programs:
    """The latest programs by their bytes and settings, decoded and checked; at most `limit` bytes of them, and always
    the last.
    """

    def __init__(self, limit: int = 4 << 20) -> None:
        self._latest: Latest[tuple[bytes, RunSettings], Stamped] = Latest(limit)

    def __len__(self) -> int:
        return len(self._latest)

    def stamped(self, payload: bytes, settings: RunSettings) -> Stamped:
        """As `decode_program` and `Stamped`: raises `ProgramError` where either is not well formed, every time."""
        return self._latest.get((payload, settings), len(payload), lambda: Stamped(decode_program(payload), settings))
