"""Mock rows in the place of other organisations': drawn here from what is public, for questions to be tried first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from msgspec import structs

from analytics.arrow_streams import ArrowRows, streams
from analytics.dataset import Dataset, pool_of
from analytics.meant import Meant
from analytics.offered import OfferedMeant, OfferedShares
from analytics.source_checks import frame_of
from icm_ray.errors import InputError, OwnerError
from icm_ray.instance.away_engine import AwayEngine
from icm_ray.instance.catalogue import PublicDataset
from icm_ray.instance.engine import OrganisationEngine
from icm_ray.instance.mock_engine import MockEngine
from icm_ray.owner.mock_rows import MockRows, mock_table
from icm_ray.query.expressions.tree import Of
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.tasks import PushedSource, TableInfo

__all__ = ["mocked"]

_SHARES: Final = "shares have no mock rows: take frame.mock(), and share that"


def mocked(meant: Meant) -> Meant:
    """The same rows of a dataset of mock rows: its own condition on those of each organisation's.

    Errors: `InputError` (rows of no organisation's catalogue, or shares), `OwnerError` (an organisation offers none).
    """
    offered = meant.rows if isinstance(meant, OfferedMeant) else None
    if isinstance(offered, OfferedShares):
        raise InputError(_SHARES)
    if offered is not None:  # no worker has opened it yet, and none needs to
        stated = [_mock(owner, public) for owner, public in offered.held]
        return _all_of([_drawn(offered.mock_lanes(), *one) for one in stated], meant.where)
    dataset = meant.dataset
    engine = dataset.engine
    if engine.mock:
        return meant
    if not isinstance(engine, OrganisationEngine | AwayEngine):
        raise InputError("mock rows are in the place of other organisations': icm.connect(); here are real ones")
    stated = [_stated(engine, base) for base in dataset.bases]
    local = engine.mocks.of(engine.parties)
    return _all_of([_drawn(local, *one) for one in stated], meant.where)


def _all_of(drawn: Sequence[Dataset], where: Of | None) -> Meant:
    return Meant(pool_of(drawn) if len(drawn) > 1 else drawn[0], where)


def _stated(engine: OrganisationEngine | AwayEngine, base: Dataset) -> tuple[str, PublicDataset, MockRows]:
    facts = base.facts
    if not isinstance(facts, OwnerRows):
        raise InputError(_SHARES)
    return _mock(*engine.held[facts.tables[0].name])


def _mock(owner: str, public: PublicDataset) -> tuple[str, PublicDataset, MockRows]:
    """Errors: `OwnerError`."""
    if public.mock is None:
        raise OwnerError(
            f"{owner} offers no mock rows of {public.name!r}; there: icm data {public.name} FILES --mock 1000"
        )
    return owner, public, public.mock


def _drawn(local: MockEngine, owner: str, public: PublicDataset, mock: MockRows) -> Dataset:
    """In a ledger of its own, which knows of no question yet."""
    table = mock_table(public.columns, mock, owner, public.name)
    partitions, payloads = streams(ArrowRows(table, public.columns), local.config.partition_bytes)
    opened = local.open_table(owner, PushedSource(partitions), payloads)
    opened = replace(opened, info=TableInfo(public.columns, opened.info.rows))
    policy = structs.replace(public.policy, name=local.new_name("mock"))
    again = partial(_drawn, owner=owner, public=public, mock=mock)
    return frame_of(local, {owner: opened}, None, policy, again).meant.dataset
