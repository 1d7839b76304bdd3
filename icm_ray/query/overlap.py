"""Two answers over almost the same rows tell the difference: a row set is held against those that were asked before.

|A xor B| = |A| + |B| - 2 |A and B|: three numbers of rows, which owners count and nobody sees. On shares d is held
against 0 < d < k, and the rest N - d too, for the complement of one may be almost the other. One bit is opened for all
comparisons of a dataset, and what is revealed is multiplied by it. Only what is shown can be subtracted: sets of fewer
than k rows are none of it.

Histograms of one column are compared by their cells: what lies between edges of the one and of the other. A filter is
compared with what lies below each edge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from icm_ray.errors import PolicyError
from icm_ray.ops.compare import AtLeast
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import Add, AddPublic, AssumeWidth, Concatenate, Pad, Reshape, Scale, Slice, Subtract
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.ops.values import Kind
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Of, apply, literal
from icm_ray.query.opened import Known
from icm_ray.query.partials import PartialOf, Taken, shared
from icm_ray.query.question import Asked, DatasetFacts, Question
from icm_ray.query.row_set import RowSet
from icm_ray.query.rows import Rows
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.small_cells import expanded, few, reaches, times
from icm_ray.query.statistics.catalogue import Statistic
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.histogram import CountsOfColumn, Histogram
from icm_ray.query.tasks import GroupKey

__all__ = ["APART", "Overlap", "asked_of", "check_overlap", "earlier", "kept_apart", "overlaps", "row_set"]

APART: Final = "apart"
"""The word under which the bit is revealed."""
_MOST_CELLS: Final = 1 << 12
_EVERY_ROW: Final = ValuesOfColumn(literal(value=True))


def row_set(statistic: Statistic, rows: Rows) -> RowSet | None:
    """Which rows a statistic tells of; None: all of the dataset."""
    private = () if rows.private is None else rows.private.keys
    if isinstance(statistic, Histogram):
        return RowSet(rows.where, rows.by, statistic.column, statistic.edges, private)
    return None if rows.where is None and not rows.groups else RowSet(rows.where, rows.by, private=private)


def asked_of(asked: Asked, source: str) -> tuple[RowSet, ...]:
    """The row sets that a question asks of a dataset, of its rows or of shares of them, once each, in their order."""
    found = (told for facts in asked.facts if facts.source == source for told in _of_facts(asked, facts))
    return tuple(dict.fromkeys(found))


def _of_facts(asked: Asked, facts: DatasetFacts) -> tuple[RowSet, ...]:
    if not isinstance(asked.what, Question):
        return ()
    names = {facts.name, *(chosen.name for chosen in asked.what.selections if chosen.dataset == facts.name)}
    mine = (statistic for statistic in asked.what.statistics if statistic.dataset in names)
    found = (row_set(statistic, asked.rows(statistic.dataset)) for statistic in mine)
    return tuple(dict.fromkeys(told for told in found if told is not None))


def earlier(asked: Asked, source: str) -> tuple[RowSet, ...]:
    """What the question says was asked of a dataset before."""
    if not isinstance(asked.what, Question):
        return ()
    return next((stated.sets for stated in asked.what.earlier if stated.dataset == source), ())


def check_overlap(asked: Asked) -> None:
    """Raise `PolicyError` where more row sets are asked for than a policy allows."""
    for facts in asked.facts:
        if facts.policy is None or not (own := asked_of(asked, facts.source)):
            continue
        together = len(dict.fromkeys((*earlier(asked, facts.source), *own)))
        if together > facts.policy.row_sets:
            reason = (
                f"{together} different filters, groupings and histograms of {facts.source}, the policy allows "
                f"{facts.policy.row_sets}; what was answered before can be asked again"
            )
            raise PolicyError(reason, dataset=facts.source)


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

    def apart(self, builder: Builder, found: Found) -> Value:
        """1 where no two row sets are too close, else 0: shape (1,)."""
        bits = [bad(builder, found) for bad in self.bad]
        flat = [bit if len(bit.type.shape) == 1 else builder.add(Reshape((bit.type.count,)), bit) for bit in bits]
        close = builder.add(Total(), flat[0] if len(flat) == 1 else builder.add(Concatenate(), *flat))
        none = builder.add(AtLeast(0, close.type.width + 1), builder.add(Scale(-1), close))
        return builder.add(AssumeWidth(2), none)

    def compare(self, a: RowSet, b: RowSet) -> None:
        """Hold two row sets against one another. Errors: `PolicyError` where that cannot be done on shares."""
        if a.where != b.where and {key.of for key in a.private} & {key.of for key in b.private}:
            reason = f"{a.in_words()}: the same private groups of other rows were asked for; state domain= for both"
            raise PolicyError(reason, dataset=self.facts.source)
        plain_a, plain_b = _plain(a), _plain(b)
        if plain_a is not None and plain_b is not None and plain_a != plain_b:
            self._of_sets(plain_a, plain_b)
        if a.edges and b.edges:
            if (a.where, a.by, a.of) == (b.where, b.by, b.of):
                self._of_bins(a, b)
        elif (a.edges or b.edges) and a.where != b.where:
            bins, one = (a, b) if a.edges else (b, a)
            if not one.by and not bins.by:
                self._of_prefixes(bins, one)

    def _of_sets(self, a: RowSet, b: RowSet) -> None:
        both = _and(a.where, b.where)
        keys = a.by if a.by == b.by else (*a.by, *b.by)
        here, there = self._count(a.where, a.by), self._count(b.where, b.by)
        joint = self._count(both, keys)
        shape = (1,) if not keys else (-1,) if a.by == b.by else (_cells(a), _cells(b))
        if _cells(a) * _cells(b) > _MOST_CELLS and a.by != b.by:
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
            return self._close(builder, ours, theirs, in_both)

        self.bad.append(bad)

    def _of_bins(self, a: RowSet, b: RowSet) -> None:
        edges = tuple(sorted({*a.edges, *b.edges}))
        mixed = [
            place
            for place, pair in enumerate(pairwise(edges))
            if not set(pair) <= set(a.edges) and not set(pair) <= set(b.edges)
        ]
        if not mixed or a.of is None:
            return
        part = self._part(a.where, (), CountsOfColumn(a.of, edges))

        def bad(builder: Builder, found: Found) -> Value:
            counts = shared(found[part])
            cells = [builder.add(Slice(((place, place + 1, 1),)), counts) for place in mixed]
            return few(builder, cells[0] if len(cells) == 1 else builder.add(Concatenate(), *cells), self.k)

        self.bad.append(bad)

    def _of_prefixes(self, bins: RowSet, one: RowSet) -> None:
        if bins.of is None:
            return
        counts = CountsOfColumn(bins.of, bins.edges)
        whole, chosen = (
            self._part(bins.where, (), counts),
            self._part(_and(bins.where, one.where), (), counts),
        )
        alone = self._count(one.where, ())

        def bad(builder: Builder, found: Found) -> Value:
            below, both = (_summed(builder, shared(found[part])) for part in (whole, chosen))
            return self._close(builder, expanded(builder, shared(found[alone]), below), below, both)

        self.bad.append(bad)

    def _close(self, builder: Builder, a: Value, b: Value, both: Value) -> Value:
        """Where both have k rows or more, and 1 to k - 1 are in one alone, or in neither or both."""
        there = builder.add(Product(Elementwise()), reaches(builder, a, self.k), reaches(builder, b, self.k))
        a, b = expanded(builder, a, both), expanded(builder, b, both)
        apart = builder.add(Subtract(), builder.add(Add(), a, b), builder.add(Scale(2), both))
        rest = builder.add(AddPublic(self.facts.count), builder.add(Scale(-1), apart))
        close = builder.add(Add(), few(builder, apart, self.k), few(builder, rest, self.k))
        return builder.add(Product(Elementwise()), there, close)

    def _count(self, where: Of | None, by: tuple[GroupKey, ...]) -> PartialOf:
        return self._part(where, by, _EVERY_ROW)

    def _part(self, where: Of | None, by: tuple[GroupKey, ...], partial: ValuesOfColumn | CountsOfColumn) -> PartialOf:
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
        overlap = Overlap(facts, facts.policy.min_rows)
        order = orders.setdefault(facts.source, list(earlier(asked, facts.source)))
        for own in _of_facts(asked, facts):
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


def _plain(told: RowSet) -> RowSet | None:
    """Without its bins; None: all rows."""
    return None if told.where is None and not told.by else RowSet(told.where, told.by)


def _and(a: Of | None, b: Of | None) -> Of | None:
    if a is None or b is None or a == b:
        return b if a is None else a
    return apply("and", (a, b))


def _cells(told: RowSet) -> int:
    count = 1
    for key in told.by:
        count *= key.size
    return count


def _summed(builder: Builder, counts: Value) -> Value:
    """Cumulative sums of a value (n,), by doubling."""
    size, step = counts.type.count, 1
    while step < size:
        moved = builder.add(Pad(((step, 0),)), builder.add(Slice(((0, size - step, 1),)), counts))
        counts = builder.add(Add(), counts, moved)
        step *= 2
    return counts
