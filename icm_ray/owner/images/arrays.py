"""Arrays of images in .npy files, which are mapped into memory and let go of again."""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ShapeError, SourceError
from icm_ray.python_syntax import parsed

__all__ = ["ArrayFiles", "let_go"]


def let_go(images: object) -> None:
    """Pages of a mapped file that were read are in the file, too: they need not stay in this process."""
    mapped: object = getattr(images, "_mmap", None)
    if isinstance(images, np.memmap) and images.mode in {"r", "r+"} and isinstance(mapped, mmap.mmap):
        mapped.madvise(mmap.MADV_DONTNEED)


class ArrayFiles:
    """Arrays (n, *shape) of real numbers."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape

    def count(self, path: str) -> int:
        return len(self._mapped(path))

    def ids(self, paths: Sequence[str]) -> Iterator[str | int]:
        return iter(())

    def read(self, path: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        images = self._mapped(path)
        found: NDArray[Any] = np.array(images[rows])
        let_go(images)
        return found

    def _mapped(self, path: str) -> NDArray[Any]:
        try:
            images: NDArray[Any] = parsed(lambda: np.lib.format.open_memmap(path, mode="r"))
        except (OSError, ValueError, EOFError, SyntaxError, OverflowError):
            raise SourceError(f"{path}: cannot be read as a .npy array of numbers", path=path) from None
        if images.dtype.kind not in "buif":
            raise ShapeError(f"{path}: numbers are needed, not dtype {images.dtype}", path=path)
        if images.ndim != len(self._shape) + 1 or images.shape[1:] != self._shape:
            takes = ", ".join(["n", *map(str, self._shape)])
            raise ShapeError(f"{path}: the network takes ({takes}); the array is {images.shape}", path=path)
        return images
