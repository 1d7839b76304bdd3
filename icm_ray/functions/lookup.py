"""The rows of a table at places that are shares: a place is two digits, and each digit a one-hot word of comparisons.

For a table of N numbers as a rows of b and a place i b + j, e_i and e_j one-hot words of a and b bits,
    value = e_i^T table e_j,   e_i = [place >= i b] - [place >= (i + 1) b],   e_j likewise of what is left.
A place may be given as floor(v / s) for a public s: place >= t is v >= s t, so that nothing is divided. Places
beyond all stand for the last one, and none is below 0. Opened: what comparisons and products open, uniform words.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise, Matrix
from icm_ray.ops.linear import (
    AddLast,
    AddPublic,
    AssumeWidth,
    Concatenate,
    Expand,
    Pad,
    Reshape,
    Scale,
    Subtract,
    SumAxis,
)
from icm_ray.ops.products import Product
from icm_ray.program.build import Builder, Value

__all__ = ["at_places"]


def at_places(builder: Builder, values: Value, places: Sequence[tuple[int, Value]]) -> Value:
    """The values (n,) at the places floor(v / s), (places,). places: of each s and v, shape (1,).

    Errors: `BoundError` where s times a place does not fit the ring.
    """
    add, count = builder.add, values.type.count
    columns = math.isqrt(count - 1) + 1
    rows = -(-count // columns)
    pad = rows * columns - count  # in front, so that what is beyond all is the last value
    table = add(Reshape((rows, columns)), add(Pad(((pad, 0),)), values) if pad else values)
    upper, lower = [], []
    for scale, scaled in places:
        place = add(Reshape((1, 1)), add(AddPublic(scale * pad), scaled) if pad else scaled)
        row, reached = _digit(builder, place, scale * columns, rows)
        rest = place if reached is None else add(Subtract(), place, add(Scale(scale * columns), reached))
        upper.append(row)
        lower.append(_digit(builder, rest, scale, columns)[0])
    found = add(Product(Matrix()), _together(builder, upper), table)
    found = add(AssumeWidth(values.type.width, values.type.error), found)
    found = add(Product(Elementwise()), _together(builder, lower), found)
    found = add(SumAxis(), add(AssumeWidth(values.type.width, 0.0), found))
    return add(AssumeWidth(values.type.width, values.type.error), add(Reshape((len(places),)), found))


def _together(builder: Builder, rows: Sequence[Value]) -> Value:
    return rows[0] if len(rows) == 1 else builder.add(Concatenate(), *rows)


def _digit(builder: Builder, place: Value, weight: int, size: int) -> tuple[Value, Value | None]:
    """The one-hot word (1, size) of floor(place / weight), and that number (1, 1); None where it can be 0 alone."""
    add = builder.add
    none = add(AssumeWidth(1, 0.0), add(Scale(0), place))
    one = add(AddPublic(1), none)
    if size == 1:
        return add(AssumeWidth(2), one), None
    steps = tuple(-weight * number for number in range(1, size))
    away = add(AddLast(steps), add(Expand((1, size - 1)), place))
    reached = add(AtLeast(0, away.type.width), away)
    hot = add(Subtract(), add(Concatenate(axis=1), one, reached), add(Concatenate(axis=1), reached, none))
    return add(AssumeWidth(2), hot), add(SumAxis(), reached)
