"""Rows of several datasets as those of one, one after the other; each is read by its owner as before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from icm_ray.errors import ColumnError, InputError, PolicyError
from icm_ray.ops.labels import Label
from icm_ray.program.derived_name import derived_name
from icm_ray.query.kinds import PartColumns, agreed
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.tasks import ColumnInfo

__all__ = ["Pool", "PooledRows", "pooled"]


class Pool(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rows of these datasets, by their names."""

    datasets: tuple[str, ...]

    @property
    def name(self) -> str:
        """Under which statistics speak of it: equal pools have one."""
        return derived_name("pool", self)


class PooledRows(OwnerRows, frozen=True, forbid_unknown_fields=True, tag="pool"):
    """origins: of each table, the dataset that it belongs to. Nobody states them: they follow from what is stated of
    the datasets.
    """

    origins: tuple[str, ...] = ()

    def _label(self, table: OwnerTable, parts: Iterable[int]) -> Label:
        origin = self.origins[self.tables.index(table)]
        return Label(origin, table.owner, tuple((part, table.rows[part]) for part in parts))


def pooled(pool: Pool, parts: Sequence[object]) -> PooledRows:
    """The rows of a pool, from the facts of its datasets.

    Errors: `InputError` (fewer than two, or one twice), `ColumnError` (shares), `PolicyError` (a policy judges its own
    dataset, and cannot hold questions about others' rows beside against its ledger).
    """
    held = [facts for facts in parts if isinstance(facts, OwnerRows)]
    if len(held) < len(parts):
        raise ColumnError("shared frames are not concatenated: do that before .share()")
    if len(held) < 2 or len(set(pool.datasets)) < len(pool.datasets):
        raise InputError("two frames or more are concatenated, each of them once")
    for facts in held:
        if facts.policy is not None:
            reason = "frames with a policy are not concatenated: read their files as one frame, with the policy"
            raise PolicyError(reason, dataset=facts.source)
    columns = agreed([PartColumns(f"frame {n}", facts.columns, facts.count) for n, facts in enumerate(held, 1)])
    bounds = [dict(facts.log2_bounds) for facts in held]
    everywhere = [name for name in bounds[0] if all(name in other for other in bounds)]
    return PooledRows(
        pool.name,
        tuple(
            ColumnInfo(info.name, info.kind, fault=info.fault, nullable=info.nullable, categories=info.categories)
            for info in columns
        ),
        tuple(table for facts in held for table in facts.tables),
        tuple((name, max(other[name] for other in bounds)) for name in everywhere),
        origins=tuple(facts.name for facts in held for _ in facts.tables),
    )
