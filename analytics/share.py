"""Sharing a frame: every partition's columns go from the owner's worker to the parties of the partition's lane."""

from __future__ import annotations

from contextlib import suppress

from analytics.held import HeldRows
from analytics.quantity import LaneBuild
from analytics.shared import Encoding, SharedPartition, SharedRows, encoding_for
from icm_ray.errors import ColumnError, IcmError, InputError
from icm_ray.ops.linear import Store
from icm_ray.query.tasks import ColumnValues
from icm_ray.runtime.driver.engine import LaneJob

__all__ = ["share"]

_NUMBERS = frozenset({"int", "float", "bool"})


def share(rows: HeldRows, names: tuple[str, ...]) -> SharedRows:
    """The named columns of all rows as shares: one job for each partition, kept by the parties of its lane.

    Errors: `ColumnError` for columns without numbers and `BoundError` for bounds that do not fit, before anything is
    shared; `BoundError` and `NullError` of the owner's worker.
    """
    engine = rows.engine
    if rows.forgotten.is_set():
        raise InputError("the frame's rows were forgotten; read them again")
    columns = tuple(info for name in names for info in rows.columns if info.name == name)
    bare = [f"{info.name!r} ({info.kind})" for info in columns if info.kind not in _NUMBERS]
    if bare:
        raise ColumnError(f"only numbers can be shared, not {', '.join(bare)}; pick columns: frame[[...]].share()")
    largest = max(count for table in rows.tables.values() for count in table.info.rows)
    f, default = engine.config.fraction_bits, engine.config.default_bound
    encodings = {info.name: encoding_for(info, rows.declared.get(info.name), largest, f, default) for info in columns}
    jobs: list[LaneJob] = []
    partitions: list[SharedPartition] = []
    for owner, table in rows.tables.items():
        for number, (lane, count) in enumerate(zip(table.lanes, table.info.rows, strict=True)):
            if count:
                keys = {info.name: engine.new_name("share") for info in columns}
                partitions.append(SharedPartition(owner, lane, count, keys))
                jobs.append(_job(rows, partitions[-1], table.name, number, encodings))
    shared = SharedRows(
        engine, engine.new_name("shared"), rows.dataset, rows.policy, columns, tuple(partitions), encodings
    )
    try:
        engine.execute(jobs)
    except BaseException:
        with suppress(IcmError):  # the first cause is the one to report
            shared.forget()
        raise
    return shared


def _job(
    rows: HeldRows, partition: SharedPartition, table: str, number: int, encodings: dict[str, Encoding]
) -> LaneJob:
    build = LaneBuild(rows.engine, partition.lane, rows.count)
    kinds = {info.name: info.kind for info in rows.columns}
    for name, encoding in encodings.items():
        task = ColumnValues(table, name, number, encoding.f, encoding.bound, kinds[name])
        value = build.bring(partition.owner, name, task, encoding.type(partition.rows))
        build.builder.add(Store(partition.keys[name]), value)
    return build.job(number)
