"""Sharing a dataset: every partition's columns go from the owner's worker to the parties of the partition's lane."""

from __future__ import annotations

import msgspec

from icm_ray.errors import ColumnError, ProgramError
from icm_ray.ops.linear import Store
from icm_ray.query.kinds import NUMBERS
from icm_ray.query.lane_build import LaneBuild, LaneProgram, Members
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.question import DatasetFacts, Sharing
from icm_ray.query.rows import column_of
from icm_ray.query.secret_rows import SecretPartition, SecretRows, encoding_for
from icm_ray.query.tasks import ColumnValues

__all__ = ["secret_rows", "sharing_program"]


def secret_rows(sharing: Sharing, rows: DatasetFacts) -> SecretRows:
    """The dataset of shares that a sharing makes.

    Errors: `ColumnError` for columns without numbers, `BoundError` for bounds that do not fit, `ProgramError` for rows
    that are shares already.
    """
    if not isinstance(rows, OwnerRows):
        raise ProgramError(f"the dataset {rows.name!r} is shared already")
    columns = tuple(column_of(rows, name) for name in sharing.columns)
    bare = [f"{info.name!r} ({info.kind})" for info in columns if info.kind not in NUMBERS]
    if bare:
        raise ColumnError(f"only numbers can be shared, not {', '.join(bare)}; pick columns: frame[[...]].share()")
    most = max((count for table in rows.tables for count in table.rows), default=0)
    declared = dict(rows.log2_bounds)
    encodings = tuple(
        encoding_for(info, declared.get(info.name), most, sharing.f, sharing.default_bound) for info in columns
    )
    partitions = tuple(
        SecretPartition(table.owner, table.name, number, lane, count)
        for table in rows.tables
        for number, (lane, count) in enumerate(zip(table.lanes, table.rows, strict=True))
        if count
    )
    whole = tuple(msgspec.structs.replace(info, nullable=False) for info in columns)  # owners refuse what is missing
    return SecretRows(sharing.into, rows.name, whole, encodings, partitions, rows.policy)


def sharing_program(shares: SecretRows, stage: int, members: Members) -> LaneProgram:
    """The program that keeps the shares of one partition's columns, by its number among those with rows.

    Errors: `ProgramError` (there is none).
    """
    if not 0 <= stage < len(shares.partitions):
        raise ProgramError(f"a sharing of {len(shares.partitions)} partitions, none of number {stage}")
    partition = shares.partitions[stage]
    build = LaneBuild(members, partition.lane)
    for info, encoding in zip(shares.columns, shares.encodings, strict=True):
        task = ColumnValues(partition.table, info.name, partition.number, encoding.f, encoding.bound, info.kind)
        value = build.bring(partition.owner, info.name, task, encoding.type(partition.rows), shares.behind(partition))
        build.builder.add(Store(shares.key(partition, info.name)), value)
    return build.program(partition.number)
