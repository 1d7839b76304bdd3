"""One array or tensor in memory, or a file that is mapped into it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from analytics.nn.sources.plain import check_tensor, expected, plain
from analytics.nn.sources.source import Block
from icm_ray.errors import ShapeError
from icm_ray.owner.images.arrays import let_go

__all__ = ["ArrayImages"]


class ArrayImages:
    """(n, *shape), n > 0. Raises `ShapeError` for another shape, and what `plain` raises."""

    at_hand = True

    def __init__(self, images: NDArray[Any] | torch.Tensor, shape: tuple[int, ...]) -> None:
        if isinstance(images, torch.Tensor):
            check_tensor(images, "images")
        if tuple(images.shape[1:]) != shape or images.ndim != len(shape) + 1 or not len(images):
            takes = f"the network takes {expected(shape)} with n > 0"
            raise ShapeError(f"{takes}; images are {tuple(images.shape)}")
        plain(images[:1], "images")
        self._images, self.count = images, len(images)

    def blocks(self, size: int) -> Iterator[Block]:
        for start in range(0, self.count, size):
            yield Block(plain(self._images[start : start + size], "images"))
            let_go(self._images)
