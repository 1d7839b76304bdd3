"""What the shown cells of one table leave of another row set: all but a few of its rows would be told, one by one none.

With cells of n_j rows of which t_j says whether they were shown, and m_j of these rows in a set of n rows, those count
that are nearly inside, u_j = t_j [n_j - m_j < k]: the set and their union differ in
    d = n + sum u_j (n_j - 2 m_j)
rows, and 0 < d < k is too close. Likewise of the rest N - n, with those that are nearly outside, [m_j < k].
"""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Concatenate, Expand, Pad, Reshape, Scale, Slice, Subtract
from icm_ray.ops.linear import SumAxis as TotalOfRows
from icm_ray.ops.products import Product
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.complements import with_second
from icm_ray.query.entity_units import least
from icm_ray.query.partials import Taken
from icm_ray.query.small_cells import beside as others_of
from icm_ray.query.small_cells import few, reaches, shown

__all__ = ["left_of_bins", "left_of_cells", "running_sums"]

Edges = Sequence[int | float]


def left_of_cells(builder: Builder, policy: Policy, rows: Taken, ones: Value, cells: Value, both: Value) -> Value:
    """Where sets are too close to a union of shown cells: (sets,), 0 where none is. rows: all of the dataset.

    ones: (sets,). cells: (cells,). both: (sets, cells), how many rows are in both.
    """
    add, k, shape = builder.add, least(policy, policy.min_rows), both.type.shape
    told = _grid(builder, _told(builder, policy, rows, cells), shape)
    sizes = _grid(builder, cells, shape)
    beside = add(AssumeWidth(cells.type.width), add(Subtract(), sizes, both))
    rest = others_of(builder, ones, rows)
    close = []
    for whole, inside, outside in ((ones, both, beside), (rest, beside, both)):
        nearly = add(AddPublic(1), add(Scale(-1), reaches(builder, outside, k)))
        counted = _bit(builder, add(Product(Elementwise()), told, _bit(builder, nearly)))
        moved = add(Product(Elementwise()), counted, add(Subtract(), sizes, add(Scale(2), inside)))
        apart = add(Add(), whole, add(Reshape((shape[0],)), add(TotalOfRows(), moved)))
        close.append(few(builder, apart, k))
    either = add(Add(), *close)
    return add(Product(Elementwise()), _told(builder, policy, rows, ones), either)


def left_of_bins(
    builder: Builder, policy: Policy, rows: Taken, ours: tuple[Edges, Value], theirs: tuple[Edges, Value]
) -> Value:
    """The same of bins that hold whole bins of another histogram, whose edges say so: (our bins,)."""
    add, k = builder.add, least(policy, policy.min_rows)
    (edges, counts), (others, found) = ours, theirs
    told = _told(builder, policy, rows, found)
    kept = add(AssumeWidth(found.type.width), add(Product(Elementwise()), told, found))
    below = add(Pad(((1, 0),)), running_sums(builder, kept))  # of the bins before each edge
    inner, outer = [], []
    for place in range(len(edges) - 1):
        inner.append(_within(others, edges[place], edges[place + 1], last=place == len(edges) - 2))
        outer.append(_around(others, edges[place], edges[place + 1], last=place == len(edges) - 2))

    def picked(places: Sequence[int]) -> Value:
        return _picked(builder, below, places)

    inside = add(Subtract(), picked([stop for _, stop in inner]), picked([start for start, _ in inner]))
    end = picked([len(others) - 1] * len(outer))
    outside = add(
        Add(), picked([stop for stop, _ in outer]), add(Subtract(), end, picked([start for _, start in outer]))
    )
    rest = others_of(builder, counts, rows)
    close = [few(builder, add(Subtract(), whole, union), k) for whole, union in ((counts, inside), (rest, outside))]
    return add(Product(Elementwise()), _told(builder, policy, rows, counts), add(Add(), *close))


def _within(others: Edges, low: float, high: float, *, last: bool) -> tuple[int, int]:
    """The first bin, and the one behind the last, of those that lie in [low, high), or in [low, high] of the last."""
    end = len(others) - 1
    start = next((at for at in range(end) if others[at] >= low), end)
    stop = start
    while stop < end and (others[stop + 1] < high or (others[stop + 1] == high and (last or stop + 1 < end))):
        stop += 1
    return start, stop


def _around(others: Edges, low: float, high: float, *, last: bool) -> tuple[int, int]:
    """The bin behind those that lie below `low`, and the first of those that lie beyond `high`."""
    end = len(others) - 1
    below = 0
    while below < end and (others[below + 1] < low or (others[below + 1] == low and below + 1 < end)):
        below += 1
    beyond = next((at for at in range(end) if others[at] > high or (others[at] == high and not last)), end)
    return below, max(beyond, below)


def _picked(builder: Builder, value: Value, places: Sequence[int]) -> Value:
    """The elements at public places (places,), a slice for each run of equal steps."""
    parts, at = [], 0
    while at < len(places):
        step = places[at + 1] - places[at] if at + 1 < len(places) else 1
        stop = at + 1
        while step > 0 and stop < len(places) and places[stop] - places[stop - 1] == step:
            stop += 1
        one = slice(places[at], places[stop - 1] + 1, max(step, 1))
        part = builder.add(Slice(((one.start, one.stop, one.step),)), value)
        same = at
        while step == 0 and same + 1 < len(places) and places[same + 1] == places[at]:
            same += 1
        if same > at:
            part, stop = builder.add(Expand((same + 1 - at,)), part), same + 1
        parts.append(part)
        at = stop
    return parts[0] if len(parts) == 1 else builder.add(Concatenate(), *parts)


def running_sums(builder: Builder, counts: Value, axis: int = 0) -> Value:
    """Cumulative sums along an axis of a value, by doubling."""
    shape, step = counts.type.shape, 1
    size = shape[axis]
    while step < size:
        kept = tuple((0, end - step * (place == axis), 1) for place, end in enumerate(shape))
        moved = builder.add(Slice(kept), counts)
        moved = builder.add(Pad(tuple((step * (place == axis), 0) for place in range(len(shape)))), moved)
        counts = builder.add(Add(), counts, moved)
        step *= 2
    return counts


def _told(builder: Builder, policy: Policy, rows: Taken, counts: Value) -> Value:
    """The bits of the cells of a table that were shown."""
    alone, k = shown(builder, counts, policy, fewest=policy.min_rows, total=rows), least(policy, policy.min_rows)
    return with_second(builder, counts, alone, k, zeros=not policy.hide_zeros, total=rows)


def _grid(builder: Builder, cells: Value, shape: tuple[int, ...]) -> Value:
    """(cells,) repeated for each set."""
    return builder.add(Expand(shape), builder.add(Reshape((1, cells.type.count)), cells))


def _bit(builder: Builder, value: Value) -> Value:
    return builder.add(AssumeWidth(2), value)
