"""The largest of integers that no single ring element compares: 65 bits, in two words of 34.

With a = (h, l), the upper and the lower part (`ring.fixed.words_of_key`), and b likewise:
    [a >= b] = [h_a > h_b] + ([h_a >= h_b] - [h_a > h_b]) [l_a >= l_b]          the larger one: b + [a >= b] (a - b)
The three comparisons share their rounds. The order of negated keys is the opposite one. Opened: uniform words alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Concatenate, Slice, Subtract
from icm_ray.ops.products import Product
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value

__all__ = ["key_type", "largest_key"]

_WIDTH = 34
"""Of each of the two words of a key."""


def key_type(count: int) -> ValueType:
    """Of so many order keys: their two words."""
    return ValueType(shape=(2, count), width=_WIDTH)


def largest_key(builder: Builder, keys: Sequence[Value], places: int | None = None) -> Value:
    """The largest of keys, place by place, each (2, places), or several of these beside one another: a tree, six rounds
    or so a level.
    """
    row = keys[0] if len(keys) == 1 else builder.add(Concatenate(axis=1), *keys)
    places = keys[0].type.shape[1] if places is None else places
    while (count := row.type.shape[1] // places) > 1:
        half = count // 2 * places
        larger = _larger(builder, _part(builder, row, 1, 0, half), _part(builder, row, 1, half, 2 * half))
        odd = [_part(builder, row, 1, 2 * half, count * places)] if count * places > 2 * half else []
        row = builder.add(Concatenate(axis=1), larger, *odd) if odd else larger
    return row


def _part(builder: Builder, table: Value, axis: int, start: int, stop: int) -> Value:
    rows, columns = table.type.shape
    axes = ((start, stop, 1), (0, columns, 1)) if axis == 0 else ((0, rows, 1), (start, stop, 1))
    return builder.add(Slice(axes), table)


def _larger(builder: Builder, a: Value, b: Value) -> Value:
    """The larger of keys (2, pairs), one by one."""
    difference = builder.add(Subtract(), a, b)
    above_high = builder.add(AddPublic(-1), _part(builder, difference, 0, 0, 1))
    compared = builder.add(Concatenate(), above_high, difference)
    bits = builder.add(AtLeast(0, compared.type.width), compared)
    above, reached, low = (_part(builder, bits, 0, row, row + 1) for row in range(3))
    tied = builder.add(Subtract(), reached, above)
    wins = builder.add(Add(), above, builder.add(Product(Elementwise()), tied, low))
    ahead = builder.add(Product(Elementwise()), wins, difference)
    return builder.add(AssumeWidth(_WIDTH), builder.add(Add(), b, ahead))  # it is one of the two
