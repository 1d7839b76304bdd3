"""torch's ways of writing sizes."""

from __future__ import annotations

from typing import Any

from icm_ray.network.layer import Pair

__all__ = ["numbers", "pair"]


def numbers(value: Any, count: int) -> tuple[int, ...]:
    """torch's int, [n] or [n, ...] as so many numbers."""
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * count if len(values) == 1 else values


def pair(value: Any) -> Pair:
    """torch's int, [n] or [h, w] as (h, w)."""
    height, width = numbers(value, 2)
    return height, width
