"""Putting a dataset into the catalogue: its files are opened once, so that what is wrong with them is found now."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from msgspec.structs import replace

from icm_ray.errors import InputError, InstanceError
from icm_ray.instance.catalogue import Catalogue, HeldDataset, PublicDataset
from icm_ray.instance.pictures import PictureShelf
from icm_ray.owner.mock_rows import MockRows, check_mock, within_bounds
from icm_ray.owner.tables import Tables
from icm_ray.policy import Policy
from icm_ray.query.tasks import CsvSource, ParquetSource

__all__ = ["offer"]


def offer(
    catalogue: Catalogue,
    name: str,
    paths: Sequence[str],
    policy: Policy,
    standing: Sequence[str] = (),
    requests: Sequence[str] = (),
    mock: MockRows | None = None,
) -> HeldDataset:
    """Offer files under a name: Parquet where the first of them ends so, CSV else.

    paths: absolute; wildcards and directories too. policy: in force whoever asks. standing: peers whose questions are
    answered at once; requests: whose questions a person approves. mock: rows that are drawn from what is public
    of these.
    Errors: `SourceError`, `ColumnError` of the files and of what is stated of mock rows, `InstanceError` (no rows),
    `InputError` (a name that pictures have).
    """
    if name in PictureShelf(catalogue.folder).pictures:
        raise InputError(f"pictures are called {name!r}: icm data {name} --remove")
    if not policy.name:
        policy = replace(policy, name=name)  # raises InputError for what is no name
    kind = CsvSource if any(".csv" in path or ".tsv" in path for path in paths) else ParquetSource
    source = kind(tuple(paths))
    info = Tables().open(name, source)
    if not sum(info.rows):
        raise InstanceError(f"{name}: there are no rows in {', '.join(paths)}")
    columns = tuple(
        replace(column, origin="", fault="it cannot be used" if column.fault else "") for column in info.columns
    )
    if mock is not None:
        mock = within_bounds(mock, policy, columns)
        check_mock(columns, mock)
    public = PublicDataset(name, columns, sum(info.rows), policy, mock)
    held = HeldDataset(public, source, tuple(standing), tuple(requests), secrets.token_hex(16))
    catalogue.put(held)
    return held
