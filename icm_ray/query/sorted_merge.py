"""Merges of rows that are shares: rows of both sides are sorted by key, and every left row gets its right row's values.

Right rows are sorted by key k; right rows that are not meant have keys beyond all others, each its own. That no two are
alike is checked by one flag, sum of [k_j = k_(j-1)] >= 1, which is opened. Of each word w of a right row, its key too,
    d_0 = w_0, d_j = w_j - w_(j-1),
so that, with d = 0 in left rows and all rows sorted by key (stable, right rows first), running sums of d give each row
the words of the last right row before it. A left row has that right row where its key is that one's,
    met_i = [k_i = k'_i],
one comparison for each word of a key. Then rows go back to where they were (`protocols.arrange`), by numbers that went
with them: left rows are in their order again, and their own columns never moved. What is asked of merged rows is asked
of these, as of any rows that are shares.

How many right rows some left row meets, in each group of left rows: rows are sorted by the number g of the group below
the key, from 1 on, 0 of right rows; a right row is counted at the first of its left rows in a group,
    first_i = met_i [g_i > g_(i-1)].

Seen by anybody: sizes, the order of elements that were shuffled in sorts and arrangements, and the flag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from icm_ray.ops.compare import AtLeast, CheckFlag
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import (
    AddPublic,
    AssumeWidth,
    Concatenate,
    Pad,
    Reshape,
    RunningSum,
    Scale,
    Slice,
    Subtract,
)
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.ops.sorting import Arrange, SortBy
from icm_ray.ops.values import FULL_WIDTH, log2_ceil
from icm_ray.program.build import Builder, Value

__all__ = ["MergedSides", "merged_sides"]

TWICE: Final = "a key has more than one row on the right side of a merge"
ADVICE: Final = "Swap the frames, or leave out rows"
_BIT = 2


@dataclass(frozen=True, slots=True)
class MergedSides:
    """Of each left row, in its order: met, whether it has a right row (rows, 1); the words of that (rows, words), any
    others where there is none; first, where it was asked for: whether the row is the first one of its group to meet it.
    """

    met: Value
    words: Value
    first: Value | None


def merged_sides(
    builder: Builder, left: Value, right: Value, widths: Sequence[int], group: Value | None = None
) -> MergedSides:
    """Give left rows what right rows of their key have.

    left: keys (rows, words). right: (rows, words), keys first; no two alike, or a flag is set that is opened to all
    parties (`CheckFlag`). widths: of the words of keys, the most significant first. group: by which first rows are
    found, numbers (rows, 1) from 1 on; None: they are not.
    Errors: `BoundError` where a key and its place do not fit a word.
    """
    return _Merge(builder, left, right, widths, group).sides()


class _Merge:
    def __init__(self, builder: Builder, left: Value, right: Value, widths: Sequence[int], group: Value | None) -> None:
        self._add, self._left, self._group = builder.add, left, group
        self._widths, self._keys = tuple(widths), len(widths)
        self._rows = left.type.shape[0], right.type.shape[0]
        self._count = sum(self._rows)
        self._right = self._sorted(right, range(self._keys))

    def sides(self) -> MergedSides:
        """What becomes of them."""
        table, first = self._all(self._steps(self._right)), self._keys + 1
        order = [*range(self._keys), *([self._keys] if self._group is not None else [])]
        table = self._sorted(table, order)
        start = first + (self._group is not None)
        words = self._running(self._part(table, slice(None), slice(start, None)))
        met = self._met(self._part(table, slice(None), slice(0, self._keys)), words)
        found = [met]
        if self._group is not None:
            found.append(self._first(met, self._column(table, self._keys)))
        found.append(self._part(words, slice(None), slice(self._keys, None)))
        number = self._add(Reshape((self._count,)), self._column(table, start - 1))
        number = self._add(AssumeWidth(log2_ceil(self._count) + 2), number)
        back = self._add(Arrange(), number, self._beside(*found))
        back = self._part(back, slice(0, self._rows[0]), slice(None))
        bits = [self._add(AssumeWidth(_BIT), self._column(back, place)) for place in range(len(found) - 1)]
        return MergedSides(
            bits[0], self._part(back, slice(None), slice(len(bits), None)), bits[1] if len(bits) > 1 else None
        )

    # --- parts of tables

    def _part(self, table: Value, rows: slice, columns: slice) -> Value:
        axes = tuple(part.indices(size) for part, size in zip((rows, columns), table.type.shape, strict=True))
        return self._add(Slice(axes), table)

    def _column(self, table: Value, place: int) -> Value:
        return self._part(table, slice(None), slice(place, place + 1))

    def _beside(self, *columns: Value) -> Value:
        kept = [column for column in columns if column.type.shape[1]]
        return kept[0] if len(kept) == 1 else self._add(Concatenate(axis=1), *kept)

    def _key(self, table: Value, place: int) -> Value:
        """A word of the key (rows, 1), with what is known of its width."""
        return self._add(AssumeWidth(self._widths[place]), self._column(table, place))

    # --- steps

    def _sorted(self, table: Value, places: Sequence[int]) -> Value:
        """Rows by these words, the most significant first."""
        rows = table.type.shape[0]
        if rows == 1:
            return table
        for place in reversed(places):  # a sort is stable: the most significant word comes last
            word = self._key(table, place) if place < self._keys else self._of_group(self._column(table, place))
            table = self._add(SortBy(), self._add(Reshape((rows,)), word), table)
        return table

    def _of_group(self, word: Value) -> Value:
        return word if self._group is None else self._add(AssumeWidth(self._group.type.width), word)

    def _zero(self, differences: Sequence[Value]) -> Value:
        """Whether words (rows, 1) are all 0; the first is no less than 0 ever, the others where it is 0 may be."""
        first, *others = differences
        found = self._not(self._add(AtLeast(1, first.type.width + 1), first))
        for step in others:
            reached = [self._add(AtLeast(least, step.type.width + 1), step) for least in (0, 1)]
            found = self._both(found, self._add(AssumeWidth(_BIT), self._add(Subtract(), *reached)))
        return found

    def _not(self, bits: Value) -> Value:
        return self._add(AssumeWidth(_BIT), self._add(AddPublic(1), self._add(Scale(-1), bits)))

    def _both(self, one: Value, other: Value) -> Value:
        return self._add(AssumeWidth(_BIT), self._add(Product(Elementwise()), one, other))

    def _steps(self, right: Value) -> Value:
        """What each right row has more than the one before, once it is known that no two have one key; keys are one
        more, so that 0 is none.
        """
        words = self._beside(
            self._add(AddPublic(1), self._key(right, 0)), self._part(right, slice(None), slice(1, None))
        )
        if self._rows[1] == 1:
            return words
        before, after = (self._part(words, part, slice(None)) for part in (slice(None, -1), slice(1, None)))
        steps = self._add(Subtract(), after, before)
        differences = [self._add(AssumeWidth(width + (place > 0)), self._column(steps, place))
                       for place, width in enumerate(self._widths)]  # they are in order  # fmt: skip
        twice = self._add(Total(), self._zero(differences))
        flag = self._add(AssumeWidth(_BIT), self._add(AtLeast(1, twice.type.width + 1), twice))
        steps = self._add(CheckFlag(TWICE, ADVICE), steps, flag)
        return self._add(Concatenate(), self._part(words, slice(0, 1), slice(None)), steps)

    def _all(self, steps: Value) -> Value:
        """The rows of both sides, right ones first: keys, the group, their number, left rows from 0 on, and steps."""
        left, right = self._rows
        keys = self._part(self._right, slice(None), slice(0, self._keys))
        columns = [self._add(Concatenate(), keys, self._left)]
        if self._group is not None:
            columns.append(self._add(Pad(((right, 0), (0, 0))), self._group))
        nothing = self._add(AssumeWidth(1, 0.0), self._add(Scale(0), self._column(columns[0], 0)))
        number = self._add(AddPublic(-1), self._add(RunningSum(), self._add(AddPublic(1), nothing)))
        parts = (self._part(number, part, slice(None)) for part in (slice(left, None), slice(0, left)))
        columns.append(self._add(Concatenate(), *parts))
        columns.append(self._add(Pad(((0, left), (0, 0))), steps))
        return self._beside(*columns)

    def _running(self, steps: Value) -> Value:
        """What the last right row before each row has: running sums of differences, none of them wider."""
        width = steps.type.width
        room = self._add(AssumeWidth(FULL_WIDTH - log2_ceil(self._count)), steps)
        return self._add(AssumeWidth(width), self._add(RunningSum(), room))

    def _met(self, keys: Value, words: Value) -> Value:
        differences = []
        for place, width in enumerate(self._widths):
            got = self._add(AssumeWidth(width + 1), self._column(words, place))
            own = self._key(keys, place)
            own = self._add(AddPublic(1), own) if place == 0 else own
            step = self._add(Subtract(), own, got)
            differences.append(self._add(AssumeWidth(width + 1), step))
        return self._zero(differences)

    def _first(self, met: Value, groups: Value) -> Value:
        """Whether each row is the first left one of its key and group: where it is met, so is its key before it."""
        if self._group is None or self._count == 1:
            return met
        groups = self._of_group(groups)
        after, before = (self._part(groups, part, slice(None)) for part in (slice(1, None), slice(None, -1)))
        step = self._add(Subtract(), after, before)
        rises = self._add(AtLeast(1, step.type.width + 1), step)
        return self._both(met, self._add(AssumeWidth(_BIT), self._add(Pad(((1, 0), (0, 0))), rises)))
