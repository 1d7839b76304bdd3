"""Pictures in files of this process's node, opened one by one with Pillow: pixels as uint8, channels first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from analytics.nn.sources.source import Block
from icm_ray.errors import ShapeError, SourceError, UnsupportedError

__all__ = ["PictureImages", "pictures_in"]

_SUFFIXES: Final = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
_MODES: Final = {1: "L", 3: "RGB", 4: "RGBA"}


def pictures_in(folder: Path) -> list[Path]:
    """The files of a folder that are pictures by their names, in the order of these; or the one file itself.

    Raises `SourceError` where there are none.
    """
    found = (
        sorted(path for path in folder.iterdir() if path.suffix.lower() in _SUFFIXES) if folder.is_dir() else [folder]
    )
    if not found:
        raise SourceError(f"{folder} has no pictures ({', '.join(sorted(_SUFFIXES))})")
    return found


class PictureImages:
    """One picture in each file, made as large as an image of `shape` (channels, height, width) where it is not.

    Grey, RGB or RGBA, by the number of channels. Ids are the files' names.
    Raises `UnsupportedError` where the network takes no pictures, or Pillow is missing; `SourceError` for a file that
    cannot be read.
    """

    at_hand = False

    def __init__(self, files: Sequence[Path], shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[0] not in _MODES:
            raise ShapeError(f"a picture has the shape (1, 3 or 4, height, width); the network takes {shape}")
        try:
            from PIL import Image
        except ImportError:
            raise UnsupportedError("pictures are opened with Pillow: pip install 'icm-ray[images]'") from None
        self._unreadable = OSError, ValueError, Image.DecompressionBombError
        self._open, self._files, self._shape, self.count = Image.open, list(files), shape, len(files)
        if missing := [path for path in self._files if not path.is_file()]:
            raise SourceError(f"there is no file {missing[0]}")

    def blocks(self, size: int) -> Iterator[Block]:
        for start in range(0, self.count, size):
            files = self._files[start : start + size]
            yield Block(np.stack([self._pixels(path) for path in files]), np.array([path.name for path in files]))

    def _pixels(self, path: Path) -> NDArray[np.uint8]:
        channels, height, width = self._shape
        try:
            with self._open(path) as opened:
                picture: Any = opened.convert(_MODES[channels])
        except self._unreadable as error:
            raise SourceError(f"{path} cannot be read as a picture: {type(error).__name__}") from None
        if picture.size != (width, height):
            picture = picture.resize((width, height))
        return np.asarray(picture, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)
