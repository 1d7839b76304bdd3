"""Images in files of their owner's, read by its own worker: this process knows how many there are, and their names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeGuard

import numpy as np

from analytics.files import owner_paths
from analytics.nn.sources.source import Block
from icm_ray.errors import InputError
from icm_ray.query.held import HeldImageSource
from icm_ray.query.image_tasks import ImageSource
from icm_ray.runtime.driver.ending import forget_when_dropped
from icm_ray.runtime.driver.engine import Engine

__all__ = ["HeldImages", "StatedImages", "are_paths"]

Paths = str | os.PathLike[str] | list[str | os.PathLike[str]]


def are_paths(images: Any) -> TypeGuard[Paths]:
    """Whether images are named by paths on their owner's node."""
    listed = images if isinstance(images, list) and images else [images]
    return all(isinstance(item, str | os.PathLike) for item in listed)


class HeldImages:
    """Blocks are the numbers of images, (n,), in the order of the files. table: what the owner's workers call them.

    column, ids: names in Parquet files. Raises what opening raises: `SourceError`, `ShapeError`, `ColumnError`,
    `UnsupportedError` where the owner's node lacks Pillow; `SessionError` and `FaultError`.
    """

    at_hand = False

    @classmethod
    def at(
        cls, session: Engine, owner: str, paths: Paths, shape: tuple[int, ...], column: str | None, ids: str | None
    ) -> HeldImages:
        """Those that paths on the owner's node name."""
        local = bool(getattr(session, "local", True))
        return cls(session, owner, ImageSource(owner_paths(owner, paths, local), shape, column, ids), ids)

    def __init__(
        self, session: Engine, owner: str, source: ImageSource | HeldImageSource, ids: str | None = None
    ) -> None:
        opened = session.open_table(owner, source)
        forget_when_dropped(self, session, partial(list, [opened.name]))
        if ids is not None and not opened.info.ids:
            raise InputError(f"{owner}: arrays have no ids, so id_column= names none")
        self.table, self.files = opened.name, len(opened.info.files)
        self.count = sum(opened.info.rows)
        self._ids = np.array(opened.info.ids) if opened.info.ids else None

    def blocks(self, size: int) -> Iterator[Block]:
        for start in range(0, self.count, size):
            rows = np.arange(start, min(start + size, self.count))
            yield Block(rows, None if self._ids is None else self._ids[rows])


@dataclass(frozen=True, slots=True)
class StatedImages:
    """Images of which a catalogue says how many there are, for a request while somebody is away: nobody reads them."""

    count: int
    at_hand: bool = False

    def blocks(self, size: int) -> Iterator[Block]:
        del size
        return iter(())
