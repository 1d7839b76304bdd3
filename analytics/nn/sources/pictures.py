"""Pictures in files of this process's node, opened one by one: samples of a model's owner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from analytics.nn.sources.source import Block
from icm_ray.errors import SourceError
from icm_ray.owner.images.pictures import PICTURE_SUFFIXES, PictureReader

__all__ = ["PictureImages", "pictures_in"]


def pictures_in(folder: Path) -> list[Path]:
    """The files of a folder that are pictures by their names, in the order of these; or the one file itself.

    Raises `SourceError` where there are none.
    """
    found = (
        sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)
        if folder.is_dir()
        else [folder]
    )
    if not found:
        raise SourceError(f"{folder} has no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
    return found


class PictureImages:
    """One picture in each file. Ids are the files' names.

    Raises what `PictureReader` raises, and `SourceError` for a file that is missing.
    """

    at_hand = False

    def __init__(self, files: Sequence[Path], shape: tuple[int, ...]) -> None:
        self._reader, self._files, self.count = PictureReader(shape), list(files), len(files)
        if missing := [path for path in self._files if not path.is_file()]:
            raise SourceError(f"there is no file {missing[0]}")

    def blocks(self, size: int) -> Iterator[Block]:
        for start in range(0, self.count, size):
            files = self._files[start : start + size]
            pixels = np.stack([self._reader.read(path, str(path)) for path in files])
            yield Block(pixels, np.array([path.name for path in files]))
