"""The remainder of a division by a public number, exactly: x - d floor(x / d), for 0 <= x <= most.

Digit by digit from the top: with w = d 16^k the digit is the sum of [x >= j w], j = 1 .. 15, and w times it is taken
off. Opened: what comparisons open, uniform words.
"""

from __future__ import annotations

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.linear import AddLast, AssumeWidth, Expand, Reshape, Scale, Subtract, SumAxis
from icm_ray.program.build import Builder, Value

__all__ = ["remainder"]

_DIGIT = 16


def remainder(builder: Builder, x: Value, divisor: int, most: int) -> Value:
    """x modulo `divisor`, of integers (n,), whole numbers from 0 to `most`; below zero they stay what they are.

    Errors: `BoundError` where most and divisor do not fit the ring.
    """
    (count,) = x.type.shape
    weight = divisor
    while weight * _DIGIT <= most:
        weight *= _DIGIT
    left = x
    while weight >= divisor and most >= divisor:
        steps = tuple(-step * weight for step in range(1, _DIGIT))
        column = builder.add(Reshape((count, 1)), left)
        distances = builder.add(AddLast(steps), builder.add(Expand((count, len(steps))), column))
        reached = builder.add(SumAxis(), builder.add(AtLeast(0, distances.type.width), distances))
        taken = builder.add(Scale(weight), builder.add(Reshape((count,)), reached))
        width = max(x.type.width, weight.bit_length() + 1)
        left = builder.add(AssumeWidth(width), builder.add(Subtract(), left, taken))
        weight //= _DIGIT
    return left
