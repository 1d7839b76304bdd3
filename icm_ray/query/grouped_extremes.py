"""The largest of order keys in each of some public number of groups, of rows whose group is secret: by sorting.

Rows are sorted by the lower word of their key, by the upper one and by the number of their group, one after the other
(stable). The last row of a number, [number_i < number_(i+1)], has the largest key (h, l) of it; summed up by number
(`protocols.groups`) the last rows' (h - b, l), b the upper word of what is less than all keys, are 0 where there is no
row: b added to them gives nothing's key there. Opened: the orders of sorts (`protocols.sorting`), and uniform words.
"""

from __future__ import annotations

from icm_ray.functions.order_keys import key_type
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.groups import GroupTable
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Concatenate, Permute, Reshape, Scale, Slice, Subtract
from icm_ray.ops.products import Product
from icm_ray.ops.sorting import SortBy, tag_bits
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.build import Builder, Value
from icm_ray.ring.fixed import NOTHING

__all__ = ["largest_by_number"]

_LEAST = -NOTHING >> 32
"""The upper word of less than all keys."""


def largest_by_number(builder: Builder, numbers: Value, keys: Value, size: int) -> Value:
    """Of keys (2, rows), each in the group of its number (rows,), below size, the largest of each (2, size)."""
    add, rows = builder.add, numbers.type.count
    width, key_width = numbers.type.width, keys.type.width
    low = _flat(builder, add(Slice(((1, 2, 1), (0, rows, 1))), keys))
    table = add(Permute((1, 0)), add(Concatenate(), add(Reshape((1, rows)), numbers), keys))
    if rows > 1:
        table = add(SortBy(), low, table)
        if width + key_width + tag_bits(rows) + 1 <= FULL_WIDTH:  # number and upper word at once
            upper = _columns(builder, table, 0, width, 1, key_width)
            table = add(SortBy(), upper, table)
        else:
            table = add(SortBy(), _column(builder, table, 1, key_width), table)
            table = add(SortBy(), _column(builder, table, 0, width), table)
    numbers, high, low = (
        _column(builder, table, place, bits) for place, bits in enumerate((width, key_width, key_width))
    )
    last = _last(builder, numbers)
    words = [add(AddPublic(-_LEAST), high), low]
    kept = [add(AssumeWidth(key_width + 1), add(Product(Elementwise()), last, word)) for word in words]
    found = add(GroupTable(size), numbers, *kept)
    upper = add(AddPublic(_LEAST), add(Slice(((0, 1, 1), (0, size, 1))), found))
    both = add(Concatenate(), upper, add(Slice(((1, 2, 1), (0, size, 1))), found))
    return add(AssumeWidth(key_type(size).width), both)  # one key each


def _flat(builder: Builder, value: Value) -> Value:
    return builder.add(Reshape((value.type.count,)), value)


def _column(builder: Builder, table: Value, place: int, width: int) -> Value:
    column = builder.add(Slice(((0, table.type.shape[0], 1), (place, place + 1, 1))), table)
    return builder.add(AssumeWidth(width), _flat(builder, column))


def _columns(builder: Builder, table: Value, first: int, bits: int, second: int, below: int) -> Value:
    """Two columns as one number, the first above the second."""
    upper = builder.add(Scale(1 << below), _column(builder, table, first, bits))
    both = builder.add(Add(), upper, _column(builder, table, second, below))
    return builder.add(AssumeWidth(bits + below), both)


def _last(builder: Builder, numbers: Value) -> Value:
    """Whether each row is the last of its number (rows,)."""
    add, rows = builder.add, numbers.type.count
    if rows == 1:
        return add(AssumeWidth(2), add(AddPublic(1), add(Scale(0), numbers)))
    upper, lower = (add(Slice(((start, start + rows - 1, 1),)), numbers) for start in (1, 0))
    step = add(Subtract(), upper, lower)
    risen = add(AtLeast(1, step.type.width + 1), step)
    one = add(AddPublic(1), add(Scale(0), add(Slice(((0, 1, 1),)), numbers)))
    return add(AssumeWidth(2), add(Concatenate(), risen, one))
