"""Rows of several datasets as those of one, one after the other; each stays where it is.

Whoever asks may know the rows of all frames but one: what is of all of them together tells what is of that one. So a
dataset with a policy withholds of a pool what it would withhold of its own rows alone; the strictest rule of all holds
for all rows beside that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import msgspec

from icm_ray.errors import BoundError, ColumnError, InputError
from icm_ray.ops.labels import Label, Labels
from icm_ray.ops.linear import AssumeWidth, Scale
from icm_ray.ops.values import log2_ceil
from icm_ray.program.build import Builder
from icm_ray.program.derived_name import derived_name
from icm_ray.query.arrow_kinds import unit_kind
from icm_ray.query.grid import Grid, common_step
from icm_ray.query.kinds import PartColumns, agreed
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.rows import Rows
from icm_ray.query.secret_expressions.operand import RowBuild, Secret
from icm_ray.query.secret_expressions.units import moved
from icm_ray.query.secret_rows import Encoding, SecretPartition, SecretRows, room_for
from icm_ray.query.selection import SelectedRows
from icm_ray.query.strictest import strictest
from icm_ray.query.tasks import ColumnInfo

__all__ = ["Pool", "PooledRows", "PooledShares", "each_alone", "pooled"]


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows of these datasets, by their names."""

    datasets: tuple[str, ...]

    @property
    def name(self) -> str:
        """Under which statistics speak of it: equal pools have one."""
        return derived_name("pool", self)


class PooledRows(OwnerRows, frozen=True, forbid_unknown_fields=True, tag="pool"):
    """parts: the datasets. Nobody states them: they follow from what is stated of these."""

    parts: tuple[OwnerRows, ...] = ()

    def _label(self, table: OwnerTable, parts: Iterable[int]) -> Label:
        origin = next(part.name for part in self.parts if table in part.tables)
        return Label(origin, table.owner, tuple((part, table.rows[part]) for part in parts))


class PooledShares(SecretRows, frozen=True, forbid_unknown_fields=True, tag="pool of shares"):
    """parts: the datasets of shares, each of them kept under its own names. Nobody states them."""

    parts: tuple[SecretRows, ...] = ()

    def behind(self, partition: SecretPartition) -> Labels:
        part = self._part(partition)
        return SecretRows.behind(self, partition) if part is None else part.behind(partition)

    @property
    def kept(self) -> Sequence[str]:
        return [key for part in self.parts for key in part.kept]

    def loaded(self, builder: Builder, partition: SecretPartition, column: str) -> Secret:
        """A column of a partition, as it is of all of them."""
        part = self._part(partition)
        if part is None:  # of any of them: what types are inferred of
            return SecretRows.loaded(self, builder, partition, column)
        info, encoding = self._column(column)
        found, shift = part.loaded(builder, partition, column), encoding.f - part.encoding(column).f
        value = builder.add(Scale(1 << shift, shift), found.value) if shift else found.value
        if unit_kind(info.kind):
            made = moved(RowBuild(builder, value), found, info.kind, encoding.grid(info.kind))
            width = encoding.type(partition.rows).width
            return replace(made, value=builder.add(AssumeWidth(width, 0.0), made.value))
        return Secret(info.kind, value, found.there, found.blank, found.domain)

    def _part(self, partition: SecretPartition) -> SecretRows | None:
        return next((part for part in self.parts if partition in part.partitions), None)


def each_alone(rows: Rows) -> tuple[OwnerRows | SecretRows | SelectedRows, ...]:
    """Of rows of a pool those of each dataset with a policy; () of others."""
    base = rows.base if isinstance(rows, SelectedRows) else rows
    if not isinstance(base, PooledRows | PooledShares):
        return ()
    guarded = [part for part in base.parts if part.policy is not None]
    if not isinstance(rows, SelectedRows):
        return tuple(guarded)
    return tuple(SelectedRows(msgspec.structs.replace(rows.selection, dataset=part.name), part) for part in guarded)


def pooled(pool: Pool, parts: Sequence[OwnerRows | SecretRows]) -> PooledRows | PooledShares:
    """The rows of a pool, from the facts of its datasets.

    Errors: `InputError` (fewer than two, or the rows of one twice), `ColumnError` (some are shares and others not; text
    that was shared with other values, rows that were chosen otherwise), `BoundError` (shares with other fractional
    bits).
    """
    if len(parts) < 2 or len({facts.source for facts in parts}) < len(parts):
        raise InputError("two frames or more are concatenated, each of them once")
    held = [facts for facts in parts if isinstance(facts, OwnerRows)]
    shares = [facts for facts in parts if isinstance(facts, SecretRows)]
    if held and shares:
        raise ColumnError("shared frames are concatenated with shared ones: share all of them before, or none")
    found = agreed([PartColumns(f"frame {n}", facts.columns, facts.count) for n, facts in enumerate(parts, 1)])
    columns = tuple(
        ColumnInfo(info.name, info.kind, fault=info.fault, nullable=info.nullable, categories=info.categories)
        for info in found
    )
    return _of_shares(pool, shares, columns) if shares else _of_owners(pool, held, columns)


def _of_owners(pool: Pool, parts: Sequence[OwnerRows], columns: tuple[ColumnInfo, ...]) -> PooledRows:
    bounds = [dict(facts.log2_bounds) for facts in parts]
    everywhere = [name for name in bounds[0] if all(name in other for other in bounds)]
    return PooledRows(
        pool.name,
        columns,
        tuple(table for facts in parts for table in facts.tables),
        tuple((name, max(other[name] for other in bounds)) for name in everywhere),
        strictest(facts.policy for facts in parts),
        _ranges(parts, columns),
        tuple(parts),
    )


def _ranges(parts: Sequence[OwnerRows], columns: Sequence[ColumnInfo]) -> tuple[tuple[str, int, int], ...]:
    """Declared of a column of the same kind everywhere."""
    declared = [{name: (low, high) for name, low, high in facts.ranges} for facts in parts]
    kinds = {info.name: info.kind for info in columns}
    same = [
        name
        for name in declared[0]
        if all(name in other for other in declared)
        and all(info.kind == kinds[name] for facts in parts for info in facts.columns if info.name == name)
    ]
    return tuple((name, min(of[name][0] for of in declared), max(of[name][1] for of in declared)) for name in same)


def _of_shares(pool: Pool, parts: Sequence[SecretRows], columns: tuple[ColumnInfo, ...]) -> PooledShares:
    if len({facts.chosen for facts in parts}) > 1:
        raise ColumnError("rows were chosen otherwise before they were shared: concat, then filter")
    return PooledShares(
        pool.name,
        pool.name,
        columns,
        tuple(_encoding(info, parts) for info in columns),
        tuple(partition for facts in parts for partition in facts.partitions),
        strictest(facts.policy for facts in parts),
        parts[0].chosen,
        parts=tuple(parts),
    )


def _encoding(info: ColumnInfo, parts: Sequence[SecretRows]) -> Encoding:
    """In which all values of a column are computed with."""
    if info.fault:
        return Encoding(0, 0, rounded=False)
    found = [facts.encoding(info.name) for facts in parts]
    most = max(partition.rows for facts in parts for partition in facts.partitions)
    if unit_kind(info.kind):
        grids = [facts.grid(info.name) for facts in parts]
        return _of_units(info, found, grids, room_for(most))
    domains = {encoding.domain for encoding in found}
    if len(domains) > 1:
        raise ColumnError(
            f"{info.name!r} was shared with other values in each frame: share them with the same domain=, or concat "
            "before .share()",
            column=info.name,
        )
    rounded = {encoding.f for encoding in found if encoding.rounded}
    if len(rounded) > 1:
        raise BoundError(
            f"column {info.name!r} was shared with {' and '.join(map(str, sorted(rounded)))} fractional bits: read the "
            "frames with the same bounds=, or concat before .share()",
            column=info.name,
        )
    f, bound = max(encoding.f for encoding in found), max(encoding.bound for encoding in found)
    if f + bound > room_for(most):
        raise BoundError(
            f"column {info.name!r}: {f} fractional bits of one frame and magnitudes to 2^{bound} of another do not fit "
            f"partitions of {most} rows: read the frames with smaller bounds=",
            column=info.name,
            bound=bound,
        )
    return Encoding(f, bound, rounded=bool(rounded), domain=domains.pop())


def _of_units(info: ColumnInfo, found: Sequence[Encoding], grids: Sequence[Grid], room: int) -> Encoding:
    """On a grid that has the numbers of all."""
    first = grids[0].origin
    step = common_step([*(grid.step for grid in grids), *(grid.origin - first for grid in grids)])
    most = max(
        int(((1 << encoding.bound) * grid.step + abs(grid.origin - first)) / step)
        for encoding, grid in zip(found, grids, strict=True)
    )
    if (bound := log2_ceil(most)) > room:
        raise BoundError(
            f"column {info.name!r}: numbers to 2^{bound} of all frames together do not fit, 2^{room} do: read the "
            "frames with the same, narrower bounds=, or concat before .share()",
            column=info.name,
            bound=bound,
        )
    origin, size = Grid(first, step).in_ticks(info.kind)
    return Encoding(0, bound, rounded=False, origin=origin, step=size)
