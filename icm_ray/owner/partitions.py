"""How an owner's files become partitions: by rows and bytes, from public facts alone, the same in every lane."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Group", "Piece", "cut"]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that a file stores together: a row group of Parquet, or a whole CSV file."""

    path: str
    number: int
    rows: int


@dataclass(frozen=True, slots=True)
class Piece:
    """Rows start to stop (excluded) of a group."""

    group: Group
    start: int
    stop: int

    @property
    def rows(self) -> int:
        """Rows of the piece."""
        return self.stop - self.start


def cut(groups: Iterable[Group], row_bytes: float, partition_bytes: int) -> tuple[tuple[Piece, ...], ...]:
    """Partitions of about `partition_bytes`: small groups merged in order, large ones split evenly; none is empty."""
    limit = max(1, int(partition_bytes / max(row_bytes, 1.0)))
    partitions: list[tuple[Piece, ...]] = []
    open_pieces: list[Piece] = []
    held = 0
    for group in groups:
        if group.rows == 0:
            continue
        if held and held + group.rows > limit:
            partitions.append(tuple(open_pieces))
            open_pieces, held = [], 0
        if group.rows <= limit:
            open_pieces.append(Piece(group, 0, group.rows))
            held += group.rows
            continue
        parts = -(-group.rows // limit)
        ends = [group.rows * part // parts for part in range(parts + 1)]
        partitions += [(Piece(group, start, stop),) for start, stop in pairwise(ends)]
    if open_pieces:
        partitions.append(tuple(open_pieces))
    return tuple(partitions)
