"""From an image's numbers to those that a network is given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["prepared", "unfit"]

Numbers = NDArray[np.float64]


def prepared(images: NDArray[Any], scale: float, mean: Numbers | None, std: Numbers | None) -> NDArray[Any]:
    """(scale x - mean) / std of images (n, ...), as they are where nothing is to be done. mean, std: broadcast."""
    if scale == 1.0 and mean is None:
        return images
    numbers = images.astype(np.float64)
    if scale != 1.0:
        numbers *= scale
    if mean is not None and std is not None:
        numbers -= mean
        numbers /= std
    return numbers


def unfit(numbers: NDArray[Any], inputs: int, whole: bool) -> NDArray[np.bool_]:
    """Which images (n, ...) hold numbers that are not finite, beyond 2^inputs, or, where they are to be, not whole."""
    bound = 2**inputs if numbers.dtype.kind in "bui" and inputs >= 0 else 2.0**inputs
    axes = tuple(range(1, numbers.ndim))
    if numbers.dtype.kind == "b":
        numbers = numbers.view(np.uint8)
    most, least = numbers.max(axis=axes), numbers.min(axis=axes)
    fits: NDArray[np.bool_] = (most <= bound) & (least >= -bound)  # not so for NaN
    if whole and numbers.dtype.kind == "f":
        fits &= (numbers == np.rint(numbers)).all(axis=axes)
    return ~fits
