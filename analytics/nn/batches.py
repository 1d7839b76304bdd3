"""Blocks of any size cut into batches of the wanted one."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analytics.nn.sources.source import Block

__all__ = ["Batch", "Batches"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Images (n, *shape), n > 0. number: among the batches; rows: places of the images in the source; ids: of those."""

    number: int
    rows: NDArray[np.int64]
    images: NDArray[Any]
    ids: NDArray[Any] | None


class Batches:
    """Batches in order, read when they are asked for. skip: ids of images that are left out."""

    def __init__(self, blocks: Iterator[Block], skip: Collection[Any] = ()) -> None:
        self._blocks, self._skip = blocks, skip
        self._held: deque[tuple[NDArray[np.int64], Block]] = deque()
        self._ready, self._read, self._number = 0, 0, 0

    def take(self, count: int) -> Batch | None:
        """The next `count` images, or those that are left; None where there are none."""
        while self._ready < count and (block := next(self._blocks, None)) is not None:
            self._hold(block)
        parts: list[tuple[NDArray[np.int64], Block]] = []
        left = count
        while left and self._held:
            rows, block = self._held.popleft()
            if len(rows) > left:
                self._held.appendleft((rows[left:], _cut(block, slice(left, None))))
                rows, block = rows[:left], _cut(block, slice(left))
            parts.append((rows, block))
            left -= len(rows)
        self._ready -= count - left
        if not parts:
            return None
        self._number += 1
        ids = [block.ids for _, block in parts if block.ids is not None]
        return Batch(
            self._number - 1,
            np.concatenate([rows for rows, _ in parts]),
            parts[0][1].images if len(parts) == 1 else np.concatenate([block.images for _, block in parts]),
            np.concatenate(ids) if ids else None,
        )

    def _hold(self, block: Block) -> None:
        rows = np.arange(self._read, self._read + len(block.images))
        self._read += len(rows)
        if self._skip and block.ids is not None:
            kept = np.array([one not in self._skip for one in block.ids.tolist()], bool)
            rows, block = rows[kept], Block(block.images[kept], block.ids[kept])
        if len(rows):
            self._held.append((rows, block))
            self._ready += len(rows)


def _cut(block: Block, part: slice) -> Block:
    return Block(block.images[part], None if block.ids is None else block.ids[part])
