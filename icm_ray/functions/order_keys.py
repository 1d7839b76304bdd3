"""The largest of integers that no single ring element compares: 65 bits, in two words of 33.

With a = (h, l), the signed upper and the unsigned lower part (`ring.fixed.words_of_key`), and b likewise:
    [a >= b] = [h_a > h_b] + ([h_a >= h_b] - [h_a > h_b]) [l_a >= l_b]          the larger one: b + [a >= b] (a - b)
The three comparisons share their rounds. Opened: uniform words alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddLast, AddPublic, AssumeWidth, Concatenate, Reshape, Scale, Slice, Subtract
from icm_ray.ops.products import Product
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value

__all__ = ["KEY", "largest_key", "mirrored"]

KEY = ValueType(shape=(2,), width=33)
"""One order key: its two words."""
_REFLECTION = (-1, (1 << 32) - 1)


def mirrored(builder: Builder, key: Value) -> Value:
    """-1 - k of a key (2,): the same order backwards, and itself again when mirrored twice."""
    return builder.add(AssumeWidth(KEY.width), builder.add(AddLast(_REFLECTION), builder.add(Scale(-1), key)))


def largest_key(builder: Builder, keys: Sequence[Value]) -> Value:
    """The largest of keys, each (2,): a tree. Six rounds or so a level."""
    row = builder.add(Reshape((len(keys), 2)), builder.add(Concatenate(), *keys))
    while (count := row.type.shape[0]) > 1:
        pairs = count // 2
        a, b = (_rows(builder, row, start, start + pairs) for start in (0, pairs))
        larger = _larger(builder, a, b)
        rest = [] if count == 2 * pairs else [_rows(builder, row, count - 1, count)]
        row = builder.add(Concatenate(), larger, *rest) if rest else larger
    return builder.add(Reshape((2,)), row)


def _rows(builder: Builder, table: Value, start: int, stop: int) -> Value:
    return builder.add(Slice(((start, stop, 1), (0, 2, 1))), table)


def _word(builder: Builder, table: Value, which: int) -> Value:
    pairs = table.type.shape[0]
    return builder.add(Reshape((pairs,)), builder.add(Slice(((0, pairs, 1), (which, which + 1, 1))), table))


def _larger(builder: Builder, a: Value, b: Value) -> Value:
    """The larger of keys (pairs, 2), one by one."""
    pairs, difference = a.type.shape[0], builder.add(Subtract(), a, b)
    high, low = (_word(builder, difference, which) for which in (0, 1))
    compared = builder.add(Concatenate(), builder.add(AddPublic(-1), high), high, low)
    bits = builder.add(AtLeast(0, compared.type.width), compared)
    above, reached, low_reached = (builder.add(Slice(((pairs * at, pairs * (at + 1), 1),)), bits) for at in range(3))
    tied = builder.add(Subtract(), reached, above)
    wins = builder.add(Add(), above, builder.add(Product(Elementwise()), tied, low_reached))
    ahead = builder.add(Product(Elementwise()), builder.add(Reshape((pairs, 1)), wins), difference)
    return builder.add(AssumeWidth(KEY.width), builder.add(Add(), b, ahead))  # it is one of the two
