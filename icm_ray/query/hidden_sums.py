"""What a total leaves when the sums that are shown are subtracted: that has to be a sum that no few rows make up, too.

Of cells with bits s_c of what may be shown, all others and the rows that are in no cell are left of a total: their
union U has contributions as one cell has (`query.dominance`), and e(U) says whether it could be shown. Where it could
not, and the total T could, the least shown cell is withheld with which it can, and all are where there is none:
    d = e(T) (1 - e(U))
    c* = argmax of s_c e(U + c) (B - n_c), B > n
    s'_c = s_c - d s_c [c = c*] - d s_c [no c has s_c e(U + c)]
It serves where numbers of rows ask for a second cell, too (`query.complements`).
What can be shown may be added to U and leaves it so, for of a union the largest value, and the two largest, are no
greater part than the greatest that they are of one of its cells. So one cell is looked for that fits several totals,
of the cells and of more rows. Nothing is opened but s'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import AddPublic, AssumeWidth, Concatenate, Expand, Scale, Slice, Subtract
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.complements import either, without_least
from icm_ray.query.dominance import Merged, as_one_cell, even, merged
from icm_ray.query.expressions.tree import MOST_NODES, Of, apply, conjunction, literal, nodes_of
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.selection import SelectedRows
from icm_ray.query.small_cells import reaches

__all__ = ["conditions_outside", "told_by_a_total", "with_others"]

_NODES_BESIDE: Final = 32
"""Of a condition on rows in no cell, beside the values of groups and what is of the rows themselves."""


def with_others(
    builder: Builder,
    counts: Value,
    bits: Value,
    found: Merged,
    outside: Sequence[Value],
    second: Value | None,
    policy: Policy,
    *,
    shared: bool,
) -> Value:
    """The bits (cells,) of what may be shown once others are withheld, so that no total tells a sum of few rows.

    counts: (cells,). bits: of those that may be shown by themselves. found: what each cell has. outside: contributions
    of rows in no cell, for each total those that the one before does not have. second: whether the numbers of rows ask
    for another cell to be withheld (1,), which is the same then; None: there is one cell. shared: whether of shares.
    """
    cells = counts.type.count
    sizes = range(0 if cells > 1 else 1, len(outside) + 1)  # of one cell its own rows leave nothing
    table, unions, totals = found.table(builder), list[Value](), list[Value]()
    left = _not(builder, bits)
    beyond = [as_one_cell(builder, merged(builder, each, shared=shared).table(builder)) for each in outside]
    of_left, of_all = as_one_cell(builder, table, left), as_one_cell(builder, table)
    for size in sizes:
        unions.append(_in_one_column(builder, of_left, beyond, size))
        totals.append(_in_one_column(builder, of_all, beyond, size))
    columns = merged(builder, builder.add(Concatenate(axis=1), *unions, *totals), shared=shared)
    spread = even(builder, columns, policy)
    of_unions, of_totals = (builder.add(Slice(((start, start + len(sizes), 1),)), spread) for start in (0, len(sizes)))
    needed = _both(builder, of_totals, _not(builder, of_unions))
    few = _any(builder, needed)
    if second is None:
        return _without(builder, bits, few)
    fitting = bits
    if columns.shift:  # in units of its own, which no cell has
        bits = _without(builder, bits, few)
    else:
        fits = _fitting(builder, table, columns.table(builder), len(sizes), policy, shared=shared)
        for at in range(len(sizes)):
            asked = builder.add(Expand((cells,)), builder.add(Slice(((at, at + 1, 1),)), needed))
            unfit = _not(builder, builder.add(Slice(((cells * at, cells * (at + 1), 1),)), fits))
            fitting = _both(builder, fitting, _not(builder, _both(builder, asked, unfit)))
        none = _not(builder, _any(builder, fitting))
        bits = _without(builder, bits, _both(builder, few, none))
    return without_least(builder, counts, bits, either(builder, few, second), _both(builder, fitting, bits))


def told_by_a_total(builder: Builder, rest: Merged, whole: Merged, policy: Policy) -> Value:
    """Bits (cells,): not where what is left out is a sum of few rows, and all together may be shown."""
    return _not(builder, _both(builder, even(builder, whole, policy), _not(builder, even(builder, rest, policy))))


def _in_one_column(builder: Builder, of_cells: Value, beyond: Sequence[Value], size: int) -> Value:
    """(n, 1): what cells have, and of what is beyond them the first `size` parts, zeros of others."""
    parts = [of_cells]
    for place, part in enumerate(beyond):
        parts.append(part if place < size else builder.add(AssumeWidth(part.type.width), builder.add(Scale(0), part)))
    return parts[0] if len(parts) == 1 else builder.add(Concatenate(), *parts)


def _fitting(builder: Builder, table: Value, own: Value, unions: int, policy: Policy, *, shared: bool) -> Value:
    """Bits (unions x cells,): whether a union may be shown once a cell is added. own: of unions first."""
    add, (words, cells) = builder.add, table.type.shape
    columns = [add(Slice(((0, words, 1), (at, at + 1, 1))), own) for at in range(unions)]
    repeated = [add(Expand((words, cells)), column) for column in columns]
    beside = [
        values[0] if unions == 1 else add(Concatenate(axis=1), *values) for values in (repeated, [table] * unions)
    ]
    return even(builder, merged(builder, add(Concatenate(), *beside), shared=shared), policy)


def _any(builder: Builder, bits: Value) -> Value:
    """[some bit is set] (1,)."""
    return _bit(builder, reaches(builder, builder.add(Total(), bits), 1)) if bits.type.count > 1 else bits


def _without(builder: Builder, bits: Value, none: Value) -> Value:
    """The bits, or none of them."""
    away = _both(builder, builder.add(Expand(bits.type.shape), none), bits)
    return _bit(builder, builder.add(Subtract(), bits, away))


def _both(builder: Builder, one: Value, other: Value) -> Value:
    return _bit(builder, builder.add(Product(Elementwise()), one, other))


def _not(builder: Builder, bits: Value) -> Value:
    return _bit(builder, builder.add(AddPublic(1), builder.add(Scale(-1), bits)))


def _bit(builder: Builder, value: Value) -> Value:
    return builder.add(AssumeWidth(2), value)


# --- which rows are in no cell ----------------------------------------------------------------------------------------


def conditions_outside(rows: SelectedRows, base: Rows, of: Of) -> tuple[Of, ...]:
    """Which rows of `base` are in no cell: those that are chosen and in none, then those that are not chosen; neither
    where it follows from public facts that there are none, nor where a condition on a column `of` would be too long.
    """
    where = rows.selection.where
    room = MOST_NODES - _NODES_BESIDE - len(nodes_of(of)) - (0 if where is None else len(nodes_of(where)))
    there: Of | None = None
    for condition in _inside(rows, base, room):
        there = conjunction(there, condition)
    found: list[Of] = []
    if there is not None:
        nowhere = apply("not", (there,))
        found.append(nowhere if where is None else apply("and", (_true(where, base), nowhere)))
    if where is not None and room >= 0:
        found.append(apply("not", (_true(where, base),)))
    return tuple(found)


def _inside(rows: SelectedRows, base: Rows, room: int) -> list[Of]:
    """What says of each key that a row is in a group. room: for so many nodes."""
    found: list[Of] = []
    for of in () if rows.private is None else [key.of for key in rows.private.keys]:
        room -= len(nodes_of(of))
        if column_of(base, of).nullable and room >= 0:
            found.append(apply("not", (apply("is_null", (of,)),)))
    for key in rows.by:
        if _all_values(key.domain, key.of, base):
            continue
        room -= len(nodes_of(key.of)) + len(key.domain)
        if room < 0:
            continue
        if key.edges:
            ends = (("greater_equal", key.edges[0]), ("less_equal", key.edges[-1]))
            found += [_true(apply(name, (key.of, literal(edge))), base) for name, edge in ends]
        else:
            found.append(apply("is_in", (key.of, *map(literal, key.domain))))
    return found


def _all_values(domain: Sequence[object], of: Of, base: Rows) -> bool:
    """Whether it is public that there are no others."""
    info = column_of(base, of)
    if info.nullable:
        return False
    return (info.kind == "bool" and len(domain) > 1) or (
        base.shared and info.kind == "string" and set(base.texts(of)) <= set(domain)
    )


def _true(condition: Of, base: Rows) -> Of:
    if not column_of(base, condition).nullable:
        return condition
    return apply("fill", (condition, literal(value=False)))
