"""A party's own noise, as it shares it: the same for one number whenever it is asked for."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from icm_ray.query.tasks import NoiseDraw
from icm_ray.ring.array import RingArray
from icm_ray.ring.discrete_noise import UniformNumbers, discrete_gaussian, discrete_laplace
from icm_ray.ring.prg import derive_key
from icm_ray.ring.wide import from_integers

__all__ = ["noise_words"]


def noise_words(task: NoiseDraw, secret: bytes) -> RingArray:
    """Noise for each cell: (cells,) ring elements, or (cells, limbs). secret: the party's own, for this dataset.

    Everything that the distribution depends on is in the stream's name, so that no two draws are of one stream.
    """
    key = derive_key(secret, "noise", task.number, task.kind, repr(task.scale), repr(task.change), task.unit)
    numbers, scale = UniformNumbers(key), Fraction(task.scale) * Fraction(task.change) * (1 << task.unit)
    limit = 1 << (task.width - 1)
    found: list[int] = []
    while len(found) < task.cells:
        drawn = discrete_gaussian(numbers, scale**2) if task.kind == "gaussian" else discrete_laplace(numbers, scale)
        moved = _rounded(drawn, task.unit - task.f)
        if abs(moved) < limit:  # but for a chance below 2^-90
            found.append(moved)
    if task.limbs > 1:
        return from_integers(found, task.limbs)
    return np.array(found, np.int64).view(np.uint64)


def _rounded(number: int, shift: int) -> int:
    """number / 2^shift, to the nearest whole number, halves up."""
    return number << -shift if shift <= 0 else (number + (1 << (shift - 1))) >> shift
