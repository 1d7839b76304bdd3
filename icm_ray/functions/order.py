"""The largest of a row in their order: their places and their values, at public ranks.

The largest one's place, then that of the largest of the others, and so on: those that were found are put below all
others. Opened: uniform words alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from icm_ray.ops.compare import ArgMax, AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import AddLast, AssumeWidth, Concatenate, Expand, Pad, Reshape, Scale, Slice, Subtract, SumAxis
from icm_ray.ops.products import Product
from icm_ray.program.build import Builder, Value

__all__ = ["Largest", "largest"]


@dataclass(frozen=True, slots=True)
class Largest:
    """places: whole numbers (..., k). values: (..., k), as exact as x; None where they were not asked for."""

    places: Value
    values: Value | None


def largest(builder: Builder, x: Value, k: int, *, values: bool) -> Largest:
    """The k largest along the last axis, the largest first, the first of equals first; 1 <= k <= its size."""
    front, size, width = x.type.shape[:-1], x.type.shape[-1], x.type.width
    left, places, found = x, list[Value](), list[Value]()
    while True:
        place = builder.add(Reshape((*front, 1)), builder.add(ArgMax(left.type.width + 1), left))
        places.append(place)
        if len(places) == k and not values:
            break
        chosen = _one_hot(builder, place, size)
        if values:
            picked = builder.add(SumAxis(), builder.add(Product(Elementwise()), chosen, x))
            found.append(builder.add(AssumeWidth(width, x.type.error), picked))
        if len(places) == k:
            break
        # |x| < 2^(w-1), so that x - 2^w is less than any x
        lowered = builder.add(Scale(1 << width, x.type.f), chosen)
        left = builder.add(AssumeWidth(width + 2), builder.add(Subtract(), left, lowered))
    return Largest(_joined(builder, places), _joined(builder, found) if values else None)


def _joined(builder: Builder, parts: list[Value]) -> Value:
    return builder.add(Concatenate(len(parts[0].type.shape) - 1), *parts) if len(parts) > 1 else parts[0]


def _one_hot(builder: Builder, index: Value, size: int) -> Value:
    """1 at the index, else 0: (..., size), of (..., 1). [i = j] = [i >= j] - [i >= j + 1]."""
    front = index.type.shape[:-1]
    away = builder.add(Expand((*front, size)), index)
    away = builder.add(AddLast(tuple(-at for at in range(size))), away)
    reached = builder.add(AtLeast(0, away.type.width + 1), away)
    lead = tuple((0, count, 1) for count in front)
    passed = builder.add(Slice((*lead, (1, size, 1))), reached)
    passed = builder.add(Pad((*((0, 0) for _ in front), (0, 1))), passed)
    return builder.add(AssumeWidth(2), builder.add(Subtract(), reached, passed))
