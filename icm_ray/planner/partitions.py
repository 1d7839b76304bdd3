"""How rows are cut into partitions, and which lane takes which."""

from __future__ import annotations

__all__ = ["lanes_of"]


def lanes_of(partitions: int, lanes: int) -> tuple[int, ...]:
    """The lane of every partition: in turn, so that lanes get nearly as many, and neighbours go to different ones."""
    return tuple(part % lanes for part in range(partitions))
