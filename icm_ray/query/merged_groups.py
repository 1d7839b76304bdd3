"""Merged rows in groups by values of the right side that nobody states: as groups of private keys, but of many rows.

Each left row has got the words k_i of its right row's group, and brings words v_i (what its pairs count and add up to;
zeros where it is not met, whatever k_i is). Rows are sorted by k, with last_i = [k_(i+1) > k_i], and P_i = v_0 + .. +
v_i, which each party adds up by itself (modulo 2^64). Sorted by 1 - last (stable), last rows come first, one for each
group, and what is of a group is the difference of two neighbours' P: times last_i, zeros follow behind the groups.
These are as many as there are right rows, and one for rows that are not met, at the most; the rest is cut off. Then, as
with groups of private keys (`private_groups`): shuffled, b_i = [n_i >= 1], and multiplied by it.

Seen by anybody: sizes, the orders of sorts, and what is opened.
"""

from __future__ import annotations

from collections.abc import Mapping

from icm_ray.ops.linear import AddPublic, AssumeWidth, Concatenate, Reshape, RunningSum, Scale, Slice, Subtract
from icm_ray.ops.sorting import SortBy
from icm_ray.ops.values import log2_ceil
from icm_ray.program.build import Builder, Value
from icm_ray.query.keyed_tables import KeyedTables
from icm_ray.query.merge_layout import Layout
from icm_ray.query.merged_tables import MergedTables
from icm_ray.query.partials import PartialAggregate
from icm_ray.query.private_groups import KeyedGroups, merged
from icm_ray.query.rows import Rows

__all__ = ["by_private_keys", "most_groups"]


def most_groups(of: Layout) -> int:
    """The places for groups: right rows, and one for rows that none of them meets."""
    return min(of.rows, sum(rows for *_, rows in of.tables_of(right=True)) + 1)


def by_private_keys(
    builder: Builder, rows: Rows, tables: MergedTables, groups: KeyedGroups
) -> Mapping[PartialAggregate, Value]:
    """What each partial is of every place for groups."""
    of = tables.layout
    words = [tables.of_rows(part) for part in groups.aggregates]
    brought = words[0] if len(words) == 1 else builder.add(Concatenate(axis=1), *words)
    grown = log2_ceil(max(of.sides.left.count, of.rows) + 1)  # one right row for each pair
    widths = (*of.private, *(of.limb + 1 + grown,) * brought.type.shape[1])
    made = _Groups(builder, widths, len(of.private), 0, 1, of.rows).grouped(tables.keys, brought, most_groups(of))
    return merged(builder, rows, 1, groups, made, limb=of.limb, grown=grown)


class _Groups(KeyedTables):
    """Rows of words, the first ones keys, others to be added up."""

    def grouped(self, keys: Value, brought: Value, most: int) -> Value:
        """The words (most, words) of each group: of its key, and sums."""
        table = self._beside(keys, brought)
        if self._count == 1:
            return table
        table = self._sorted(table)
        first = self._add(Slice(((0, 1, 1),)), self._column(table, 0))
        one = self._add(AddPublic(1), self._add(Scale(0), first))
        last = self._add(AssumeWidth(2), self._add(Concatenate(), self._new(table), one))
        words = self._add(AssumeWidth(brought.type.width), self._columns(table, self._added))
        sums = self._add(AssumeWidth(self._widths[-1]), self._add(RunningSum(), words))
        bits = self._add(Reshape((self._count, 1)), last)
        table = self._beside(self._columns(table, slice(0, self._keys)), sums, bits)
        table = self._part(self._add(SortBy(), self._not(last), table), slice(0, most), slice(None))
        bits = self._add(AssumeWidth(2), self._add(Reshape((most,)), self._columns(table, slice(-1, None))))
        sums = self._columns(table, self._added)
        later, before = (self._part(sums, slice(start, start + most - 1), slice(None)) for start in (1, 0))
        steps = self._add(Subtract(), later, before)
        each = self._add(Concatenate(), self._part(sums, slice(0, 1), slice(None)), steps)
        each = self._add(AssumeWidth(self._widths[-1]), each)
        return self._beside(self._columns(table, slice(0, self._keys)), self._times(bits, each))
