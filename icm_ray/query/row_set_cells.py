"""What a row set is made of, as data: the conditions of its groups and bins, and the tables that it adds up to."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from itertools import pairwise

from msgspec.structs import replace

from icm_ray.query.expressions.tree import EVERY_ROW, Of, apply, conjunction, literal
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.row_set import RowSet
from icm_ray.query.tasks import GroupKey, PrivateKey

__all__ = [
    "binned",
    "cell_conditions",
    "conditions_of",
    "groups_of",
    "key_names",
    "margins",
    "plain",
    "private_keys",
    "where_true",
]


def plain(told: RowSet) -> RowSet | None:
    """Without its bins; None: all rows."""
    return None if told.where is None and not told.by else RowSet(told.where, told.by)


def margins(told: RowSet, other: RowSet) -> Iterator[RowSet]:
    """The groups by some of several keys, whose rows and sums those of all keys add up to; with others of private keys
    none of them are held.
    """
    if told.merge or told.of_values or other.merge or other.of_values or (told.private and other.private):
        return
    keys: tuple[GroupKey, ...] | tuple[PrivateKey, ...] = told.private or told.by
    for size in range(1, len(keys)):
        for some in itertools.combinations(keys, size):
            margin = replace(told, private=some) if told.private else replace(told, by=some)
            if (margin.where, margin.by, margin.private) != (other.where, other.by, other.private):
                yield margin


def groups_of(told: RowSet) -> int:
    """How many stated groups there are; 1 where rows are not grouped."""
    count = 1
    for key in told.by:
        count *= key.size
    return count


def binned(told: RowSet) -> GroupKey | None:
    """The bins of a histogram, or of groups by nothing else."""
    if told.of is not None and told.edges:
        return GroupKey(told.of, edges=told.edges)
    return told.by[0] if len(told.by) == 1 and told.by[0].edges else None


def key_names(told: RowSet) -> set[Of]:
    """What private groups are of."""
    return {key.of for key in told.private}


def conditions_of(told: RowSet) -> Iterator[Of | None]:
    """Of each group, or of what lies below each edge, beside that of the row set."""
    if told.edges and told.of is not None:
        low = apply("greater_equal", (told.of, literal(told.edges[0])))
        for place, edge in enumerate(told.edges[1:], 2):
            name = "less_equal" if place == len(told.edges) else "less"
            yield apply("and", (low, apply(name, (told.of, literal(edge)))))
        return
    for values in itertools.product(*(key.domain for key in told.by)):
        condition: Of | None = None
        for key, value in zip(told.by, values, strict=True):
            condition = conjunction(condition, apply("equal", (key.of, literal(value))))
        yield condition


def cell_conditions(told: RowSet) -> Iterator[Of | None]:
    """The condition of each group or bin, beside that of the row set; None: there is one cell."""
    if not told.edges or told.of is None:
        yield from conditions_of(told)
        return
    for place, (low, high) in enumerate(pairwise(told.edges), 2):
        name = "less_equal" if place == len(told.edges) else "less"
        reached = apply("greater_equal", (told.of, literal(low)))
        yield apply("and", (reached, apply(name, (told.of, literal(high)))))


def where_true(condition: Of | None) -> Of:
    """A column that has a value where a condition is true."""
    return EVERY_ROW if condition is None else apply("where", (condition, literal(value=True), literal(None)))


def private_keys(told: RowSet) -> PrivateKeys:
    """As a selection has them."""
    return PrivateKeys(told.private, told.most)
