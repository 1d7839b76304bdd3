"""An owner's files of images: what they are is told by their names, what they hold is read when it is due."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError, InputError, ProgramError, ShapeError, SourceError
from icm_ray.owner.images.numbers import prepared, unfit
from icm_ray.owner.images.pictures import PICTURE_SUFFIXES, PictureFiles
from icm_ray.owner.paths import Stamp, expand, from_home
from icm_ray.query.image_tasks import ImageRows, ImageSource
from icm_ray.query.tasks import ColumnInfo, FileInfo, TableInfo
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import encode

__all__ = ["ImageFormat", "ImageTable", "open_images", "stored_shape"]

_KINDS: Final[Mapping[str, str]] = {".npy": "arrays", ".parquet": "Parquet"} | dict.fromkeys(
    PICTURE_SUFFIXES, "pictures"
)
_MOST_BYTES: Final = 12 << 20
"""Of names of files and ids, which are told to whoever asks for predictions."""


class ImageFormat(Protocol):
    """How one kind of file is read. All raise `InputError` naming the file."""

    def count(self, path: str) -> int:
        """The number of images in a file."""

    def ids(self, paths: Sequence[str]) -> Iterator[str | int]:
        """The ids of the images of all files, in order; nothing where they have none."""

    def read(self, path: str, rows: NDArray[np.int64]) -> NDArray[Any]:
        """Some images of a file (n, *shape), as plain numbers."""


class ImageTable:
    """Images of several files, in the files' order. One call at a time."""

    def __init__(self, source: ImageSource) -> None:
        paths = _images_in(source.paths)
        kind = _kind_of(paths)
        self._shape, self._paths = source.shape, paths
        if source.column is not None and kind != "Parquet":
            raise ColumnError(f"column= names a column of Parquet files; {paths[0]} is of {kind}", path=paths[0])
        self._stamps = {path: Stamp.of(path) for path in paths}
        self._format = _format(kind, source)
        counts = [self._format.count(path) for path in paths]
        self._starts = [0, *accumulate(counts)]
        if not self._starts[-1]:
            raise ShapeError(f"{paths[0]}: there are no images", path=paths[0])
        ids = tuple(self._format.ids(paths))
        files = tuple(
            FileInfo(from_home(path), self._stamps[path].size, self._stamps[path].modified, count)
            for path, count in zip(paths, counts, strict=True)
        )
        size = sum(len(file.path) + 40 for file in files) + sum(len(str(one)) + 9 for one in ids)
        if size > _MOST_BYTES:
            raise SourceError(
                f"{paths[0]}: the names of {len(files)} files, and ids, take {size} bytes, {_MOST_BYTES} are told at "
                "most: predict on fewer at a time, or put images into .npy or Parquet files"
            )
        self.info = TableInfo((ColumnInfo("images", kind, nullable=False),), (self._starts[-1],), files, ids)

    def make(self, task: ImageRows) -> RingArray:
        """What a task asks for.

        Errors: `ProgramError` (rows that there are not), `SourceError`, `ShapeError`, `NullError`, `BoundError` for
        images that cannot be shared. They name the file of the first, and `rows` are all of these.
        """
        rows = np.array(task.rows, np.int64)
        if not rows.size or rows.max() >= self._starts[-1]:
            raise ProgramError(f"{self._starts[-1]} images, of which others are asked for")
        if not {len(task.mean), len(task.std)} <= {0, 1, *self._shape[:1]} or bool(task.mean) != bool(task.std):
            raise ProgramError(f"images of {self._shape} have no {len(task.mean)} means and {len(task.std)} deviations")
        images, faults = self._read(rows)
        mean, std = (_channels(numbers, len(self._shape)) for numbers in (task.mean, task.std))
        numbers = prepared(images, task.scale, mean, std)
        for place in np.flatnonzero(unfit(numbers, task.bound, task.whole)).tolist():
            try:
                encode(numbers[place], task.f, task.bound, "images")
                faults.setdefault(place, InputError("the network takes whole numbers, and there are others"))
            except InputError as error:
                faults.setdefault(place, error)
        if faults:
            first = min(faults)
            raise self._fault(faults[first], int(rows[first]), [int(rows[place]) for place in sorted(faults)])
        return encode(np.ascontiguousarray(numbers), task.f, task.bound, "images")

    def _read(self, rows: NDArray[np.int64]) -> tuple[NDArray[Any], dict[int, InputError]]:
        """Images (n, *shape), zeros for those that cannot be read, and why they cannot."""
        files = np.searchsorted(self._starts, rows, side="right") - 1
        parts: list[tuple[NDArray[np.intp], NDArray[Any]]] = []
        faults: dict[int, InputError] = {}
        for file in np.unique(files).tolist():
            path, places = self._paths[file], np.flatnonzero(files == file)
            self._stamps[path].check(path)
            parts += self._of_file(path, places, rows[places] - self._starts[file], faults)
        dtype = np.result_type(*(images.dtype for _, images in parts)) if parts else np.dtype(np.uint8)
        found = np.zeros((len(rows), *self._shape), dtype)
        for places, images in parts:
            found[places] = images
        return found, faults

    def _of_file(
        self, path: str, places: NDArray[np.intp], rows: NDArray[np.int64], faults: dict[int, InputError]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
        """Together, or one by one where one of them cannot be read."""
        try:
            yield places, self._format.read(path, rows)
        except InputError as error:
            if len(rows) == 1:
                faults[int(places[0])] = error
                return
            for at in range(len(rows)):
                yield from self._of_file(path, places[at : at + 1], rows[at : at + 1], faults)

    def _fault(self, error: InputError, row: int, rows: list[int]) -> InputError:
        path = self._paths[bisect_right(self._starts, row) - 1]
        named = error.message if path in error.message else f"{path}: {error.message}"
        where = {**error.where, "path": path, "row": row, "rows": tuple(rows)}
        return type(error)(f"{named} (image {row})", **where)


def open_images(source: ImageSource) -> ImageTable:
    """Find the files, and look at each as far as its number of images takes; pictures are not opened yet.

    Errors: `SourceError`, `ShapeError`, `ColumnError`, `UnsupportedError` (Pillow is missing).
    """
    return ImageTable(source)


def stored_shape(paths: Sequence[str]) -> tuple[int, ...] | None:
    """The shape of the images of .npy files, as the first of them has it; None for others, which are as large as a
    network takes them. Errors: `SourceError`.
    """
    first = _images_in(paths)[0]
    if _suffix(first) != ".npy":
        return None
    try:
        return tuple(np.load(first, mmap_mode="r", allow_pickle=False).shape[1:])
    except (OSError, ValueError, EOFError):
        raise SourceError(f"{first}: cannot be read as a .npy array of numbers", path=first) from None


def _images_in(paths: Iterable[str]) -> list[str]:
    """Files that are named, or lie in a directory and are images by their names: pictures alone where it has some."""
    found: dict[str, None] = {}
    for path in paths:
        files = expand((path,))
        if files[0] in found and os.path.isfile(os.path.expanduser(path)):  # there would be fewer images than names
            raise SourceError(f"{path}: this file is named twice", path=path)
        if os.path.isdir(os.path.expanduser(path)):
            pictures = tuple(file for file in files if _suffix(file) in PICTURE_SUFFIXES)
            files = pictures or tuple(file for file in files if _suffix(file) in _KINDS)
            if not files:
                raise SourceError(f"{path}: no pictures, .npy or Parquet files in this directory", path=path)
        found.update(dict.fromkeys(files))
    if not found:
        raise SourceError("no path is given")
    return list(found)


def _kind_of(paths: list[str]) -> str:
    """What files are by their names: a picture may have any."""
    kinds = {_KINDS.get(_suffix(path), "pictures"): path for path in paths}
    if len(kinds) > 1:
        (one, here), (other, there), *_ = kinds.items()
        raise SourceError(f"{here} is of {one}, {there} of {other}: name files of one kind", path=here)
    return next(iter(kinds))


def _format(kind: str, source: ImageSource) -> ImageFormat:
    if kind == "Parquet":
        from icm_ray.owner.images.columns import ColumnFiles

        return ColumnFiles(source.shape, source.column, source.ids)
    if kind == "arrays":
        from icm_ray.owner.images.arrays import ArrayFiles

        return ArrayFiles(source.shape)
    return PictureFiles(source.shape)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _channels(numbers: tuple[float, ...], axes: int) -> NDArray[np.float64] | None:
    """As they are broadcast against an image of so many axes: one number, or one for each channel."""
    return np.array(numbers, np.float64).reshape(-1, *[1] * (axes - 1)) if numbers else None
