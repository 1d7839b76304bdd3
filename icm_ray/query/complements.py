"""A single withheld cell of a table is its total minus the others: a second one is withheld with it, on shares.

Of cells with counts n_c, of which s_c says whether they may be shown, h_c = [n_c >= 1] - s_c are withheld. Where
exactly one is, or these have fewer than k rows together, or all that are shown leave as few of N rows out (some are in
no cell, or not meant), the least shown cell is withheld too: then two are, or one and others, and they have k rows
together, since each that is shown has as many.
    d = [sum h = 1] or [0 < sum h n < k] or [0 < N - sum s n < k]
    c* = argmax of s_c (B - n_c), B > n: the first of equals
    s'_c = s_c - d [c = c*] s_c
Nothing is opened but s'. Which cells were withheld for their own sake, and which one beside, it does not say.
"""

from __future__ import annotations

from icm_ray.ops.compare import ArgMax, AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Concatenate, Expand, Scale, Slice, Subtract
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.program.build import Builder, Value
from icm_ray.query.partials import Taken
from icm_ray.query.small_cells import beside, few, reaches

__all__ = ["either", "needs_second", "with_second", "without_least"]


def with_second(
    builder: Builder, counts: Value, bits: Value, k: int, *, zeros: bool = True, total: Taken | None = None
) -> Value:
    """The bits (cells,) of what may be shown of a table, once a second cell is withheld where it has to be.

    counts: (cells,). bits: of those that may be shown by themselves, none of them empty. zeros: whether it is known
    which cells are empty; else an empty one that is the only one not shown needs a second, too. total: N, how many
    there are in all, in cells or not; None where that is nowhere counted.
    """
    if counts.type.count == 1:
        return bits
    return without_least(builder, counts, bits, needs_second(builder, counts, bits, k, zeros=zeros, total=total), bits)


def needs_second(
    builder: Builder, counts: Value, bits: Value, k: int, *, zeros: bool = True, total: Taken | None = None
) -> Value:
    """d (1,): whether another cell has to be withheld. Of what: as of `with_second`."""
    add = builder.add
    hidden = _bit(builder, add(Subtract(), reaches(builder, counts, 1), bits))
    rows = add(AssumeWidth(counts.type.width), add(Product(Elementwise()), hidden, counts))
    withheld = add(Total(), rows)
    needed = either(builder, _single(builder, hidden), few(builder, withheld, k))
    if total is not None:
        told = add(Subtract(), add(Total(), counts), withheld)
        needed = either(builder, needed, few(builder, beside(builder, told, total), k))
    if not zeros:
        needed = either(builder, needed, _single(builder, _not(builder, bits)))
    return needed


def without_least(builder: Builder, counts: Value, bits: Value, needed: Value, among: Value) -> Value:
    """The bits, without the least cell of those whose bits `among` are set, none set that is not in `bits`, where it is
    needed (1,).
    """
    chosen = _product(builder, _least(builder, counts, among), among)
    second = _product(builder, builder.add(Expand(chosen.type.shape), needed), chosen)
    return _bit(builder, builder.add(Subtract(), bits, second))


def _least(builder: Builder, counts: Value, bits: Value) -> Value:
    """Bits (cells,), one of them set: the least of the counts whose bit is set, the first of equals."""
    add, cells = builder.add, counts.type.count
    left = add(AddPublic(1 << (counts.type.width - 1)), add(Scale(-1), counts))
    scores = add(AssumeWidth(left.type.width), add(Product(Elementwise()), bits, left))
    place = add(Expand((cells + 1,)), add(ArgMax(scores.type.width + 1), scores))
    away = add(Subtract(), place, _numbers(builder, counts, cells + 1))
    reached = add(AtLeast(0, away.type.width + 1), away)
    here, behind = (add(Slice(((start, start + cells, 1),)), reached) for start in (0, 1))
    return _bit(builder, add(Subtract(), here, behind))


def _numbers(builder: Builder, like: Value, count: int) -> Value:
    """Shares of 0, 1, 2 .. (count,), which are public: nothing is sent."""
    add = builder.add
    numbers = add(AssumeWidth(1), add(Scale(0), add(Slice(((0, 1, 1),)), like)))
    while (size := numbers.type.count) < count:
        numbers = add(Concatenate(), numbers, add(AddPublic(size), numbers))
    width = count.bit_length() + 1
    return add(AssumeWidth(width), add(Slice(((0, count, 1),)), numbers))


def _single(builder: Builder, bits: Value) -> Value:
    """[exactly one is set] (1,)."""
    total = builder.add(Total(), bits)
    return _bit(builder, builder.add(Subtract(), reaches(builder, total, 1), reaches(builder, total, 2)))


def either(builder: Builder, one: Value, other: Value) -> Value:
    """[one bit or the other is set], place by place."""
    both = builder.add(Product(Elementwise()), one, other)
    return _bit(builder, builder.add(Subtract(), builder.add(Add(), one, other), both))


def _product(builder: Builder, one: Value, other: Value) -> Value:
    return _bit(builder, builder.add(Product(Elementwise()), one, other))


def _not(builder: Builder, bits: Value) -> Value:
    return _bit(builder, builder.add(AddPublic(1), builder.add(Scale(-1), bits)))


def _bit(builder: Builder, value: Value) -> Value:
    """What is known to be 0 or 1."""
    return builder.add(AssumeWidth(2), value)
