"""Sums of rows by a key, on shares: rows are sorted by it, and a sum is the difference of two running sums.

With rows in the order of their keys, let f_i say at which rows running sums are wanted: the first row of each key, or
rows that were put among the others to stand at the ends of public keys. c_i = f_0 + .. + f_i, F of them in all,
E_i = the sum of all rows before i. Then
    place_i = c_i - 1 where f_i, else F + i - c_i
are places of a permutation that brings those rows to the front, in their order (`protocols.arrange`), and what lies
between two of them is the difference of their E. Nothing is opened but orders of shuffled rows, which say nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.ops.compare import AtLeast, CheckFlag
from icm_ray.ops.linear import Expand, Scale, Slice
from icm_ray.program.build import Builder, Value
from icm_ray.query.sorted_rows import SortedRows, picked

__all__ = ["sums_at", "sums_by_key"]


def sums_by_key(builder: Builder, key: Value, values: Value, places: int, beyond: int) -> Value:
    """Of each key in turn, a row: the key, and the sums of its rows' values; after them rows of the key `beyond` and of
    zeros: (places, 1 + columns).

    key: (n,), from 0 to `beyond`. values: (n, columns) whole numbers. places: from 1 to n; more keys than these set a
    flag that is opened to all parties (`CheckFlag`).
    Errors: `BoundError` where a key and its place do not fit a word, or a sum does not.
    """
    rows = SortedRows(builder, key, values)
    first = rows.first()
    running = rows.running(first)
    count = rows.last(running)
    table = rows.in_front(first, running, count, rows.beside(rows.key, rows.before()), places)
    end = rows.beside(rows.constant(beyond), rows.total())
    table = rows.kept(table, end)
    if places < rows.count:
        over = builder.add(AtLeast(places + 1, count.type.width + 1), count)
        table = builder.add(CheckFlag("the number of groups, max_groups="), table, over)
    keys = rows.part(table, slice(None), slice(0, 1))
    sums = rows.part(table, slice(None), slice(1, None))
    return rows.beside(keys, rows.steps(sums, rows.part(end, slice(None), slice(1, None))))


def sums_at(builder: Builder, key: Value, values: Value, wanted: Sequence[int | None]) -> Value:
    """The sums of the values of the rows of some keys, (wanted, columns).

    key: (n,) whole numbers. values: (n, columns) whole numbers. wanted: distinct keys; None: no row has it.
    Errors: `BoundError` where a key and its place do not fit a word, or a sum does not.
    """
    ends = sorted({end for number in wanted if number is not None for end in (number, number + 1)})
    if not ends:
        first = builder.add(Slice(((0, 1, 1), (0, values.type.shape[1], 1))), values)
        return builder.add(Scale(0), builder.add(Expand((len(wanted), values.type.shape[1])), first))
    rows = SortedRows(builder, key, values, ends)
    first = rows.marked()
    table = rows.in_front(first, rows.running(first), len(ends), rows.before(), len(ends))
    at = {end: place for place, end in enumerate(ends)}
    return picked(builder, rows.steps(table, None), [None if number is None else at[number] for number in wanted])
