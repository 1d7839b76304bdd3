"""From images to ring elements, for their owner: scaled, normalised, held against the public bound, batch by batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from analytics.nn.batches import Batch
from icm_ray.errors import BoundError, InputError, NullError, ShapeError
from icm_ray.network.model import IMAGES
from icm_ray.network.scheme import Scheme
from icm_ray.owner.images.numbers import prepared, unfit
from icm_ray.ring.array import RingArray
from icm_ray.ring.fixed import encode

__all__ = ["Intake", "takes_whole"]

_SMALLER: Final = "; the model's scale= and normalize= make pixels small, its input_bound= allows larger numbers"


@dataclass(frozen=True, slots=True)
class Intake:
    """What the network is given for an image x: (scale x - mean) / std, as ring elements of a scheme.

    mean, std: broadcast against an image. whole: whether the network takes whole numbers, and no others.
    """

    scale: float = 1.0
    mean: NDArray[np.float64] | None = None
    std: NDArray[np.float64] | None = None
    whole: bool = False

    @classmethod
    def of(cls, scale: Any, normalize: Any, shape: tuple[int, ...], *, whole: bool = False) -> Intake:
        """As users name it: a number; (mean, std), each a number or one for each channel of images of `shape`."""
        factor = _numbers(scale, "scale")
        if factor.ndim or factor == 0:
            raise InputError(f"scale is a number other than 0, not {scale!r}")
        if whole and (factor != 1 or normalize is not None):
            raise InputError("the network takes whole numbers (example_inputs=); scale= and normalize= make others")
        if normalize is None:
            return cls(float(factor), whole=whole)
        if not isinstance(normalize, Sequence) or len(normalize) != 2:
            raise InputError(f"normalize is a pair (mean, std), not {normalize!r}")
        mean, std = (_channels(numbers, shape) for numbers in normalize)
        if (std <= 0).any():
            raise InputError(f"normalize: standard deviations are positive, not {normalize[1]!r}")
        return cls(float(factor), mean, std)

    @property
    def changes(self) -> bool:
        """Whether images are not taken as they are."""
        return self.scale != 1.0 or self.mean is not None

    def prepared(self, images: NDArray[Any]) -> NDArray[Any]:
        """What the network is given for images (n, *shape), as plain numbers."""
        return prepared(images, self.scale, self.mean, self.std)

    def look(self, images: NDArray[Any], scheme: Scheme, first: int) -> None:
        """Raise what `encoded` would raise, of a block whose first image is number `first`."""
        numbers = self.prepared(images)
        if unfit(numbers, scheme.inputs, self.whole).any():
            self._refuse(numbers, scheme, np.arange(first, first + len(images)), None)

    def encoded(self, batch: Batch, scheme: Scheme, masked: bool) -> tuple[RingArray, NDArray[np.bool_]]:
        """Ring elements of a batch, and which images cannot be shared: zeros take their places.

        masked: whether there may be such; else `NullError`, `BoundError` or `InputError` names the first. What it says
        is the images' owner's own.
        """
        numbers = self.prepared(batch.images)
        left_out = unfit(numbers, scheme.inputs, self.whole)
        if left_out.any():
            if not masked:
                self._refuse(numbers, scheme, batch.rows, batch.number)
            numbers = numbers.copy()
            numbers[left_out] = 0
        return encode(np.ascontiguousarray(numbers), scheme.input_f, scheme.inputs, IMAGES), left_out

    def _refuse(self, numbers: NDArray[Any], scheme: Scheme, rows: NDArray[np.int64], batch: int | None) -> None:
        place = int(np.flatnonzero(unfit(numbers, scheme.inputs, self.whole))[0])
        row = int(rows[place])
        where = f"image {row}" if batch is None else f"image {row}, in batch {batch}"
        try:
            encode(numbers[place], scheme.input_f, scheme.inputs, IMAGES)
        except (BoundError, NullError) as error:
            hint = _SMALLER if isinstance(error, BoundError) else ""
            raise type(error)(f"{error.message} ({where}){hint}", **{**error.where, "row": row}) from None
        raise InputError(f"the network takes whole numbers, and there are others ({where})", row=row)


def takes_whole(example: tuple[Any, ...]) -> bool:
    """Whether a network, whose one example this is, takes whole numbers: what embeddings look up."""
    (batch,) = example
    return not batch.is_floating_point() if isinstance(batch, torch.Tensor) else batch.dtype.kind in "iu"


def _numbers(value: Any, what: str) -> NDArray[np.float64]:
    try:
        numbers = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
    except ValueError:
        numbers = np.array(None)
    if numbers.dtype.kind not in "uif" or not np.isfinite(numbers).all():
        raise InputError(f"{what} is of finite numbers, not {value!r}")
    return numbers.astype(np.float64)


def _channels(value: Any, shape: tuple[int, ...]) -> NDArray[np.float64]:
    numbers = _numbers(value, "normalize")
    if numbers.ndim == 0:
        return numbers
    if numbers.ndim != 1 or not shape or len(numbers) != shape[0]:
        channels = shape[0] if shape else 0
        raise ShapeError(
            f"normalize: one number, or one for each of {channels} channels; these are {math.prod(numbers.shape)}"
        )
    return numbers.reshape(-1, *[1] * (len(shape) - 1))
