"""Pictures in files, opened one by one with Pillow: pixels as uint8, channels first."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ShapeError, SourceError, UnsupportedError

__all__ = ["PICTURE_SUFFIXES", "PictureFiles", "PictureReader"]

PICTURE_SUFFIXES: Final = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"})
_FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # Pillow hands others on to other programs
_MODES: Final = {1: "L", 3: "RGB", 4: "RGBA"}


class PictureReader:
    """Reads pictures of 8 bits as images of `shape` (channels, height, width): grey, RGB or RGBA by the number of
    channels, made as large as that where they are not.

    Raises `ShapeError` where the network takes no pictures, `UnsupportedError` where Pillow is missing.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 3 or shape[0] not in _MODES:
            raise ShapeError(f"a picture has the shape (1, 3 or 4, height, width); the network takes {shape}")
        try:
            from PIL import Image
        except ImportError:
            raise UnsupportedError("pictures are opened with Pillow: pip install 'icm-ray[images]'") from None
        self._unreadable = OSError, ValueError, SyntaxError, Image.DecompressionBombError
        self._open, self._shape = Image.open, shape

    def read(self, file: Path | str | IO[bytes], name: str) -> NDArray[np.uint8]:
        """Pixels (*shape). name: of the picture, for messages. Raises `SourceError` where it is none."""
        channels, height, width = self._shape
        try:
            with self._open(file, formats=_FORMATS) as opened:
                if opened.mode.startswith(("I", "F")):  # which Pillow would cut off at 255
                    raise SourceError(
                        f"{name} has more than 8 bits a pixel and channel; make it a picture of 8", path=name
                    )
                picture: Any = opened.convert(_MODES[channels])
        except SourceError:
            raise
        except self._unreadable as error:
            raise SourceError(f"{name} cannot be read as a picture: {type(error).__name__}", path=name) from None
        if picture.size != (width, height):
            picture = picture.resize((width, height))
        return np.asarray(picture, np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


class PictureFiles:
    """One picture in each file."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._reader = PictureReader(shape)

    def count(self, path: str) -> int:
        return 1

    def ids(self, paths: Sequence[str]) -> Iterator[str | int]:
        """Paths below the folder that all are in."""
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])
        yield from (os.path.relpath(path, folder) for path in paths)

    def read(self, path: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        return np.stack([self._reader.read(path, path)] * len(rows))
