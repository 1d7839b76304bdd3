"""Several inputs of a network as one row of numbers: what the engine computes with."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from analytics.nn.sources.source import Block
from icm_ray.errors import InputError

__all__ = ["Input", "Kind", "PackedImages", "Rows", "RowsSource"]

Kind: TypeAlias = Literal["real", "whole", "truth"]


@dataclass(frozen=True, slots=True)
class Input:
    """One of several: its name, the shape of one sample, and what numbers it holds.

    kind: where these are "whole", no others are taken; of "truth" values zeros and ones are.
    """

    name: str
    shape: tuple[int, ...]
    kind: Kind

    @property
    def size(self) -> int:
        """Numbers of one sample."""
        return math.prod(self.shape)


@dataclass(frozen=True, slots=True)
class Rows:
    """For each input its samples (n, *shape), n > 0 and the same for all; and their ids (n,), where there are some."""

    inputs: Sequence[NDArray[Any]]
    ids: NDArray[Any] | None = None


class RowsSource(Protocol):
    """Samples of several inputs. What is not of these is refused as it is met, with a typed error."""

    @property
    def count(self) -> int | None:
        """As of a `Source`."""

    @property
    def at_hand(self) -> bool:
        """As of a `Source`."""

    def rows(self, size: int) -> Iterator[Rows]:
        """All of them, in blocks of about `size`."""


class PackedImages:
    """The numbers of all inputs of a sample side by side, as float64."""

    def __init__(self, source: RowsSource, inputs: Sequence[Input]) -> None:
        self.source, self._inputs = source, tuple(inputs)

    @property
    def count(self) -> int | None:
        return self.source.count

    @property
    def at_hand(self) -> bool:
        return self.source.at_hand

    def blocks(self, size: int) -> Iterator[Block]:
        for rows in self.source.rows(size):
            parts = [_numbers(images, given) for images, given in zip(rows.inputs, self._inputs, strict=True)]
            yield Block(np.concatenate(parts, axis=1), rows.ids)


def _numbers(images: NDArray[Any], given: Input) -> NDArray[np.float64]:
    numbers = images.reshape(len(images), -1).astype(np.float64)
    if given.kind == "truth":
        numbers = np.where((numbers == 0) | np.isnan(numbers), numbers, 1.0)
    if given.kind == "whole" and images.dtype.kind == "f" and not (numbers == np.rint(numbers)).all():
        raise InputError(f"{given.name} holds numbers that are not whole; the network takes whole ones")
    return numbers
