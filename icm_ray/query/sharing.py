"""Sharing a dataset: every partition's columns go from the owner's worker to the parties of the partition's lane."""

from __future__ import annotations

from collections.abc import Container
from typing import Final

import msgspec

from icm_ray.errors import ColumnError, InputError, PolicyError, ProgramError
from icm_ray.ops.linear import Store
from icm_ray.program.derived_name import derived_name
from icm_ray.query.arrow_kinds import unit_kind
from icm_ray.query.choices import chooses
from icm_ray.query.composed import bent, composed
from icm_ray.query.expressions.tree import Of, apply, literal
from icm_ray.query.expressions.typing import resolved
from icm_ray.query.expressions.words import words
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.lane_build import LaneBuild, LaneProgram, Members
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.question import DatasetFacts, SharedColumn, Sharing
from icm_ray.query.rows import column_of
from icm_ray.query.secret_rows import BIT, Encoding, SecretPartition, SecretRows, encoding_for, room_for
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.tasks import ColumnInfo, ColumnValues
from icm_ray.query.unit_encoding import steps_of

__all__ = ["MOST_WORDS", "secret_rows", "sharing_program"]

MOST_WORDS: Final = 1 << 16
"""Values that text can be, where it is shared."""


def secret_rows(sharing: Sharing, rows: DatasetFacts) -> SecretRows:
    """The dataset of shares that a sharing makes.

    Errors: `ColumnError` for columns of other kinds than can be shared, `BoundError` for bounds that do not fit,
    `InputError` for stated values that are none, `PolicyError` for a column that a policy allows after sharing alone,
    `ProgramError` for rows that are shares already.
    """
    if not isinstance(rows, OwnerRows):
        raise ProgramError(f"the dataset {rows.name!r} is shared already")
    infos = [msgspec.structs.replace(column_of(rows, column.of), name=column.name) for column in sharing.columns]
    for info, column in zip(infos, sharing.columns, strict=True):
        _check_column(info, column)
        if rows.policy is not None and chooses(column.of, rows):
            reason = "a policy is not held for what a column chooses before it is shared: compute it after .share()"
            raise PolicyError(f"{info.name}: {reason}", dataset=rows.name)
        if rows.policy is not None and rows.policy.expressions == "plain" and (part := bent(column.of, rows)):
            reason = f"the policy allows plain expressions, and {part} is none"
            raise PolicyError(f"{info.name}: {reason}", dataset=rows.name)
    most = max((count for table in rows.tables for count in table.rows), default=0)
    declared = dict(rows.log2_bounds)
    bounds = [
        declared.get(str(column.of)) if column.log2_bound is None else column.log2_bound for column in sharing.columns
    ]
    most = max(most, sharing.most)
    encodings = [
        _of_units(info, column, rows, most)
        if unit_kind(info.kind)
        else encoding_for(info, bound, most, sharing.f, sharing.default_bound, column.domain)
        for info, column, bound in zip(infos, sharing.columns, bounds, strict=True)
    ]
    chosen = None
    if sharing.where is not None:
        chosen = _name_of(sharing.where, {info.name for info in infos})
        infos.append(ColumnInfo(chosen, "bool", nullable=False))
        encodings.append(BIT)
        SelectedRows(Selection(rows.name, sharing.where), rows)  # refuses what is no condition
    partitions = tuple(
        SecretPartition(table.owner, table.name, number, lane, count)
        for table in rows.tables
        for number, (lane, count) in enumerate(zip(table.lanes, table.rows, strict=True))
        if count
    )
    several = tuple(column.name for column in sharing.columns if rows.policy is not None and composed(column.of, rows))
    space = _space_of(sharing)
    return SecretRows(
        sharing.into, rows.name, tuple(infos), tuple(encodings), partitions, rows.policy, chosen, space, several
    )


def _of_units(info: ColumnInfo, column: SharedColumn, rows: OwnerRows, most: int) -> Encoding:
    declared = {name: (low, high) for name, low, high in rows.ranges}.get(str(column.of))
    origin, step, bound = steps_of(info, column.of, declared, room_for(most))
    return Encoding(0, bound, rounded=False, origin=origin, step=step)


def _space_of(sharing: Sharing) -> str:
    """Of these rows and columns; "" where they are those of the source, under its names."""
    named = tuple((column.name, column.of) for column in sharing.columns)
    if sharing.where is None and all(name == of for name, of in named):
        return ""
    return derived_name("space", sharing.where, *(part for pair in named for part in pair))


def _check_column(info: ColumnInfo, column: SharedColumn) -> None:
    if info.fault:
        raise ColumnError(info.fault, column=info.name)
    if info.kind == "string" and column.domain:
        if list(column.domain) != sorted(set(column.domain)):
            raise InputError(f"{info.name!r}: stated values are given in order, each once")
        if len(column.domain) > MOST_WORDS:
            raise InputError(f"{info.name!r}: {len(column.domain)} values are stated, of {MOST_WORDS} at most")
    elif info.kind == "string":
        raise ColumnError(
            f"{info.name!r} (string): text is shared as the place of each value among public ones: state those, "
            f"frame.share(domain={{{info.name!r}: [...]}}), or pick columns: frame[[...]].share()",
            column=info.name,
        )
    elif info.kind not in NUMBERS and unit_kind(info.kind) is None:
        raise ColumnError(
            f"{info.name!r} ({info.kind}): only numbers, booleans, text, dates, times, durations and decimals are "
            "shared; pick columns: frame[[...]].share()",
            column=info.name,
        )
    elif column.domain:
        raise InputError(f"{info.name!r}: values are stated of text, not of {info.kind}")


def _name_of(where: Of, taken: Container[str]) -> str:
    """Of the column that says which rows are meant."""
    name = told = words(where)
    number = 1
    while name in taken:
        number += 1
        name = f"{told} #{number}"
    return name


def sharing_program(
    sharing: Sharing, rows: DatasetFacts, shares: SecretRows, stage: int, members: Members
) -> LaneProgram:
    """The program that keeps the shares of one partition's columns, by its number among those with rows; shares: of
    `secret_rows`.

    Errors: `ProgramError` (there is none).
    """
    if not 0 <= stage < len(shares.partitions):
        raise ProgramError(f"a sharing of {len(shares.partitions)} partitions, none of number {stage}")
    partition = shares.partitions[stage]
    build = LaneBuild(members, partition.lane)

    def bring(name: str, kind: str, encoding: Encoding, of: Of, key: str, *, nullable: bool = False) -> None:
        task = ColumnValues(
            partition.table,
            _resolved(rows, of),
            partition.number,
            encoding.f,
            encoding.bound,
            kind,
            None if sharing.where is None else _resolved(rows, sharing.where),
            nullable,
            encoding.domain,
        )
        value = build.bring(partition.owner, name, task, encoding.type(partition.rows), shares.behind(partition))
        build.builder.add(Store(key), value)

    for column, info, encoding in zip(sharing.columns, shares.columns, shares.encodings, strict=False):
        key, of, kind = shares.key(partition, info.name), column.of, info.kind
        if unit_kind(kind):
            of, kind = apply("ticks", (of,), (encoding.origin, encoding.step)), "int"
        bring(info.name, kind, encoding, of, key, nullable=info.nullable)
        if info.nullable:
            there = apply("not", (apply("is_null", (column.of,)),))
            bring(f"{info.name} is there", "bool", BIT, there, shares.key_of_presence(partition, info.name))
    if shares.chosen is not None:
        bring("rows that are meant", "bool", BIT, literal(value=True), shares.key(partition, shares.chosen))
    return build.program(partition.number)


def _resolved(rows: DatasetFacts, of: Of) -> Of:
    return resolved(of, lambda name: column_of(rows, name))
