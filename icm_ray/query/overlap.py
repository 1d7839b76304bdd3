"""Two answers over almost the same rows tell the difference: a row set is held against those that were asked before.

|A xor B| = |A| + |B| - 2 |A and B|: three numbers of rows, which owners count and nobody sees. On shares d is held
against 0 < d < k, and the rest N - d too, for the complement of one may be almost the other. One bit is opened for all
comparisons of a dataset, and what is revealed is multiplied by it. Only what is shown can be subtracted: sets of fewer
than k rows are none of it.

How many values a column has that may lack some tells which rows these are: filters that read the column are held
against them.

Histograms of one column are compared by their cells: what lies between edges of the one and of the other. Others, and
filters and groups, are compared with what lies below each edge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Final

from icm_ray.errors import PolicyError, ProgramError
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import (
    Add,
    AssumeWidth,
    Concatenate,
    Expand,
    Permute,
    Reshape,
    Scale,
    Slice,
    Subtract,
)
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.ops.values import Kind
from icm_ray.policy import Policy
from icm_ray.program.build import Builder, Value
from icm_ray.query.entities import behind
from icm_ray.query.entity_units import least
from icm_ray.query.expressions.tree import EVERY_ROW, Of, apply, columns_of, conjunction, literal
from icm_ray.query.opened import Known
from icm_ray.query.partials import PartialAggregate, PartialOf, Taken, shared
from icm_ray.query.question import Asked, DatasetFacts
from icm_ray.query.row_set import RowSet
from icm_ray.query.row_set_cells import (
    binned,
    cell_conditions,
    conditions_of,
    groups_of,
    key_names,
    margins,
    plain,
    private_keys,
    where_true,
)
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.small_cells import beside, expanded, few, reaches, times
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.histogram import CountsOfColumn
from icm_ray.query.tasks import GroupKey
from icm_ray.query.told_rows import asked_of_facts, earlier
from icm_ray.query.unions import left_of_bins, left_of_cells, running_sums

__all__ = ["APART", "Overlap", "kept_apart", "overlaps"]

APART: Final = "apart"
"""The word under which the bit is revealed."""
_MOST_CELLS: Final = 1 << 12
_MOST_CELLS_BELOW: Final = 1 << 16
_MOST_CHOSEN: Final = 1 << 10
_MOST_PLACES: Final = 1 << 18


Found = Mapping[PartialOf, Taken]
Bad = Callable[[Builder, Found], Value]


@dataclass(slots=True)
class Overlap:
    """The comparisons of a dataset's row sets. rows: by name, what their parts are of."""

    facts: DatasetFacts
    k: int
    rows: dict[str, SelectedRows] = field(default_factory=dict)
    parts: dict[PartialOf, None] = field(default_factory=dict)
    bad: list[Bad] = field(default_factory=list)

    @property
    def policy(self) -> Policy:
        """Of the dataset."""
        if self.facts.policy is None:
            raise ProgramError("without a policy no row sets are held against one another")
        return self.facts.policy

    def apart(self, builder: Builder, found: Found) -> Value:
        """1 where no two row sets are too close, else 0: shape (1,)."""
        bits = [bad(builder, found) for bad in self.bad]
        flat = [bit if len(bit.type.shape) == 1 else builder.add(Reshape((bit.type.count,)), bit) for bit in bits]
        close = builder.add(Total(), flat[0] if len(flat) == 1 else builder.add(Concatenate(), *flat))
        none = builder.add(AtLeast(0, close.type.width + 1), builder.add(Scale(-1), close))
        return builder.add(AssumeWidth(2), none)

    def compare(self, a: RowSet, b: RowSet) -> None:
        """Hold two row sets against one another, and the totals that a table of several keys has over some of them,
        whether or not a group that is withheld keeps these from being told: of two tables others tell them.

        Errors: `PolicyError` where that cannot be done on shares.
        """
        self._compare(a, b)
        for one, other in ((a, b), (b, a)):
            for margin in margins(one, other):
                self._compare(margin, other)

    def _compare(self, a: RowSet, b: RowSet) -> None:
        if a.of_values or b.of_values:
            self._with_values(*((a, b) if a.of_values else (b, a)))
            return
        if a.merge or b.merge:
            self._merges(a, b)
            return
        if a.space != b.space:
            reason = (
                "rows that were chosen or computed before they were shared are not held against others; do that after"
            )
            raise PolicyError(f"{a.in_words()}: {reason} .share()", dataset=self.facts.source)
        if a.private and b.private and (a.where, a.private) != (b.where, b.private):
            same = "the same" if key_names(a) & key_names(b) else "other"
            rows = " of other rows" if a.where != b.where else ""
            reason = f"{a.in_words()}: {same} private groups{rows} were asked for; state domain= for both"
            raise PolicyError(reason, dataset=self.facts.source)
        if bool(a.private) != bool(b.private):
            self._with_groups(*((a, b) if a.private else (b, a)))
        plain_a, plain_b = plain(a), plain(b)
        if plain_a is not None and plain_b is not None and plain_a != plain_b:
            self._of_sets(plain_a, plain_b)
        binned_a, binned_b = binned(a), binned(b)
        if binned_a is not None and binned_b is not None and (a.where, binned_a.of) == (b.where, binned_b.of):
            self._of_bins(a.where, binned_a, binned_b)
        elif a.edges or b.edges:
            bins, other = (a, b) if a.edges else (b, a)
            if other.edges or other.by or bins.where != other.where:
                self._of_prefixes(bins, other)

    def _with_values(self, values: RowSet, other: RowSet) -> None:
        """Hold the rows that have a value of a column against those that a condition on it chooses."""
        if values.where is not None or values.by or other.of_values or other.merge or values.space != other.space:
            return  # rows that are chosen are a row set by themselves
        there = apply("not", (apply("is_null", (values.of or "",)),))
        computed = [key.of for key in other.by if not isinstance(key.of, str)]
        reads = [of for of in (other.where, *computed) if of is not None and values.of in columns_of(of)]
        if reads and other.where not in {there, apply("is_null", (values.of or "",))}:
            self._of_sets(RowSet(there), RowSet(other.where, other.by if computed else ()))
        if any(not isinstance(key.of, str) and values.of in columns_of(key.of) for key in other.private):
            self._with_groups(other, RowSet(there))

    def _with_groups(self, groups: RowSet, other: RowSet) -> None:
        """Hold groups of private keys, one by one and what several make up, against a filter, groups of stated values
        or bins, and against what lies below each edge of these.
        """
        conditions = list(cell_conditions(other))
        if other.where is None and conditions == [None]:
            return  # all rows, which the groups themselves are held against
        rows = SelectedRows(Selection(self.facts.name, groups.where, (), private_keys(groups)), self.facts)
        if rows.groups * len(conditions) > _MOST_PLACES:
            reason = f"{groups.in_words()} and {other.in_words()} are too many groups to be held against one another"
            raise PolicyError(f"{reason}: state domain= for both, or fewer max_groups=", dataset=self.facts.source)
        sizes = self._of_groups(rows, EVERY_ROW)
        inside = [self._of_groups(rows, where_true(conjunction(other.where, condition))) for condition in conditions]
        bins = other.of if other.edges else None
        alone = self._count(other.where, other.by) if bins is None else self._bins(other.where, bins, other.edges)
        everybody, shape = self._rows_of(other.where), (len(conditions), rows.groups)

        def bad(builder: Builder, found: Found) -> Value:
            add = builder.add
            ours, theirs = shared(found[sizes]), shared(found[alone])
            rows_of_both = [add(Reshape((1, rows.groups)), shared(found[part])) for part in inside]
            both = rows_of_both[0] if len(rows_of_both) == 1 else add(Concatenate(), *rows_of_both)
            total = self._total(found)
            close = [left_of_cells(builder, self.policy, total, theirs, ours, both)]
            if len(conditions) > 1:
                turned = add(Permute((1, 0)), both)
                close.append(left_of_cells(builder, self.policy, total, ours, theirs, turned))
            if bins is None:
                enough = reaches(builder, theirs, self.k)
            else:
                theirs, both = running_sums(builder, theirs), running_sums(builder, both, 0)
                enough = _inside(builder, theirs, everybody(found), self.k)
            shown = add(Expand(shape), add(Reshape((1, rows.groups)), reaches(builder, ours, self.k)))
            enough = add(Expand(shape), add(Reshape((shape[0], 1)), enough))
            ours = add(Expand(shape), add(Reshape((1, rows.groups)), ours))
            theirs = add(Expand(shape), add(Reshape((shape[0], 1)), theirs))
            there = add(Product(Elementwise()), shown, enough)
            close.append(add(Product(Elementwise()), there, self._near(builder, found, ours, theirs, both)))
            return add(Concatenate(), *(add(Reshape((bits.type.count,)), bits) for bits in close))

        self.bad.append(bad)

    def _of_groups(self, rows: SelectedRows, of: Of) -> PartialOf:
        """How many values each group of private keys has of a column, zero of those that are not shown."""
        self.rows.setdefault(rows.name, rows)
        part = PartialOf(rows.name, ValuesOfColumn(of))
        self.parts[part] = None
        return part

    def _merges(self, a: RowSet, b: RowSet) -> None:
        """Refuse a second one, and a second grouping of one, for their groups are not counted together; beside other
        rows a policy that names merges allows them (docs/policy.md).
        """
        if a.merge and b.merge and (a.merge != b.merge or (a.by and b.by and a.by != b.by)):
            told = f"{a.in_words()} and {b.in_words()} cannot be held against one another"
            raise PolicyError(
                f"{told}: one merge of a frame, and one grouping of it, is answered", dataset=self.facts.source
            )

    def _of_sets(self, a: RowSet, b: RowSet) -> None:
        both = conjunction(a.where, b.where)
        keys = a.by if a.by == b.by else (*a.by, *b.by)
        here, there = self._count(a.where, a.by), self._count(b.where, b.by)
        joint = self._count(both, keys)
        shape = (1,) if not keys else (-1,) if a.by == b.by else (groups_of(a), groups_of(b))
        if groups_of(a) * groups_of(b) > _MOST_CELLS and a.by != b.by:
            raise PolicyError(
                f"{a.in_words()} and {b.in_words()} have too many groups to be held against one another",
                dataset=self.facts.source,
            )

        def bad(builder: Builder, found: Found) -> Value:
            ours, theirs, in_both = shared(found[here]), shared(found[there]), shared(found[joint])
            if len(shape) == 2:
                ours = builder.add(Reshape((shape[0], 1)), ours)
                theirs = builder.add(Reshape((1, shape[1])), theirs)
                in_both = builder.add(Reshape(shape), in_both)
            return self._close(builder, found, ours, theirs, in_both)

        self.bad.append(bad)
        if a.by == b.by:
            return

        def left(builder: Builder, found: Found, one: PartialOf, other: PartialOf, *, turned: bool) -> Value:
            ones, cells = shared(found[one]), shared(found[other])
            in_both = builder.add(Reshape(shape), shared(found[joint]))
            in_both = builder.add(Permute((1, 0)), in_both) if turned else in_both
            return left_of_cells(builder, self.policy, self._total(found), ones, cells, in_both)

        if groups_of(b) > 1:
            self.bad.append(partial(left, one=here, other=there, turned=False))
        if groups_of(a) > 1:
            self.bad.append(partial(left, one=there, other=here, turned=True))

    def _of_bins(self, where: Of | None, a: GroupKey, b: GroupKey) -> None:
        edges = tuple(sorted({*a.edges, *b.edges}))
        mixed = [
            place
            for place, pair in enumerate(pairwise(edges))
            if not set(pair) <= set(a.edges) and not set(pair) <= set(b.edges)
        ]
        ours, theirs = (self._bins(where, a.of, bins.edges) for bins in (a, b))

        def left(builder: Builder, found: Found, one: GroupKey, other: GroupKey) -> Value:
            parts = [(bins.edges, shared(found[ours if bins is a else theirs])) for bins in (one, other)]
            return left_of_bins(builder, self.policy, self._total(found), parts[0], parts[1])

        self.bad += [partial(left, one=a, other=b), partial(left, one=b, other=a)]
        if not mixed:
            return
        part = self._bins(where, a.of, edges)

        def bad(builder: Builder, found: Found) -> Value:
            counts = shared(found[part])
            cells = [builder.add(Slice(((place, place + 1, 1),)), counts) for place in mixed]
            return few(builder, _concatenated(builder, cells), self.k)

        self.bad.append(bad)

    def _of_prefixes(self, bins: RowSet, other: RowSet) -> None:
        """What lies below each edge of a histogram, held against a filter, groups, or what lies below another's edges;
        only where neither leaves few of its rows out: such a cell is withheld anyway.
        """
        if bins.of is None:
            return
        below = self._bins(bins.where, bins.of, bins.edges)
        rows, others = self._rows_of(bins.where), self._rows_of(other.where)
        there, joint = self._joint(bins, other)

        def bad(builder: Builder, found: Found) -> Value:
            add = builder.add
            one = running_sums(builder, shared(found[below]))
            apart = _inside(builder, one, rows(found), self.k)
            size = one.type.count
            alone = there(builder, found)
            inside = _inside(builder, alone, others(found), self.k) if other.edges else reaches(builder, alone, self.k)
            both, shape = joint(builder, found), (size, alone.type.count)
            tall = [add(Reshape((size, 1)), value) for value in (one, apart)]
            wide = [add(Reshape((1, alone.type.count)), value) for value in (alone, inside)]
            one, apart, alone, inside = (add(Expand(shape), value) for value in (*tall, *wide))
            close = self._near(builder, found, one, alone, both)
            return add(Product(Elementwise()), add(Product(Elementwise()), apart, inside), close)

        self.bad.append(bad)
        if other.edges or other.by:
            return
        cells = self._bins(conjunction(bins.where, other.where), bins.of, bins.edges)
        chosen = self._count(other.where, ())

        def left(builder: Builder, found: Found) -> Value:
            counts = shared(found[below])
            in_both = builder.add(Reshape((1, counts.type.count)), shared(found[cells]))
            return left_of_cells(builder, self.policy, self._total(found), shared(found[chosen]), counts, in_both)

        self.bad.append(left)

    def _joint(self, bins: RowSet, other: RowSet) -> tuple[Bad, Bad]:
        """How many rows another row set has, of each group or below each edge (cells,), and how many of these are below
        each edge of a histogram (edges, cells).
        """
        where, of = conjunction(bins.where, other.where), bins.of or ""
        own = (GroupKey(bins.of or "", edges=bins.edges),)
        keys = (*other.by, *((GroupKey(other.of, edges=other.edges),) if other.of is not None and other.edges else ()))
        cells = math.prod(key.size for key in keys)
        if cells * (len(bins.edges) - 1) > (_MOST_CHOSEN if self.facts.shared else _MOST_CELLS_BELOW):
            raise PolicyError(
                f"{bins.in_words()} and {other.in_words()} have too many bins or groups to be held against one another",
                dataset=self.facts.source,
            )
        if not self.facts.shared:
            alone, both = self._count(other.where, keys), self._count(where, (*own, *keys))

            def there(builder: Builder, found: Found) -> Value:
                counts = shared(found[alone])
                return running_sums(builder, counts) if other.edges else counts

            def joint(builder: Builder, found: Found) -> Value:
                shape = (len(bins.edges) - 1, cells)
                counts = running_sums(builder, builder.add(Reshape(shape), shared(found[both])), 0)
                return running_sums(builder, counts, 1) if other.edges else counts

            return there, joint
        chosen = [conjunction(other.where, condition) for condition in conditions_of(other)]
        numbers = [self._count(condition, ()) for condition in chosen]
        counted = [self._bins(conjunction(bins.where, condition), of, bins.edges) for condition in chosen]

        def each(builder: Builder, found: Found) -> Value:
            return _concatenated(builder, [shared(found[part]) for part in numbers])

        def below(builder: Builder, found: Found) -> Value:
            summed = [running_sums(builder, shared(found[part])) for part in counted]
            columns = [builder.add(Reshape((counts.type.count, 1)), counts) for counts in summed]
            return columns[0] if len(columns) == 1 else builder.add(Concatenate(axis=1), *columns)

        return each, below

    def _rows_of(self, where: Of | None) -> Callable[[Found], Taken]:
        """How many rows there are, from what is found."""
        if where is None:
            return self._total
        part = self._count(where, ())
        return lambda found: found[part]

    def _close(self, builder: Builder, found: Found, a: Value, b: Value, both: Value) -> Value:
        """Where both have k rows or more, and 1 to k - 1 are in one alone, or in neither or both."""
        there = builder.add(Product(Elementwise()), reaches(builder, a, self.k), reaches(builder, b, self.k))
        a, b = expanded(builder, a, both), expanded(builder, b, both)
        return builder.add(Product(Elementwise()), there, self._near(builder, found, a, b, both))

    def _near(self, builder: Builder, found: Found, a: Value, b: Value, both: Value) -> Value:
        """Where 1 to k - 1 are in one alone, or in neither or both."""
        apart = builder.add(Subtract(), builder.add(Add(), a, b), builder.add(Scale(2), both))
        rest = self._others(builder, found, apart)
        return builder.add(Add(), few(builder, apart, self.k), few(builder, rest, self.k))

    def _others(self, builder: Builder, found: Found, counts: Value) -> Value:
        """How many others there are of all; counts: of any shape."""
        total = self._total(found)
        if isinstance(total, Known) or len(counts.type.shape) == 1:
            return beside(builder, counts, total)
        flat = builder.add(Reshape((counts.type.count,)), counts)
        return builder.add(Reshape(counts.type.shape), beside(builder, flat, total))

    def _total(self, found: Found) -> Taken:
        """How many there are in all: rows, which is public, or what these weigh."""
        if not self.policy.entity:
            return Known(self.facts.count)
        return found[PartialOf(self.facts.name, self._everybody)]

    @property
    def _everybody(self) -> PartialAggregate:
        return behind(self.policy, literal(value=True))

    def _bins(self, where: Of | None, of: Of, edges: tuple[int | float, ...]) -> PartialOf:
        if self.policy.entity:
            return self._part(where, (), behind(self.policy, literal(value=True), (GroupKey(of, edges=edges),)))
        return self._part(where, (), CountsOfColumn(of, edges))

    def _count(self, where: Of | None, by: tuple[GroupKey, ...]) -> PartialOf:
        return self._part(where, by, self._everybody)

    def _part(self, where: Of | None, by: tuple[GroupKey, ...], partial: PartialAggregate) -> PartialOf:
        if self.policy.entity:
            self.parts[PartialOf(self.facts.name, self._everybody)] = None
        if where is None and not by:
            part = PartialOf(self.facts.name, partial)
        else:
            selection = Selection(self.facts.name, where, by)
            self.rows.setdefault(selection.name, SelectedRows(selection, self.facts))
            part = PartialOf(selection.name, partial)
        self.parts[part] = None
        return part


def overlaps(asked: Asked) -> dict[str, Overlap]:
    """By name of the facts, what a question's row sets are held against: each against all before it."""
    made: dict[str, Overlap] = {}
    orders: dict[str, list[RowSet]] = {}
    for facts in asked.facts:
        if facts.policy is None:
            continue
        overlap = Overlap(facts, least(facts.policy, facts.policy.min_rows))
        order = orders.setdefault(facts.source, list(earlier(asked, facts.source)))
        for own in asked_of_facts(asked, facts):
            for other in order[: order.index(own)] if own in order else order:
                overlap.compare(own, other)
            if own not in order:
                order.append(own)
        if overlap.bad:
            made[facts.name] = overlap
    return made


def kept_apart(builder: Builder, apart: Value, values: Mapping[str, Taken]) -> Mapping[str, Taken]:
    """The values where no two row sets are too close, else zeros, and the bit that says so."""
    kept: dict[str, Taken] = {APART: apart}
    for word, value in values.items():
        if isinstance(value, Known):
            kept[word] = value
        elif value.type.kind is Kind.WIDE:
            kept[word] = times(builder, expanded(builder, apart, value), value)
        else:
            kept[word] = builder.add(Product(Elementwise()), apart, value)
    return kept


def _concatenated(builder: Builder, values: Sequence[Value]) -> Value:
    return values[0] if len(values) == 1 else builder.add(Concatenate(), *values)


def _inside(builder: Builder, counts: Value, total: Taken, k: int) -> Value:
    """Bits: k or more, and k or more of the others."""
    left = beside(builder, counts, total)
    return builder.add(Product(Elementwise()), reaches(builder, counts, k), reaches(builder, left, k))
