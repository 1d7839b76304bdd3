"""Rows of several datasets as those of one, one after the other; each stays where it is.

Whoever asks may know the rows of all frames but one: what is of all of them together tells what is of that one. So a
dataset with a policy withholds of a pool what it would withhold of its own rows alone; the strictest rule of all holds
for all rows beside that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from icm_ray.errors import BoundError, ColumnError, InputError
from icm_ray.ops.labels import Label, Labels
from icm_ray.ops.linear import Scale
from icm_ray.program.build import Builder
from icm_ray.program.derived_name import derived_name
from icm_ray.query.kinds import PartColumns, agreed
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.rows import Rows
from icm_ray.query.secret_expressions.operand import Secret
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
        found, shift = part.loaded(builder, partition, column), self.encoding(column).f - part.encoding(column).f
        value = builder.add(Scale(1 << shift, shift), found.value) if shift else found.value
        return Secret(self._column(column)[0].kind, value, found.there, found.blank, found.domain)

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
        tuple(parts),
    )


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
    most = max(partition.rows for facts in parts for partition in facts.partitions)
    if f + bound > room_for(most):
        raise BoundError(
            f"column {info.name!r}: {f} fractional bits of one frame and magnitudes to 2^{bound} of another do not fit "
            f"partitions of {most} rows: read the frames with smaller bounds=",
            column=info.name,
            bound=bound,
        )
    return Encoding(f, bound, rounded=bool(rounded), domain=domains.pop())
