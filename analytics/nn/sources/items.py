"""Images one by one, or in batches: lists, generators, torch's datasets and loaders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from analytics.nn.sources.number_kind import NumberKind
from analytics.nn.sources.plain import expected, plain
from analytics.nn.sources.source import Block
from icm_ray.errors import InputError, ShapeError

__all__ = ["ItemImages", "LoaderImages"]

_ARRAYS: Final = (np.ndarray, torch.Tensor)


class ItemImages:
    """Each item is one image (*shape), or a batch of them (n, *shape), or a pair of that and something else."""

    at_hand = False

    def __init__(self, items: Iterable[Any], shape: tuple[int, ...]) -> None:
        self._items, self._shape = items, shape
        self._once, self._used = isinstance(items, Iterator), False
        self.count: int | None = None
        if isinstance(items, list | tuple):
            if not items:
                raise ShapeError(f"there are no images in an empty {type(items).__name__}")
            sizes = [_images_in(self._plain(item, place), shape, place) for place, item in enumerate(items)]
            self.count, self.at_hand = sum(sizes), True

    def _plain(self, item: Any, place: int) -> NDArray[Any]:
        return plain(self._image_of(item, place), f"item {place}")

    def _image_of(self, item: Any, place: int) -> Any:
        """The first of a pair (image, label), else the item."""
        return item[0] if isinstance(item, tuple) and item and isinstance(item[0], _ARRAYS) else item

    def _each(self) -> Iterator[Any]:
        return iter(self._items)

    def blocks(self, size: int) -> Iterator[Block]:
        if self._once and self._used:
            what = type(self._items).__name__
            raise InputError(f"a {what} is read once, and was; pass what can be read again, such as a list")
        self._used = True
        kind, held = NumberKind(), list[NDArray[Any]]()
        for place, item in enumerate(self._each()):
            array = self._plain(item, place)
            kind.check(array, f"item {place}")
            count = _images_in(array, self._shape, place)
            single = array.shape == self._shape
            if single:
                held.append(array)
            if held and (not single or len(held) == size):
                yield Block(np.stack(held))
                held = []
            if not single and count:
                yield Block(array)
        if held:
            yield Block(np.stack(held))


def _images_in(array: NDArray[Any], shape: tuple[int, ...], place: int) -> int:
    if array.shape == shape:
        return 1
    if array.shape[1:] == shape and array.ndim == len(shape) + 1:
        return len(array)
    takes = f"an image is {shape}, a batch {expected(shape)}"
    raise ShapeError(f"{takes}; item {place} is {array.shape}")


class LoaderImages(ItemImages):
    """A torch Dataset or DataLoader. Of pairs (image, label) the first is the image; of a mapping, its `column`."""

    def __init__(
        self, items: Dataset[Any] | DataLoader[Any], shape: tuple[int, ...], column: str | None = None
    ) -> None:
        either: Any = items
        super().__init__(either, shape)
        self._column = column
        self._once = False
        sized: Any = items.dataset if isinstance(items, DataLoader) else items
        if not isinstance(items, DataLoader) and hasattr(sized, "__len__"):
            self.count = len(sized)
            if not self.count:
                raise ShapeError(f"there are no images in an empty {type(items).__name__}")

    def _image_of(self, item: Any, place: int) -> Any:
        if isinstance(item, Mapping):
            if self._column not in item:
                names = ", ".join(map(repr, item))
                raise InputError(f"item {place} has {names}: column= says which of them is the image")
            return item[self._column]
        if isinstance(item, list) and item and isinstance(item[0], _ARRAYS):  # as a DataLoader gathers pairs
            return item[0]
        return item[0] if isinstance(item, tuple) and item else item

    def _each(self) -> Iterator[Any]:
        items: Any = self._items
        if isinstance(items, DataLoader) or hasattr(items, "__iter__") or self.count is None:
            return iter(items)
        return (items[place] for place in range(self.count))
