"""Merges on shares: what owners bring of each side, and what is made of it.

Each side's owners aggregate their own rows by key in the clear, left rows by the cells of their groups too: a row of
words for each, n rows and sums, zeros in the other side's columns. All rows are sorted by one word that no two share
(`tasks.RowOrder`): by key, right rows first. With same_i = [y_i - y_(i-1) < 2^z], z the bit below the key,

    r_i <- r_i + same_i r_(i-s), same_i <- same_i same_(i-s),    s = 1, 2, 4 .. below the most rows of a key,

gives each row what right rows of its key brought: right rows of a key come first and are at most one, which a flag of
all [n_r >= 2] says that is opened, and has to be 0. What a left row got is w, its right row's n_r: 1 where there is
one. Then with what the row itself brought

    number of rows = sum of w n_l     of a left column: sum of w s_l     of a right column: sum of n_l s_r

are partial aggregates like any others; a left merge has 1 - w of left rows, too. A condition is terms (`merge_terms`):
w becomes the right row's bit of a term, n_l and s_l are those of left rows where the term's condition is true. Groups:
sums by the number of the row's cell (`protocols.groups`).

Keys that are longer than a word are hashed, so long that two of these have one hash once in 2^20 merges at the most:
where one word has no room for that, rows are sorted by two (`merge_layout.Layout.order`). A left row has to have its
right row's other hash c, which travels as the right row's words do: a flag of sum of t_r c_i - c_r is opened, too, t_r
whether there is a right row, and another than 0 ends the merge.

Where a key may have several right rows (`Merge.many`) these are one in each table, no flag says that they are one, n_r
and s_r are sums over them, t_r is how many there are, and rows where t_r c_i - c_r is not 0 are counted: what two keys
of one hash are off by may add up to 0.

Seen by anybody: sizes, the order of elements that were shuffled in a sort (`protocols.sorting`), flags, and results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

from icm_ray.errors import ProgramError
from icm_ray.functions.order_keys import largest_key
from icm_ray.ops.compare import AtLeast, CheckFlag, CountAtLeast
from icm_ray.ops.forms import Elementwise, Matrix
from icm_ray.ops.groups import GroupTable
from icm_ray.ops.linear import (
    Add,
    AddLast,
    AddPublic,
    AssumeWidth,
    Concatenate,
    Pad,
    Permute,
    Reshape,
    Scale,
    Slice,
    Subtract,
    Take,
)
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.ops.sorting import SortBy
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Of
from icm_ray.query.grouped_extremes import largest_by_number
from icm_ray.query.keyed_tables import KeyedTables
from icm_ray.query.merge_layout import ALL_ROWS, WIDENED, Aggregated, Layout, MatchedRight, counts_width
from icm_ray.query.merge_sides import MOST_CELLS
from icm_ray.query.partials import PartialAggregate
from icm_ray.ring.fixed import NOTHING

__all__ = ["MergedTables"]

_CELL = MOST_CELLS.bit_length() + 1  # the width of the number of a cell
_LARGEST = ("min", "max")


class MergedTables(KeyedTables):
    """All tables, one after the other, while a program is written that merges them."""

    def __init__(self, builder: Builder, of: Layout, table: Value) -> None:
        super().__init__(builder, of.widths, 1, 0, 1, table.type.shape[0])
        self._of, self._sides = of, of.sides
        left = len(of.block(right=False))
        self._blocks = {False: slice(of.first, of.first + left), True: slice(of.first + left, len(of.widths))}
        self._merge(table)

    @property
    def layout(self) -> Layout:
        """What the rows hold."""
        return self._of

    def values(self) -> Mapping[PartialAggregate, Value]:
        """By partial, as statistics ask for it."""
        return {part: self._value(part) for part in self._of.partials}

    def _value(self, part: PartialAggregate) -> Value:
        if isinstance(part, MatchedRight):
            return self._total(self._first)
        right, own = self._of.own(part)
        if own.kind in {"min", "max"}:
            return self._extreme(right, own)
        column = Aggregated(right, None, own)
        words = self._words(right, own)
        if own.kind == "count":
            return words[0]
        return self._wide(words, self._of.f(column), self._of.limbs(column), self._of.limb)

    # --- what rows of a key bring one another

    def _merge(self, table: Value) -> None:
        """Sort, give each row what the right row of its key brought, check."""
        if self._count > 1 and self._of.order.upper:
            table = self._add(SortBy(), self._column(table, 0), table)
            table = self._add(SortBy(), self._column(table, 1), table)
        elif self._count > 1:
            table = self._add(SortBy(distinct=True), self._column(table, 0), table)
        self._left, own = (self._columns(table, self._blocks[right]) for right in (False, True))
        all_rows = Aggregated(True, None, ALL_ROWS)
        if self._count == 1:
            self._got = self._add(Scale(0), own)
            self._met = self._first = self._bit_of(self._got, all_rows)
            return
        if self._many:
            own = self._add(AssumeWidth(max(self._widths[self._blocks[True]])), own)
            own = self._with_extremes_beyond(self._beside(own, self._there(own)))
        same, other_slot = self._same(table)
        carried, copied = self._copied(own, same)
        got = self._add(AssumeWidth(own.type.width + self._of.grown), self._add(Subtract(), copied, own))
        for at in self._extremes_of_right if self._many else ():
            got = self._replaced(got, at, self._order_keys(copied, at))
        self._got = self._of_one_key(table, got, got if self._many else self._unique(copied, got))
        if self._many:
            self._met = self._first = self._reached(self._times_met(self._got))
            return
        self._met = self._bit_of(self._got, all_rows)
        if not self._sides.cells_of(right=False):
            before = self._add(Reshape((self._count - 1,)), self._columns(carried, self._of_right_rows))
            self._first = self._padded(self._add(AssumeWidth(2), before))
        elif other_slot is None:
            self._first = self._met
        else:
            later = self._add(Slice(((1, self._count, 1),)), self._met)
            self._first = self._padded(self._both(other_slot, later))

    # --- several right rows of a key

    @property
    def _many(self) -> bool:
        return self._sides.merge.many

    def _reached(self, counts: Value) -> Value:
        return self._add(AtLeast(1, counts.type.width + 1), counts)

    def _there(self, own: Value) -> Value:
        """Whether each row is a right one (rows, 1)."""
        counts = self._flat(self._columns(own, self._of_right_rows))
        there = self._reached(self._add(AssumeWidth(counts_width(self._sides.right.count)), counts))
        return self._add(Reshape((self._count, 1)), there)

    def _times_met(self, got: Value) -> Value:
        """In how many tables there are right rows of each left row's key (rows,)."""
        if not self._many:
            return self._bit_of(got, Aggregated(True, None, ALL_ROWS))
        return self._add(AssumeWidth(2 + self._of.grown), self._flat(self._columns(got, slice(-1, None))))

    @cached_property
    def _extremes_of_right(self) -> Mapping[int, bool]:
        """Where the order keys of right columns begin, and whether the least of them is asked for."""
        found = (column for column in self._of.columns if column.right and column.part.kind in _LARGEST)
        return {self._of.place(column): column.part.kind == "min" for column in found}

    def _with_extremes_beyond(self, own: Value) -> Value:
        """Right words, order keys of rows that are no right ones beyond all keys, and negated for a least one."""
        there = self._add(AssumeWidth(2), self._flat(self._columns(own, slice(-1, None))))
        for at, least in self._extremes_of_right.items():
            keys = self._order_keys(own, at)
            own = self._replaced(own, at, self._beyond(there, self._add(Scale(-1), keys) if least else keys))
        return own

    def _order_keys(self, table: Value, at: int) -> Value:
        """The two words of order keys (rows, 2) from some place on."""
        return self._add(AssumeWidth(34), self._columns(table, slice(at, at + 2)))

    def _replaced(self, table: Value, at: int, columns: Value) -> Value:
        """A table with other columns from some place on."""
        after = self._columns(table, slice(at + columns.type.shape[1], None))
        return self._beside(self._columns(table, slice(0, at)), columns, after)

    def _beyond(self, bits: Value, keys: Value) -> Value:
        """Order keys (rows, 2), less than all keys where a bit is not set."""
        beyond = (NOTHING >> 32, 0)
        carried = self._times(bits, self._add(AddLast(beyond), keys))
        return self._add(AssumeWidth(34), self._add(AddLast(tuple(-word for word in beyond)), carried))

    @property
    def _of_right_rows(self) -> slice:
        at = self._of.place(Aggregated(True, None, ALL_ROWS))
        return slice(at, at + 1)

    def _padded(self, later: Value) -> Value:
        """With a zero for the first row."""
        return self._add(AssumeWidth(2), self._add(Pad(((1, 0),)), later))

    def _same(self, table: Value) -> tuple[Value, Value | None]:
        """Whether each row but the first has the key of the one before (rows - 1,); and, where a side has several
        tables, whether it is of another slot or key.
        """
        order, column = self._of.order, self._column(table, 0)
        upper = self._add(Slice(((1, self._count, 1),)), column)
        step = self._add(Subtract(), upper, self._add(Slice(((0, self._count - 1, 1),)), column))
        width = column.type.width
        step = self._add(AssumeWidth(width), step)  # they are in order
        same = self._not(self._add(AtLeast(1 << (order.key - 1), width + 1), step))
        equal = None if not order.upper else self._not(self._risen(self._column(table, 1)))
        if equal is not None:
            same = self._both(equal, same)
        matched = any(isinstance(part, MatchedRight) for part in self._of.partials)
        if not (matched and order.members and self._sides.cells_of(right=False)):
            return same, None
        other = self._add(AtLeast(1 << order.members, width + 1), step)
        return same, other if equal is None else self._not(self._both(equal, self._not(other)))

    def _risen(self, column: Value) -> Value:
        """Whether each row but the first has more than the one before (rows - 1,)."""
        upper = self._add(Slice(((1, self._count, 1),)), column)
        step = self._add(Subtract(), upper, self._add(Slice(((0, self._count - 1, 1),)), column))
        return self._add(AtLeast(1, step.type.width + 1), step)

    def _copied(self, own: Value, same: Value) -> tuple[Value, Value]:
        """Right words that each row but the first gets of the one before; and of all rows of its key up to it."""
        copied, found, step = own, None, 1
        while step < self._of.run:
            carried = self._times(same, self._part(copied, slice(0, self._count - step), slice(None)))
            found = carried if found is None else found
            more = self._add(Add(), self._part(copied, slice(step, None), slice(None)), carried)
            more = self._add(AssumeWidth(own.type.width + self._of.grown), more)
            if self._many:
                more = self._with_larger(more, copied, same, step)
            copied = self._add(Concatenate(), self._part(copied, slice(0, step), slice(None)), more)
            if 2 * step < self._of.run:
                size = self._count - step
                later = self._add(Slice(((step, size, 1),)), same)
                same = self._both(later, self._add(Slice(((0, size - step, 1),)), same))
            step *= 2
        if found is None:
            found = self._add(Scale(0), self._part(own, slice(1, None), slice(None)))
        return found, copied

    def _with_larger(self, more: Value, copied: Value, same: Value, step: int) -> Value:
        """The same of right words, but for order keys, of which the larger ones are taken."""
        for at in self._extremes_of_right:
            larger = self._larger(self._order_keys(copied, at), same, step)
            more = self._replaced(more, at, self._part(larger, slice(step, None), slice(None)))
        return more

    def _of_one_key(self, table: Value, got: Value, unique: Value) -> Value:
        """What left rows got, once it is known that rows of one hash are of one key. unique: what they got, checked."""
        if not self._of.order.hashed:
            return unique
        second, met = self._column(table, self._of.first - 1), self._times_met(got)
        at = got.type.shape[1] - 1 - self._many
        width = second.type.width + self._of.grown
        of_right = self._add(AssumeWidth(width), self._flat(self._columns(got, slice(at, at + 1))))
        wanted = self._bit_times(met, second, width)
        unlike = self._add(Subtract(), wanted, of_right)
        if not self._many:  # else what rows of one hash are off by may add up to 0
            unlike = self._add(Total(), unlike)
        # [x != 0] = [x >= 1] + 1 - [x >= 0]
        counts = self._add(CountAtLeast((1, 0), unlike.type.width + 1), unlike)
        above, least = (self._add(Slice(((at, at + 1, 1),)), counts) for at in (0, 1))
        flag = self._add(AddPublic(unlike.type.count), self._add(Subtract(), above, least))
        flag = self._reached(flag) if self._many else flag
        clause = "two keys of a merge that have one hash were met"
        return self._flagged(clause, "Merge on one more column", unique, flag)

    def _unique(self, copied: Value, got: Value) -> Value:
        """The same, once it is known that no key is twice on the right side."""
        rows = self._columns(copied, self._of_right_rows)
        counts = self._add(AssumeWidth(counts_width(self._sides.right.count)), self._add(Reshape((self._count,)), rows))
        twice = self._add(Total(), self._add(AtLeast(2, counts.type.width + 2), counts))
        flag = self._add(AtLeast(1, twice.type.width + 1), twice)
        advice = "Swap the frames, or allow it: validate='many_to_many'"
        return self._flagged("a key has more than one row on the right side of a merge", advice, got, flag)

    def _flagged(self, clause: str, advice: str, got: Value, flag: Value) -> Value:
        return self._add(CheckFlag(clause, advice), got, self._add(AssumeWidth(2), flag))

    def _bit_times(self, bits: Value, values: Value, width: int) -> Value:
        return self._add(AssumeWidth(width), self._add(Product(Elementwise()), bits, values))

    # --- words, weights, sums

    def _slice_of(self, column: Aggregated) -> Value:
        """A column's words (rows, words), of what the row brought, or got of its right row."""
        at, words = self._of.place(column), self._of.words(column)
        block = self._got if column.right else self._left
        most = self._sides.left.count
        if column.right:
            most = self._sides.right.count if self._many else 1
        grown = self._of.grown if column.right and column.part.kind not in _LARGEST else 0
        width = counts_width(most) if column.part.kind == "count" else max(words) + grown
        return self._add(AssumeWidth(width), self._columns(block, slice(at, at + len(words))))

    def _bit_of(self, got: Value, column: Aggregated) -> Value:
        at = self._of.place(column)
        flat = self._add(Reshape((self._count,)), self._columns(got, slice(at, at + 1)))
        return self._add(AssumeWidth(2), flat)

    def _flat(self, table: Value) -> Value:
        return self._add(Reshape((self._count,)), table)

    def _weight(self, where: Of | None) -> Value:
        """How many right rows a left row has where a condition is true (rows,); one at most, but for `Merge.many`."""
        column = Aggregated(True, where, ALL_ROWS)
        return self._flat(self._slice_of(column)) if self._many else self._bit_of(self._got, column)

    def _pairs(self, right: bool, own: PartialAggregate) -> list[tuple[Value, Value]]:
        """Weights (rows,) and words (rows, words) whose products count: of pairs of rows, and of rows alone."""
        pairs: list[tuple[Value, Value]] = []
        for term in self._sides.terms:
            if right:
                count = self._flat(self._slice_of(Aggregated(False, term.left, ALL_ROWS)))
                pairs.append((count, self._slice_of(Aggregated(True, term.right, own))))
            else:
                pairs.append((self._weight(term.right), self._slice_of(Aggregated(False, term.left, own))))
        if not right:
            pairs += [
                (self._not(self._met), self._slice_of(Aggregated(False, where, own))) for where in self._sides.alone
            ]
        return pairs

    def of_rows(self, part: PartialAggregate) -> Value:
        """The words of a partial that each row's pairs bring (rows, words): counts, sums and sums of squares."""
        found = [self._product(weights, table) for weights, table in self._pairs(*self._of.own(part))]
        total = found[0]
        for more in found[1:]:
            total = self._add(Add(), total, more)
        return total

    @property
    def keys(self) -> Value:
        """The words of what each row is grouped by privately (rows, words), those of its right row."""
        return self._columns(self._got, slice(0, len(self._of.private)))

    def _words(self, right: bool, own: PartialAggregate) -> list[Value]:
        """The words of a partial, each (groups,): sums over all pairs of rows, and rows alone."""
        totals = [self._summed(weights, table) for weights, table in self._pairs(right, own)]
        words = []
        for columns in zip(*totals, strict=True):
            total = columns[0]
            for more in columns[1:]:
                total = self._add(AssumeWidth(WIDENED), self._add(Add(), total, more))
            words.append(total)
        return words

    def _summed(self, weights: Value, table: Value) -> list[Value]:
        """Of each word the sum of products with the rows' weights, (groups,)."""
        words = table.type.shape[1]
        if not self._sides.merge.by:
            row = self._add(Product(Matrix()), self._add(Reshape((1, self._count)), weights), table)
            return [
                self._add(Reshape((1,)), self._add(Slice(((0, 1, 1), (place, place + 1, 1))), row))
                for place in range(words)
            ]
        product = self._product(weights, table)
        return self._by_group([self._flat(self._columns(product, slice(at, at + 1))) for at in range(words)])

    def _product(self, weights: Value, table: Value) -> Value:
        """Each row times its weight."""
        product = self._add(Product(Elementwise()), self._add(Reshape((self._count, 1)), weights), table)
        return self._add(AssumeWidth(table.type.width), product) if weights.type.width <= 2 else product

    @cached_property
    def _numbers(self) -> Value:
        """The number of each row's group (rows,)."""
        left, right = (bool(self._sides.cells_of(right=side)) for side in (False, True))
        of_left, of_right = (
            self._add(AssumeWidth(_CELL), self._flat(self._columns(block, slice(0, 1)))) if there else None
            for block, there in ((self._left, left), (self._got, right))
        )
        if of_left is None or of_right is None:
            number = of_left if of_right is None else of_right
        else:
            number = self._add(Add(), self._add(Scale(self._sides.count_of(right=True) + 1), of_left), of_right)
        if number is None:
            raise ProgramError("rows that are in no groups")
        return self._add(AssumeWidth(_CELL), number)

    def _total(self, values: Value) -> Value:
        """The sums (groups,) of values (rows,)."""
        return self._by_group([values])[0] if self._sides.merge.by else self._add(Total(), values)

    def _by_group(self, columns: Sequence[Value]) -> list[Value]:
        """Of each column (rows,) the sums (groups,)."""
        found = self._picked(self._add(GroupTable(max(self._places) + 1), self._numbers, *columns))
        groups = found.type.shape[1]
        rows = (self._add(Slice(((row, row + 1, 1), (0, groups, 1))), found) for row in range(len(columns)))
        return [self._add(Reshape((groups,)), row) for row in rows]

    @cached_property
    def _places(self) -> list[int]:
        """By group the number of its rows."""
        size = self._sides.count_of(right=True) + 1
        return [left * size + right if self._sides.cells_of(right=True) else left for left, right in self._slots]

    def _picked(self, table: Value) -> Value:
        """Of a table (rows, numbers) the columns of groups, in their order."""
        return self._add(Take(1, tuple(self._places)), table)

    @cached_property
    def _slots(self) -> list[tuple[int, int]]:
        return self._sides.cells()

    # --- extremes

    def _extreme(self, right: bool, own: PartialAggregate) -> Value:
        """The order key (2, groups) of the largest value of all rows, or of each group; of negated values for a least
        one.
        """
        found = []
        for term in self._sides.terms:
            table = self._slice_of(Aggregated(right, term.right if right else term.left, own))
            met = self._weight(term.right)
            met = self._reached(met) if self._many else met
            least = own.kind == "min" and not (right and self._many)  # else they are negated already
            found.append(self._candidates(met, table, term.left, least=least))
        if not right:
            for where in self._sides.alone:
                table = self._slice_of(Aggregated(False, where, own))
                found.append(self._candidates(self._not(self._met), table, where, least=own.kind == "min"))
        row = found[0] if len(found) == 1 else self._add(Concatenate(axis=1), *found)
        if not self._sides.merge.by:
            return largest_key(self._builder, [row], places=1)
        numbers = self._numbers if len(found) == 1 else self._add(Concatenate(), *(self._numbers,) * len(found))
        return self._picked(largest_by_number(self._builder, numbers, row, max(self._places) + 1))

    def _candidates(self, bits: Value, table: Value, where: Of | None, *, least: bool) -> Value:
        """Keys (2, rows), beyond all where a bit is not set, or there is no left row where a condition is true."""
        counts = self._flat(self._slice_of(Aggregated(False, where, ALL_ROWS)))
        there = self._both(bits, self._add(AtLeast(1, counts.type.width + 1), counts))
        keys = self._beyond(there, self._add(Scale(-1), table) if least else table)
        return self._add(AssumeWidth(34), self._add(Permute((1, 0)), keys))
