"""Shares of some rows, in groups: a bit for each row that is meant, the number of its group, and what is added up."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from icm_ray.errors import InputError, ProgramError
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.groups import MAX_DOMAIN_BITS, GroupCount, GroupSum, GroupTable
from icm_ray.ops.linear import (
    Add,
    AddLast,
    AssumeWidth,
    Concatenate,
    Expand,
    Permute,
    Rescale,
    Reshape,
    Scale,
    Slice,
)
from icm_ray.ops.linear import Sum as Total
from icm_ray.ops.products import Product
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Apply, Column, Of, Scalar, columns_of, nodes_of
from icm_ray.query.lane_build import LaneBuild, Members
from icm_ray.query.partials import PartialAggregate, largest
from icm_ray.query.private_keys import key_place, key_radix, word_of_no_key
from icm_ray.query.rows import column_of
from icm_ray.query.secret_expressions.comparison import within
from icm_ray.query.secret_expressions.lower import on_shares
from icm_ray.query.secret_expressions.operand import RowBuild, Secret
from icm_ray.query.tasks import GroupKey, PrivateKey

if TYPE_CHECKING:
    from icm_ray.query.secret_rows import SecretPartition, SecretRows

__all__ = [
    "MOST_GROUPS",
    "ChosenShares",
    "Groups",
    "KeyedShares",
    "PartitionShares",
    "groups_of",
    "keyed_shares",
    "of_lane",
    "partitions_of",
    "placed_shares",
]

MOST_GROUPS = (1 << MAX_DOMAIN_BITS) - 1
"""Groups of shared rows at once by one-hot words: one number more stands for rows in none."""

_FEW = 16  # numbers of groups up to which one-hot words of keys are less than those of two digits
_MOST_AT_ONCE = 1 << 22  # numbers that are compared together, rows times groups


@dataclass(frozen=True, slots=True)
class Groups:
    """number: of the group of each row (rows,), 0 for rows in none. slots: by group its number; None: no rows. size:
    how many numbers there are, 0 included, and those of groups that are not asked for.
    """

    number: Value
    slots: tuple[int | None, ...]
    size: int

    def sums(self, builder: Builder, value: Value | None) -> Value:
        """The sum of the values (rows,) of each number (size,), or how many rows it has; tables of the same numbers
        become one (`icm_ray.query.group_tables`).
        """
        if self.size <= _FEW:
            bits = max((self.size - 1).bit_length(), 1)
            if value is None:
                return builder.add(GroupCount(bits), self.number)
            return builder.add(GroupSum(bits), self.number, value)
        flat = Reshape((self.size,))
        if value is None:
            return builder.add(flat, builder.add(GroupTable(self.size, counts=True), self.number))
        whole = builder.add(Rescale(-value.type.f), value) if value.type.f else value
        table = builder.add(flat, builder.add(GroupTable(self.size), self.number, whole))
        return builder.add(Rescale(value.type.f), table) if value.type.f else table


@dataclass(frozen=True, slots=True)
class ChosenShares:
    """What a statistic is of, in one partition.

    of: the values. mask: bits of the rows that are meant; None: all are. groups: theirs; None: there are none. times:
    what values are multiplied with, row by row; None: nothing.
    """

    rows: RowBuild
    of: Secret
    mask: Value | None
    groups: Groups | None
    times: Secret | None = None

    @property
    def cells(self) -> int:
        """The number of groups; 1 where there are none."""
        return 1 if self.groups is None else len(self.groups.slots)

    def kept(self) -> Value:
        """The values (rows,), 0 where one is missing, or its row is not meant and no group says so."""
        value = self.rows.filled(self.of, 0)
        return value if self.mask is None or self.groups is not None else self.rows.times(self.mask, value)

    def bits(self) -> Value:
        """Where there is a value that is meant (rows,); of groups where there is one."""
        found = self.of.there if self.groups is not None else self.rows.both(self.mask, self.of.there)
        return self.rows.bit(self.rows.constant(1)) if found is None else found

    def total(self, value: Value) -> Value:
        """Sums (cells,) of values that are 0 where they do not count."""
        add = self.rows.builder.add
        if self.groups is None:
            return add(Total(), value)
        return self._of_slots(self.groups.sums(self.rows.builder, value), self.groups)

    def counts(self) -> Value:
        """Numbers of values (cells,)."""
        if self.groups is None or self.of.there is not None:
            return self.total(self.bits())
        return self._of_slots(self.groups.sums(self.rows.builder, None), self.groups)

    def _of_slots(self, found: Value, groups: Groups) -> Value:
        """What is of each group, from what is of each number."""
        add = self.rows.builder.add
        parts, places = [], list(groups.slots)
        while places:
            first = places[0]
            run = 1
            while run < len(places) and first is not None and places[run] == first + run:
                run += 1
            start = 0 if first is None else first
            part = add(Slice(((start, start + run, 1),)), found)
            parts.append(add(Scale(0), part) if first is None else part)
            del places[:run]
        return parts[0] if len(parts) == 1 else add(Concatenate(), *parts)

    def candidates(self, *, negated: bool = False) -> Value:
        """The values (rows,), or the negated ones; where one does not count what is below all of them.

        Values that count are above -2^(width - 2), that one stands where none does.
        """
        above, low = self._above(negated)
        return self._lowered(self.rows.builder.add(Product(Elementwise()), self.bits(), above), above, low)

    def largest(self, *, negated: bool = False) -> Value:
        """The largest candidate of each group (cells,)."""
        if self.groups is None:
            return largest(self.rows.builder, self.candidates(negated=negated))
        add = self.rows.builder.add
        above, low = self._above(negated)
        found = []
        for bits in self._inside(self.groups):
            each = add(Expand(bits.type.shape), add(Reshape((above.type.count, 1)), above))
            lowered = self._lowered(add(Product(Elementwise()), bits, each), above, low)
            found.append(largest(self.rows.builder, add(Permute((1, 0)), lowered)))
        return found[0] if len(found) == 1 else add(Concatenate(), *found)

    def by_group(self, value: Value) -> list[Value]:
        """A value (rows,) that is 0 where it does not count: (groups of a piece, rows), 0 where a row is in another."""
        add = self.rows.builder.add
        if self.groups is None:
            return [add(Reshape((1, value.type.count)), value)]
        column = add(Reshape((value.type.count, 1)), value)
        return [
            add(Permute((1, 0)), self.rows.times(bits, add(Expand(bits.type.shape), column)))
            for bits in self._inside(self.groups)
        ]

    def place(self, groups: Groups) -> Value:
        """The number of the group of each row that has a value (rows,), else 0."""
        return groups.number if self.of.there is None else self.rows.times(self.of.there, groups.number)

    def _inside(self, groups: Groups) -> Iterator[Value]:
        """Bits (rows, groups of a piece): whether a row that counts is in a group."""
        add, number = self.rows.builder.add, self.place(groups)
        rows = number.type.count
        at_once = max(_MOST_AT_ONCE // max(rows, 1), 1)
        for start in range(0, self.cells, at_once):
            slots = [-1 if slot is None else slot for slot in groups.slots[start : start + at_once]]
            numbers = add(Expand((rows, len(slots))), add(Reshape((rows, 1)), number))
            away = add(AddLast(tuple(-slot for slot in slots)), numbers)
            yield self.rows.bit(self.rows.difference(self.rows.at_least(away, 0), self.rows.at_least(away, 1)))

    def _above(self, negated: bool) -> tuple[Value, int]:
        """How far values are above what is below them all, and that."""
        add, value = self.rows.builder.add, self.of.value
        value = add(Scale(-1), value) if negated else value
        low = -(1 << (value.type.width - 1))
        return add(AssumeWidth(value.type.width + 1), self.rows.plus(value, -low)), low

    def _lowered(self, kept: Value, above: Value, low: int) -> Value:
        return self.rows.builder.add(AssumeWidth(above.type.width, above.type.error), self.rows.plus(kept, low))


def of_lane(
    build: LaneBuild, rows: SecretRows, partial: PartialAggregate, where: Of | None, by: tuple[GroupKey, ...]
) -> Value:
    """What the rows of one lane contribute: those where a condition is true, in groups."""
    found = [part.chosen(partial.column, where, by, partial.times) for part in partitions_of(build, rows)]
    plain = partial.times is None and not column_of(rows, partial.column).nullable
    if where is None and not by and plain:
        return partial.of_shares(build.builder, [chosen.of.value for chosen in found], rows)
    return partial.of_all_chosen(build.builder, found, rows)


def keyed_shares(build: LaneBuild, rows: SecretRows, keys: Sequence[PrivateKey], where: Of | None) -> list[KeyedShares]:
    """The rows of each partition of a lane by their keys, those where a condition is true."""
    return [KeyedShares(part, *part.word(keys, where)) for part in partitions_of(build, rows)]


def partitions_of(build: LaneBuild, rows: SecretRows) -> list[PartitionShares]:
    """The partitions of a lane."""
    return [PartitionShares(build, rows, partition) for partition in rows.partitions if partition.lane == build.lane]


def placed_shares(
    build: LaneBuild, rows: SecretRows, of: Of, where: Of | None, by: tuple[GroupKey, ...]
) -> list[tuple[ChosenShares, Value]]:
    """Of each partition of a lane a column of the rows in groups of public values, few enough for numbers of them, and
    the number of each row's group (rows,), 0 in rows of none and where the value is missing.
    """
    found = []
    for part in partitions_of(build, rows):
        chosen = part.chosen(of, where, by)
        if chosen.groups is None:
            raise ProgramError("order within groups is of rows that are grouped")
        found.append((chosen, chosen.place(chosen.groups)))
    return found


def groups_of(rows: SecretRows, one: SecretPartition, by: tuple[GroupKey, ...]) -> Groups:
    """What is public of the groups of these shares: how many numbers there are, and which group has which.

    one: a partition of one row, of which nobody is asked anything.
    """
    return PartitionShares(LaneBuild(Members(("one", "other")), 0), rows, one).groups(None, by)


@dataclass(frozen=True, slots=True)
class KeyedShares:
    """The rows of one partition by a key. key: its word in each row (rows,), `word_of_no_key` in rows of no group.
    every: bits of the rows that are in one.
    """

    _partition: PartitionShares
    key: Value
    every: Value

    def addends(self, builder: Builder, partial: PartialAggregate, count: int) -> tuple[Value, ...]:
        """What is added up for a partial, of each row (rows,); what rows of no group have is anything.

        Errors: those of `PartialAggregate.addends`.
        """
        part = self._partition.chosen(partial.column, None, (), partial.times)
        if partial.kind == "count" and part.of.there is None:
            return (self.every,)
        return partial.addends(builder, part, count)

    def placed(self, of: Of, beyond: int) -> tuple[ChosenShares, Value]:
        """A column, and the key of each row that has a value (rows,), `beyond` where it is missing."""
        part = self._of(of)
        if part.of.there is None:
            return part, self.key
        kept = part.rows.times(part.of.there, part.rows.plus(self.key, -beyond))
        return part, part.rows.builder.add(AssumeWidth(self.key.type.width), part.rows.plus(kept, beyond))

    def _of(self, of: Of) -> ChosenShares:
        return self._partition.chosen(of, None, ())


def conditions(where: Of | None) -> set[Of]:
    """The conditions that are all true where one is, as far as it says so: plain columns."""
    found: set[Of] = set()
    if where is None:
        return found
    nodes = nodes_of(where)
    left = [len(nodes) - 1]
    while left:
        node = nodes[left.pop()]
        if isinstance(node, Column):
            found.add(node.name)
        elif isinstance(node, Apply) and node.function == "and":
            left += node.arguments
    return found


class PartitionShares:
    """The shares of one partition, and what is computed of them: once for all statistics."""

    def __init__(self, build: LaneBuild, rows: SecretRows, partition: SecretPartition) -> None:
        self._build, self._rows, self.partition = build, rows, partition
        self._memo = build.memo.setdefault((rows.name, partition), {})

    def chosen(self, of: Of, where: Of | None, by: tuple[GroupKey, ...], times: Of | None = None) -> ChosenShares:
        """What a statistic is of."""
        key = ("chosen", of, where, by, times)
        if key not in self._memo:
            mask = None if where is None else self.mask(where)
            groups = self.groups(where, by) if by else None
            beside = None if times is None else self.secret(times)
            self._memo[key] = ChosenShares(self.row_build(of, where), self.secret(of), mask, groups, beside)
        found: ChosenShares = self._memo[key]
        return found

    def row_build(self, *of: Of | None) -> RowBuild:
        """Writes what is computed of these rows, with a column that is read anyway, where there is one."""
        names = columns_of(*of)
        return RowBuild(self._build.builder, self._column(names[0] if names else self._some).value)

    @property
    def _some(self) -> str:
        return self._rows.chosen or self._rows.columns[0].name

    def _column(self, name: str) -> Secret:
        if name not in self._memo:
            self._memo[name] = self._rows.loaded(self._build.builder, self.partition, name)
        found: Secret = self._memo[name]
        return found

    def secret(self, of: Of) -> Secret:
        """What an expression is in each row."""
        if isinstance(of, str):
            return self._column(of)
        if of not in self._memo:
            rows = self.row_build(of)
            self._memo[of] = rows.secret(on_shares(of, rows, self._column))
        found: Secret = self._memo[of]
        return found

    def word(self, keys: Sequence[PrivateKey], where: Of | None) -> tuple[Value, Value]:
        """The word of each row's key (rows,), and where there is one that is meant."""
        rows = self.row_build(*(key.of for key in keys))
        add, inside = rows.builder.add, None if where is None else self.mask(where)
        word: Value | None = None
        for key in keys:
            of = self.secret(key.of)
            inside = rows.both(inside, of.there)
            place = rows.plus(of.value, key_place(key, 0))
            word = place if word is None else add(Add(), add(Scale(key_radix(key)), word), place)
        if word is None:
            raise ProgramError("rows are grouped by one key or more")
        beyond = word_of_no_key(keys)
        if inside is not None:
            word = rows.plus(rows.times(inside, rows.plus(word, -beyond)), beyond)
        width = beyond.bit_length() + 1
        return add(AssumeWidth(width), word), rows.bit(rows.constant(1)) if inside is None else inside

    def mask(self, where: Of) -> Value:
        """Bits (rows,) where a condition is true."""
        key = ("mask", where)
        if key not in self._memo:
            self._memo[key] = self.row_build(where).filled(self.secret(where), 0)
        found: Value = self._memo[key]
        return found

    def groups(self, where: Of | None, by: tuple[GroupKey, ...]) -> Groups:
        """The group of each row."""
        key = ("groups", where, by)
        if key not in self._memo:
            self._memo[key] = self._found(where, by)
        found: Groups = self._memo[key]
        return found

    def _found(self, where: Of | None, by: tuple[GroupKey, ...]) -> Groups:
        rows = self.row_build(*(key.of for key in by))
        secrets = [self.secret(key.of) for key in by]
        stated = math.prod(_size(of, key) for of, key in zip(secrets, by, strict=True)) > MOST_GROUPS
        keys = [_key(rows, of, key, stated=stated) for of, key in zip(secrets, by, strict=True)]
        total = math.prod(key.size for key in keys)
        if total > MOST_GROUPS:
            raise InputError(
                f"{total} groups of shared rows; {MOST_GROUPS} can be asked for at once: state fewer values, or group "
                "before .share()"
            )
        inside = None if where is None else self.mask(where)
        if len(keys) == 1:
            only = keys[0]
            number = only.place if inside is None else rows.times(inside, only.place)
            return Groups(number, only.slots, total + 1)
        add, first = rows.builder.add, keys[0]
        inside, number, slots = rows.both(inside, first.inside), first.place, first.slots
        for key in keys[1:]:
            inside = rows.both(inside, key.inside)
            number = add(Add(), add(Scale(key.size), rows.plus(number, -1)), key.place)
            pairs = itertools.product(slots, key.slots)
            slots = tuple(
                None if before is None or slot is None else (before - 1) * key.size + slot for before, slot in pairs
            )
        number = add(AssumeWidth(total.bit_length() + 1), number) if inside is None else rows.times(inside, number)
        return Groups(number, slots, total + 1)


@dataclass(frozen=True, slots=True)
class _Key:
    """place: of each row's value among `size`, from 1 on, 0 where it is none of them. inside: where it is one; None:
    everywhere. slots: by the values to group by the place of each; None: no row has it.
    """

    place: Value
    inside: Value | None
    size: int
    slots: tuple[int | None, ...]


def _numbered(of: Secret) -> bool:
    """Whether text has few enough values that the number of each is its place."""
    return bool(of.domain) and len(of.domain) <= MOST_GROUPS and of.blank == 0


def _size(of: Secret, key: GroupKey) -> int:
    """How many places a key has, where others have few enough."""
    return 2 if of.kind == "bool" else len(of.domain) if _numbered(of) else len(key.domain)


def _key(rows: RowBuild, of: Secret, key: GroupKey, *, stated: bool) -> _Key:
    """stated: with places for stated values alone."""
    wanted = [_element(of, value) for value in key.domain]
    if of.kind == "bool":
        place = rows.plus(of.value, 1) if of.there is None else rows.sum(rows.filled(of, 0), of.there)
        return _Key(place, of.there, 2, tuple(None if element is None else element + 1 for element in wanted))
    if _numbered(of) and not stated:
        return _Key(of.value, of.there, len(of.domain), tuple(wanted))
    return _sorted_key(rows, of, wanted)


def _element(of: Secret, value: Scalar) -> int | None:
    """The ring element of a public value; None where there is none."""
    if isinstance(value, str):
        return of.domain.index(value) + 1 if value in of.domain else None
    return int(value) if isinstance(value, int) and abs(value) < 1 << (of.value.type.width - 1) else None


def _sorted_key(rows: RowBuild, of: Secret, wanted: Sequence[int | None]) -> _Key:
    """With a comparison at both ends of each run of values that follow one another."""
    add, elements = rows.builder.add, sorted({element for element in wanted if element is not None})
    if len(elements) > MOST_GROUPS or of.value.type.f:
        raise InputError(f"{len(elements)} groups of shared rows; {MOST_GROUPS} can be asked for at once")
    slots = {element: place for place, element in enumerate(elements, 1)}
    inside = rows.bit(rows.constant(0))
    moved = rows.constant(0)  # by how much places are beside values, in the run of each row
    for _, run in itertools.groupby(elements, lambda element: element - slots[element]):
        ends = list(run)
        bit = within(rows, of, [(ends[0], ends[-1])])
        inside = rows.bit(rows.sum(inside, bit))
        moved = rows.sum(moved, add(Scale(slots[ends[0]] - ends[0]), bit))
    inside = inside if of.there is None else rows.times(inside, of.there)
    place = rows.times(inside, rows.sum(of.value, moved))
    place = add(AssumeWidth(max(len(elements), 1).bit_length() + 2), place)
    return _Key(place, inside, max(len(elements), 1), tuple(None if e is None else slots[e] for e in wanted))
