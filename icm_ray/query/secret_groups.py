"""Groups of shared rows that sorting finds: by private keys, or by more public values than one-hot words are made for.

Rows of one lane are sorted by one word, all keys together, and added up (`query.sorted_sums`); of private keys that is
a table with a row for each key, as an owner brings one of its own rows, and lanes' tables are merged as those are
(`query.private_groups`). Public values have their places.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from icm_ray.errors import BoundError, ColumnError, ProgramError
from icm_ray.ops.linear import Concatenate, Rescale, Reshape, Slice, Take
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder, Value
from icm_ray.query.expressions.tree import Of, Scalar
from icm_ray.query.expressions.words import words
from icm_ray.query.lane_build import LaneBuild
from icm_ray.query.partials import Join, PartialAggregate, typed_sum
from icm_ray.query.private_groups import KeyedGroups
from icm_ray.query.private_keys import PrivateKeys, key_place, key_radix, word_of_no_key
from icm_ray.query.rows import Rows, cells, column_of
from icm_ray.query.secret_cells import MOST_GROUPS, KeyedShares, keyed_shares
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.sorted_sums import sums_at, sums_by_key
from icm_ray.query.tasks import ColumnInfo, GroupKey, PrivateKey

__all__ = [
    "CellSums",
    "brought_of_shares",
    "cell_sums",
    "key_of_shares",
    "keyed",
    "places_of_shares",
    "sorted_cells",
    "wanted_words",
]


def key_of_shares(base: SecretRows, of: Of) -> PrivateKey:
    """A column of shared rows as a private key. Errors: those of `SecretRows.key_size`."""
    kind = column_of(base, of).kind
    if kind == "int":
        return PrivateKey(of, "int", base.key_size(of))
    return PrivateKey(of, "bool" if kind == "bool" else "string", base.key_size(of))


# --- private keys -----------------------------------------------------------------------------------------------------


def places_of_shares(base: SecretRows, private: PrivateKeys, where: Of | None) -> Iterator[tuple[int, int]]:
    """Of each lane the rows of its table of groups; rows that are in no group are one more."""
    some = where is not None or any(column_of(base, key.of).nullable for key in private.keys)
    for lane in sorted(base.lanes):
        yield lane, min(base.rows_of_lane(lane), private.most + some)


def brought_of_shares(
    build: LaneBuild, base: SecretRows, where: Of | None, private: PrivateKeys, groups: KeyedGroups
) -> Value:
    """The table (rows, words) of a lane: the word of each key, then sums, as `groups` has them."""
    lanes = dict(places_of_shares(base, private, where))
    parts = keyed(build, base, private.keys, where)
    table, order = _addends(build.builder, parts, base, groups.aggregates)
    beyond = word_of_no_key(private.keys)
    found = sums_by_key(build.builder, _keys(build.builder, parts), table, lanes[build.lane], beyond)
    return _columns(build.builder, found, [0, *(1 + place for place in order)])


# --- public values ----------------------------------------------------------------------------------------------------


def sorted_cells(base: Rows, by: Sequence[GroupKey], count: int) -> bool:
    """Whether the sums of so many groups are found by sorting rows."""
    return base.shared and bool(by) and count > MOST_GROUPS


@dataclass(frozen=True, slots=True)
class CellSums(PartialAggregate):
    """The sums (cells, words) of some partials, one after the other."""

    words: ClassVar[str] = "sums of groups"
    rule: ClassVar[Join] = Join.SUM

    partials: tuple[PartialAggregate, ...]

    @property
    def kind(self) -> str:
        raise ProgramError("owners aggregate each column by itself")

    def type(self, column: ColumnInfo, rows: int, cells: int) -> ValueType:
        raise ProgramError("owners aggregate each column by itself")

    def of_shares(self, builder: Builder, parts: Sequence[Value], rows: Rows) -> Value:
        raise ProgramError("sums of groups are of rows that are grouped")

    def of_lane(self, build: LaneBuild, base: SecretRows, where: Of | None, by: Sequence[GroupKey]) -> Value:
        """Of the rows of one lane."""
        keys = [key_of_shares(base, key.of) for key in by]
        parts = keyed(build, base, keys, where)
        table, order = _addends(build.builder, parts, base, self.partials)
        found = sums_at(build.builder, _keys(build.builder, parts), table, list(wanted_words(base, keys, by)))
        return _columns(build.builder, found, order)

    def taken(self, builder: Builder, rows: Rows, table: Value) -> Mapping[PartialAggregate, Value]:
        """Each partial, from what all lanes contribute."""
        found, at, count = {}, 0, cells(rows)
        for part in self.partials:
            kinds = part.sum_types(rows, rows.count)
            sums = []
            for place, kind in enumerate(kinds, at):
                column = builder.add(Slice(((0, count, 1), (place, place + 1, 1))), table)
                sums.append(typed_sum(builder, builder.add(Reshape((count,)), column), kind))
            found[part] = part.of_sums(builder, sums, rows)
            at += len(kinds)
        return found


def cell_sums(rows: Rows, partials: Sequence[PartialAggregate]) -> CellSums:
    """What is taken of the lanes for these partials of shared rows in many groups."""
    return CellSums(rows.by[0].of, tuple(dict.fromkeys(partials)))


def wanted_words(base: SecretRows, keys: Sequence[PrivateKey], by: Sequence[GroupKey]) -> Iterator[int | None]:
    """The word of each group in turn; None where no row can have it."""
    places = [[_place(base, key, value) for value in public.domain] for key, public in zip(keys, by, strict=True)]
    for values in itertools.product(*places):
        word: int | None = 0
        for key, place in zip(keys, values, strict=True):
            word = None if word is None or place is None else word * key_radix(key) + place
        yield word


def _place(base: SecretRows, key: PrivateKey, value: Scalar) -> int | None:
    if isinstance(value, str):
        texts = base.texts(key.of)
        return texts.index(value) + 1 if value in texts else None
    if not isinstance(value, int):
        raise ColumnError(f"rows are grouped by text, whole numbers and booleans, not by {value!r}")
    place = key_place(key, int(value))
    return place if 0 <= place < key_radix(key) else None


# --- tables -----------------------------------------------------------------------------------------------------------


def _keys(builder: Builder, parts: Sequence[KeyedShares]) -> Value:
    keys = [part.key for part in parts]
    return keys[0] if len(keys) == 1 else builder.add(Concatenate(), *keys)


def keyed(build: LaneBuild, base: SecretRows, keys: Sequence[PrivateKey], where: Of | None) -> Sequence[KeyedShares]:
    """The rows of each partition of a lane by keys. Errors: `BoundError`, which names these, where they do not fit a
    word together.
    """
    try:
        return keyed_shares(build, base, keys, where)
    except BoundError as error:
        names = ", ".join(words(key.of) for key in keys)
        raise BoundError(f"groups by {names}, in one word together: {error}", column=names) from None


def _addends(
    builder: Builder, parts: Sequence[KeyedShares], base: SecretRows, partials: Sequence[PartialAggregate]
) -> tuple[Value, list[int]]:
    """All that is added up for partials, whole numbers (rows, columns), and the column of each sum.

    Errors: `BoundError`, which names the column that is added up.
    """
    columns: dict[tuple[int, ...], Value] = {}
    order = []
    for partial in partials:
        try:
            partial.sum_types(base, base.count)  # refuses what is not made of sums
            added = [part.addends(builder, partial, base.count) for part in parts]
        except BoundError as error:
            column = words(partial.column)
            raise BoundError(f"{partial.words} of {column}: {error}", column=column) from None
        for values in zip(*added, strict=True):
            name = tuple(value.node for value in values)
            if name not in columns:
                columns[name] = _column(builder, values)
            order.append(list(columns).index(name))
    table = [*columns.values()]
    return table[0] if len(table) == 1 else builder.add(Concatenate(axis=1), *table), order


def _column(builder: Builder, values: Sequence[Value]) -> Value:
    """The values of all partitions (rows, 1), as whole numbers."""
    column = values[0] if len(values) == 1 else builder.add(Concatenate(), *values)
    column = builder.add(Rescale(-column.type.f), column) if column.type.f else column
    return builder.add(Reshape((column.type.count, 1)), column)


def _columns(builder: Builder, table: Value, order: Sequence[int]) -> Value:
    """Some columns of a table, in an order."""
    whole = list(order) == list(range(table.type.shape[1]))
    return table if whole else builder.add(Take(1, tuple(order)), table)
