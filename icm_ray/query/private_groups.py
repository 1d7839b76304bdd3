"""Groups of private keys: what owners aggregated by key, merged on shares, and nobody sees which keys met.

Each owner aggregates its own groups in the clear and shares a table of a public number of rows, padded (`GroupRows`).
The tables, one after the other, are sorted by key; then, with new_i = [key_i > key_(i-1)] and same_i = 1 - new_i,
    v_i <- v_i + same_i v_(i-s), same_i <- same_i same_(i-s),    s = 1, 2, 4 .. below the number of tables,
which adds up each key's rows, for an owner has a key once in a table: the last row of a key has its sums. A largest
value is merged likewise. last_i = new_(i+1); the numbers of rows become last_i n_i, so that one row of each key counts
any. The rows are shuffled, b_i = [n_i >= k], and every row is multiplied by b_i: k is 1, or what the policy asks for;
where it does, the least group is left out too if the others leave a few of all rows, or one group alone.
What statistics make of the rows and what is opened of these is in random order, zeros where b is 0.

Seen by anybody: sizes, the order of elements that were shuffled in a sort (`protocols.sorting`), and what is opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from icm_ray.errors import ColumnError, ProgramError
from icm_ray.ops.linear import (
    AssumeWidth,
    Concatenate,
    Pad,
    Reshape,
    ScaleLast,
    Slice,
)
from icm_ray.ops.sorting import Shuffle
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.complements import with_second
from icm_ray.query.contributions import WORDS
from icm_ray.query.expressions.tree import EVERY_ROW, Of
from icm_ray.query.expressions.typing import resolved
from icm_ray.query.keyed_tables import KeyedTables
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.opened import Known
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.partials import Join, PartialAggregate, typed_sum
from icm_ray.query.private_keys import LIMB, STEP, PrivateKeys, key_widths, ring_limbs, word_of_no_key, word_widths
from icm_ray.query.rows import Rows, column_of
from icm_ray.query.small_cells import reaches, shown
from icm_ray.query.statistics.count import ValuesOfColumn
from icm_ray.query.statistics.group_keys import SHOWN, WordOfGroup
from icm_ray.query.tasks import Aggregate, ColumnInfo, GroupRows, PrivateKey

__all__ = ["KeyedGroups", "brought", "check_keys", "keyed_groups", "merged", "places", "table_widths", "tables"]

_ALL_ROWS = ValuesOfColumn(EVERY_ROW)
_LARGEST = ("min", "max")
_APART = "contributions"
"""What is not added up over tables: each has columns of its own for it, and zeros in those of others."""


def check_keys(private: PrivateKeys, base: Rows) -> None:
    """Raise `ColumnError` for keys that rows are not grouped by, or of another kind than these rows have."""
    for key in private.keys:
        info = column_of(base, key.of)
        if info.kind not in {"int", "bool", "string"}:
            raise ColumnError(f"{info.name}: rows are grouped by text, whole numbers and booleans, not by {info.kind}")
        if info.kind != key.kind:
            raise ColumnError(f"{info.name}: it is {info.kind}, and not {key.kind}", column=info.name)


@dataclass(frozen=True, slots=True)
class KeyedGroups(PartialAggregate):
    """The rows (groups, words) of some tables: the words of keys, then of the numbers of rows and of the partials.

    column: the first key. partials: that statistics take, in their order, without repetitions.
    """

    words: ClassVar[str] = "groups"
    rule: ClassVar[Join] = Join.ROWS

    partials: tuple[PartialAggregate, ...]

    @property
    def kind(self) -> str:
        return "groups"

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        raise ProgramError("the type of groups follows from their keys")

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("groups are of rows that are grouped")

    @property
    def aggregates(self) -> tuple[PartialAggregate, ...]:
        """What owners aggregate: the numbers of rows, then what is added up, then what each brings for itself, then
        what is the largest.
        """
        asked = [part for part in self.partials if not isinstance(part, WordOfGroup)]
        apart = [part for part in asked if part.kind == _APART]
        extremes = [part for part in asked if part.kind in _LARGEST]
        added = [part for part in asked if part not in apart and part not in extremes]
        return tuple(dict.fromkeys((_ALL_ROWS, *added, *apart, *extremes)))


def keyed_groups(rows: Rows, partials: Iterable[PartialAggregate]) -> KeyedGroups:
    """What owners bring for these partials of rows in groups of private keys."""
    if rows.private is None:
        raise ProgramError("groups of rows that are not grouped by private keys")
    return KeyedGroups(rows.private.keys[0].of, tuple(dict.fromkeys(partials)))


def tables(base: OwnerRows, most: int) -> Iterator[tuple[str, int, tuple[int, ...], int]]:
    """Of each table of groups: the owner's table, the lane, the partitions that it is of, its rows."""
    for table in base.tables:
        for lane in sorted(set(table.lanes)):
            if parts := table.parts_in(lane):
                yield table.name, lane, parts, min(sum(table.rows[part] for part in parts), most)


def places(base: OwnerRows, private: PrivateKeys) -> int:
    """The rows of all tables of groups."""
    return sum(rows for *_, rows in tables(base, private.most))


def brought(
    build: LaneBuild, base: OwnerRows, where: Of | None, private: PrivateKeys, table: KeyedGroups, limb: int = LIMB
) -> list[Value]:
    """What the owners whose rows are in a lane share: their tables."""

    def read(of: Of) -> Of:
        return resolved(of, lambda name: column_of(base, name))

    keys = tuple(PrivateKey(read(key.of), key.kind, key.size) for key in private.keys)
    widths = table_widths(private, table, base, limb)
    infos = [(part, column_of(base, part.column)) for part in table.aggregates]
    owners = {held.name: held.owner for held in base.tables}
    values = []
    sizes = list(tables(base, private.most))
    for number, (name, lane, parts, rows) in enumerate(sizes):
        if lane != build.lane:
            continue
        aggregates = tuple(
            Aggregate(name, read(part.column), parts, part.kind, (), info.kind, nullable=info.nullable)
            for part, info in infos
        )
        task = GroupRows(name, parts, keys, rows, aggregates, None if where is None else read(where), limb)
        kind = ValueType(shape=(rows, len(widths)), width=max(widths))
        labels = base.behind(name, parts)
        value = build.bring(owners[name], f"groups by {column_of(base, table.column).name}", task, kind, labels)
        values.append(_beside(build.builder, value, table, number, len(sizes), len(widths)))
    return values


def _beside(builder: Builder, value: Value, table: KeyedGroups, number: int, count: int, words: int) -> Value:
    """A table's words with zeros for what other tables bring for themselves."""
    apart = sum(part.kind == _APART for part in table.aggregates)
    if not apart or count == 1:
        return value
    rows = value.type.shape[0]

    def columns(start: int, stop: int) -> Value:
        return builder.add(Slice(((0, rows, 1), (start, stop, 1))), value)

    last = words - 2 * sum(part.kind in _LARGEST for part in table.aggregates)
    first = last - apart * WORDS
    zeros = ((0, 0), (number * WORDS, (count - 1 - number) * WORDS))
    padded = [builder.add(Pad(zeros), columns(start, start + WORDS)) for start in range(first, last, WORDS)]
    rest = [columns(last, words)] if last < words else []
    return builder.add(Concatenate(axis=1), columns(0, first), *padded, *rest)


def _floats(part: PartialAggregate, rows: Rows) -> bool:
    return column_of(rows, part.column).kind == "float"


def _key_words(private: PrivateKeys, rows: Rows) -> list[int]:
    """The widths of the words of keys; shared rows have one word for all."""
    if rows.shared:
        return [word_of_no_key(private.keys).bit_length() + 1]
    return [width for key in private.keys for width in key_widths(key)]


def _words(part: PartialAggregate, rows: Rows, limb: int = LIMB) -> tuple[int, ...]:
    if rows.shared:
        return tuple(kind.width for kind in part.sum_types(rows, rows.count))
    return word_widths(part.kind, floats=_floats(part, rows), limb=limb)


def table_widths(private: PrivateKeys, table: KeyedGroups, rows: Rows, limb: int = LIMB, count: int = 1) -> list[int]:
    """Of each word of a row. count: of the tables that each have words for themselves; 1: as an owner brings it."""
    found = _key_words(private, rows)
    for part in table.aggregates:
        found += _words(part, rows, limb) * (count if part.kind == _APART else 1)
    return found


# --- on shares --------------------------------------------------------------------------------------------------------


def merged(
    builder: Builder, rows: Rows, times: int, groups: KeyedGroups, table: Value, limb: int = LIMB, grown: int = 0
) -> Mapping[PartialAggregate, Value]:
    """What each partial is of every place for groups, from all owners' tables, one after the other.

    times: how often a key may occur, the number of tables. limb: bits of the words of sums, and grown: by how many more
    these have already grown.
    """
    if rows.private is None:
        raise ProgramError("groups of rows that are not grouped by private keys")
    return _Merge(builder, rows, rows.private, times, groups, table, limb, grown).values()


class _Merge(KeyedTables):
    """builder, and what is known of the rows."""

    def __init__(
        self,
        builder: Builder,
        rows: Rows,
        private: PrivateKeys,
        times: int,
        groups: KeyedGroups,
        table: Value,
        limb: int,
        grown: int,
    ) -> None:
        keys = len(_key_words(private, rows))
        extremes = sum(2 for part in groups.aggregates if part.kind in _LARGEST)
        widths = table_widths(private, groups, rows, limb, count=times)
        super().__init__(builder, widths, keys, extremes, times, table.type.shape[0], whole=rows.shared)
        self._rows, self._private, self._groups, self._table = rows, private, groups, table
        self._limb, self._grown = limb, grown
        self._apart = sum(WORDS * times for part in groups.aggregates if part.kind == _APART)

    def values(self) -> Mapping[PartialAggregate, Value]:
        """By partial."""
        table = self._signed(self._table)
        if self._tables > 1:
            table = self._summed(self._sorted(table))
        table = self._add(Shuffle(), table)
        counts = self._column(table, self._keys)
        bits = self._shown(counts)
        kept = self._times(bits, table)
        if not self._apart:
            return dict(self._taken(bits, kept))
        first = self._extremes.start - self._apart
        words = self._columns(
            table, slice(first, self._extremes.start)
        )  # of groups that are not shown, too: left of all
        of_all = self._times(self._add(AssumeWidth(2), reaches(self._builder, counts, 1)), words)
        before, after = self._columns(kept, slice(0, first)), self._columns(kept, self._extremes)
        return dict(self._taken(bits, self._beside(before, of_all, after)))

    def _shown(self, counts: Value) -> Value:
        """Which rows are groups that may be seen."""
        policy = self._rows.policy
        if policy is None:
            return reaches(self._builder, counts, 1)
        alone = shown(self._builder, counts, policy, fewest=policy.min_rows, total=Known(self._rows.count))
        return with_second(self._builder, counts, alone, policy.min_rows, total=Known(self._rows.count))

    def _signed(self, table: Value) -> Value:
        """Least values as the largest of the negated ones."""
        signs = [1] * self._extremes.start
        for part in self._groups.aggregates:
            if part.kind in _LARGEST:
                signs += [-1 if part.kind == "min" else 1] * 2
        if min(signs) > 0:
            return table
        return self._add(ScaleLast(tuple(signs)), table)

    def _summed(self, table: Value) -> Value:
        """The rows with sums of each key at its last one, which alone counts rows."""
        last, added, extremes = self._scanned(table)
        keys = self._columns(table, slice(0, self._keys))
        counted = self._times(last, self._columns(added, slice(0, 1)))
        return self._beside(keys, counted, self._columns(added, slice(1, None)), extremes)

    # --- what statistics take

    def _taken(self, bits: Value, table: Value) -> Iterator[tuple[PartialAggregate, Value]]:
        grown = 0 if self._rows.shared else (self._tables - 1).bit_length()
        firsts: dict[PartialAggregate, int] = {}
        at = self._keys
        for part in self._groups.aggregates:
            firsts[part] = at
            at += len(_words(part, self._rows, self._limb)) * (self._tables if part.kind == _APART else 1)
        starts = [0]
        for key in self._private.keys:
            starts.append(starts[-1] + len(key_widths(key)))
        for part in self._groups.partials:
            if isinstance(part, WordOfGroup):
                yield part, bits if part.word == SHOWN else self._column(table, starts[part.place] + part.word)
                continue
            first, floats = firsts[part], _floats(part, self._rows)
            if part.kind == _APART:
                own = [self._column(table, first + place) for place in range(WORDS * self._tables)]
                yield part, self._add(Concatenate(), *(self._add(Reshape((1, self._count)), word) for word in own))
                continue
            count = len(_words(part, self._rows, self._limb))
            more = grown + (self._grown if part.kind in {"sum", "squares"} else 0)
            columns = [self._column(table, first + place, more) for place in range(count)]
            if part.kind in _LARGEST:
                both = [self._add(Reshape((1, self._count)), column) for column in columns]
                yield part, self._add(Concatenate(), *both)
            elif self._rows.shared:
                kinds = part.sum_types(self._rows, self._rows.count)
                sums = [typed_sum(self._builder, column, kind) for column, kind in zip(columns, kinds, strict=True)]
                yield part, part.of_sums(self._builder, sums, self._rows)
            elif part.kind == "count":
                yield part, columns[0]
            else:
                f = STEP * (2 if part.kind == "squares" else 1) * floats
                yield part, self._wide(columns, f, ring_limbs(floats=floats), self._limb)
