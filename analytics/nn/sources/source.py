"""The seam of sources: blocks of images, in order, read when they are due."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

__all__ = ["Block", "Source"]


@dataclass(frozen=True, slots=True)
class Block:
    """Images (n, *shape), n > 0, and their ids (n,) where the source has some."""

    images: NDArray[Any]
    ids: NDArray[Any] | None = None


class Source(Protocol):
    """Images of one shape. What is not of it is refused as it is met, with a typed error."""

    @property
    def count(self) -> int | None:
        """How many there are, where that is known without reading them."""

    @property
    def at_hand(self) -> bool:
        """Whether all can be looked at before anything is shared, at no cost but that of reading them."""

    def blocks(self, size: int) -> Iterator[Block]:
        """All of them, in blocks of about `size`. Raises `InputError` where they can be read once alone, and were."""
