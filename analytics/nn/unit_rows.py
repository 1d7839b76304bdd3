"""Division by Euclidean norms, for export: written as a normalisation, as quotients of private values are not there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from icm_ray.network.layers.normalise import LEAST_EPSILON

__all__ = ["UnitRows"]


class UnitRows(TorchFunctionMode):
    """While it is entered, `torch.nn.functional.normalize` (p = 2) is the root mean square's norm over sqrt(n)."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.normalize:
            made = _normalised(*args, **(kwargs or {}))
            if made is not None:
                return made
        return func(*args, **(kwargs or {}))


def _normalised(
    x: torch.Tensor, p: float = 2.0, dim: Any = 1, eps: float = 1e-12, out: torch.Tensor | None = None
) -> torch.Tensor | None:
    """torch's arguments; None for what is left to torch."""
    if p != 2 or not isinstance(dim, int) or out is not None or x.shape[dim] < 3:
        return None
    rows, size = x.movedim(dim, -1), x.shape[dim]
    if eps * eps / size > LEAST_EPSILON:  # torch divides by max(|x|, eps), which is another function then
        return None
    made = functional.rms_norm(rows, (size,), eps=eps * eps / size)
    return (made * (1 / math.sqrt(size))).movedim(-1, dim)
