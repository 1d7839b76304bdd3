"""Additive sharing in Z_2^64 for any number of parties: x = sum of x_p."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from icm_ray.ring.prg import Key, fresh_secret

__all__ = ["join", "split"]


def split(x: NDArray[np.uint64], parties: int) -> list[NDArray[np.uint64]]:
    """Fresh shares of `x`, one for each party: any parties - 1 of them are uniform and independent of `x`."""
    shares = [Key(fresh_secret(16)).words(0, 0, x.size).reshape(x.shape) for _ in range(parties - 1)]
    last = x.copy()
    for share in shares:
        last -= share
    return [*shares, last]


def join(shares: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """The value that the shares stand for."""
    total = shares[0].copy()
    for share in shares[1:]:
        total += share
    return total
