"""Division by Euclidean norms, for export: written as a normalisation, as quotients of private values are not there."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional

from icm_ray.network.layers.normalise import LEAST_EPSILON

__all__ = ["unit_rows"]


def unit_rows(
    x: torch.Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: torch.Tensor | None = None
) -> torch.Tensor | None:
    """The root mean square's norm over sqrt(n), with the arguments of torch's `normalize`; None for what is left to
    torch: other norms than p = 2, rows of fewer than three, an eps that counts.
    """
    if p != 2 or not isinstance(dim, int) or out is not None or x.shape[dim] < 3:
        return None
    rows, size = x.movedim(dim, -1), x.shape[dim]
    if eps * eps / size > LEAST_EPSILON:  # torch divides by max(|x|, eps), which is another function then
        return None
    made = functional.rms_norm(rows, (size,), eps=eps * eps / size)
    return (made * (1 / math.sqrt(size))).movedim(-1, dim)
