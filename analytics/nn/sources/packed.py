"""Several inputs of a network, each a source of its own, as one row of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analytics.nn.batches import Batches
from analytics.nn.sources.arrays import ArrayImages
from analytics.nn.sources.source import Block
from icm_ray.errors import InputError, ShapeError

__all__ = ["Kind", "PackedImages"]

Kind: TypeAlias = Literal["real", "whole", "truth"]


class PackedImages:
    """Arrays or tensors (n, *shape), one for each input, of one n.

    kinds: what numbers each holds; where these are "whole", no others; of "truth" values zeros and ones are taken.
    Raises `ShapeError` for other shapes or several n.
    """

    at_hand = True

    def __init__(
        self, given: Sequence[Any], names: Sequence[str], shapes: Sequence[tuple[int, ...]], kinds: Sequence[Kind]
    ) -> None:
        sources = []
        for images, name, shape in zip(given, names, shapes, strict=True):
            if not hasattr(images, "shape") or not hasattr(images, "ndim"):
                raise ShapeError(f"{name} is an array or a tensor, not {type(images).__name__}")
            try:
                sources.append(ArrayImages(images, shape))
            except ShapeError as error:
                raise ShapeError(f"{name}: {error.message}", **error.where) from None
        counts = {source.count for source in sources}
        if len(counts) > 1:
            raise ShapeError(f"inputs have {' and '.join(map(str, sorted(counts)))} rows; all have one for each sample")
        self._sources, self._names, self._kinds = sources, tuple(names), tuple(kinds)
        (self.count,) = counts

    def blocks(self, size: int) -> Iterator[Block]:
        readers = [Batches(source.blocks(size)) for source in self._sources]
        while True:
            taken = [reader.take(size) for reader in readers]
            parts = [self._numbers(batch.images, place) for place, batch in enumerate(taken) if batch is not None]
            if not parts:
                return
            yield Block(np.concatenate(parts, axis=1))

    def _numbers(self, images: NDArray[Any], place: int) -> NDArray[np.float64]:
        numbers = images.reshape(len(images), -1).astype(np.float64)
        if self._kinds[place] == "truth":
            numbers = np.where((numbers == 0) | np.isnan(numbers), numbers, 1.0)
        if self._kinds[place] == "whole" and images.dtype.kind == "f" and not (numbers == np.rint(numbers)).all():
            raise InputError(f"{self._names[place]} holds numbers that are not whole; the network takes whole ones")
        return numbers
