"""Discrete Gaussian and Laplace noise, drawn exactly from uniform bits: whole numbers alone, no floating point.

Canonne, Kamath, Steinke, "The Discrete Gaussian for Differential Privacy" (arXiv:2004.00010), algorithms 1 to 3:
    P(x) ~ exp(-|x| / b), and P(x) ~ exp(-x^2 / (2 sigma^2)), x in Z
for rational b and sigma^2 of any size. The number of bits that a draw takes depends on what is drawn: it happens in a
party's own worker, before anything is sent.
"""

from __future__ import annotations

import math
from fractions import Fraction

from icm_ray.ring.prg import Key

__all__ = ["UniformNumbers", "discrete_gaussian", "discrete_laplace"]

_BLOCK = 128


class UniformNumbers:
    """Uniform whole numbers from the streams of a key, which is used for nothing else."""

    def __init__(self, key: Key) -> None:
        self._key, self._block = key, 0
        self._pool, self._left = 0, 0

    def below(self, bound: int) -> int:
        """One in [0, bound): bits until they are below it."""
        size = (bound - 1).bit_length()
        while True:
            found = self._bits(size)
            if found < bound:
                return found

    def _bits(self, size: int) -> int:
        while self._left < size:
            words = self._key.words(self._block, 0, _BLOCK)
            self._pool |= int.from_bytes(words.tobytes(), "little") << self._left
            self._left += 64 * _BLOCK
            self._block += 1
        found = self._pool & ((1 << size) - 1)
        self._pool >>= size
        self._left -= size
        return found


def discrete_gaussian(numbers: UniformNumbers, variance: Fraction) -> int:
    """A whole number with probability proportional to exp(-x^2 / (2 variance)); variance: above 0."""
    p, q = variance.as_integer_ratio()
    t = math.isqrt(p // q) + 1
    while True:
        drawn = _laplace(numbers, t, 1)
        # exp(-(|y| - sigma^2 / t)^2 / (2 sigma^2)), sigma^2 = p / q
        if _exponential(numbers, (abs(drawn) * t * q - p) ** 2, 2 * p * q * t * t):
            return drawn


def discrete_laplace(numbers: UniformNumbers, scale: Fraction) -> int:
    """A whole number with probability proportional to exp(-|x| / scale); scale: above 0."""
    return _laplace(numbers, *scale.as_integer_ratio())


def _laplace(numbers: UniformNumbers, t: int, s: int) -> int:
    """Of scale t / s."""
    while True:
        low = numbers.below(t)
        if not _exponential_of_part(numbers, low, t):
            continue
        high = 0
        while _exponential_of_part(numbers, 1, 1):
            high += 1
        size = (low + t * high) // s
        negative = numbers.below(2)
        if size or not negative:
            return -size if negative else size


def _exponential(numbers: UniformNumbers, n: int, d: int) -> bool:
    """True with probability exp(-n / d)."""
    whole, part = divmod(n, d)
    return all(_exponential_of_part(numbers, 1, 1) for _ in range(whole)) and _exponential_of_part(numbers, part, d)


def _exponential_of_part(numbers: UniformNumbers, n: int, d: int) -> bool:
    """The same for n <= d: the first k at which a coin of probability n / (d k) falls on its other side is odd."""
    k = 1
    while numbers.below(d * k) < n:
        k += 1
    return k % 2 == 1
