"""What an organisation offers by name: datasets, where their rows lie, and the policy that guards them. Local: nobody
who asks can name a path, nor another policy.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import InstanceError
from icm_ray.instance.files import changing, read, write
from icm_ray.payload import Name
from icm_ray.policy import Policy
from icm_ray.query.tasks import ColumnInfo, CsvSource, ParquetSource

__all__ = ["Catalogue", "HeldDataset", "PublicDataset"]

_WHAT: Final = "catalogue"
_FILE: Final = "catalogue.json"
Rows = ParquetSource | CsvSource


class PublicDataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What peers see of a dataset. columns: names and kinds. policy: in force, whoever asks. rows: how many."""

    name: Name
    columns: tuple[ColumnInfo, ...]
    rows: int
    policy: Policy


class HeldDataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset as its owner keeps it. source: files of the owner's own nodes. standing: peers whose questions are
    answered at once, within the policy; () none's. requests: peers who see it and may ask, each question to be approved
    by a person. version: another one each time that it is offered: approvals are for that one alone.
    """

    public: PublicDataset
    source: Rows
    standing: tuple[Name, ...] = ()
    requests: tuple[Name, ...] = ()
    version: Name = ""


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    datasets: tuple[HeldDataset, ...] = ()


class Catalogue:
    """In an instance's folder. For any thread and process of this user."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    @property
    def datasets(self) -> Mapping[str, HeldDataset]:
        """By name. Errors: `InstanceError` for a file that cannot be read."""
        found = read(self._path, _Body, _WHAT) or _Body()
        return MappingProxyType({item.public.name: item for item in found.datasets})

    def dataset(self, name: str) -> HeldDataset:
        """Errors: `InstanceError` where there is none of that name."""
        found = self.datasets.get(name)
        if found is None:
            raise InstanceError(f"there is no dataset {name!r} here")
        return found

    def put(self, dataset: HeldDataset) -> None:
        """Offer a dataset, in the place of one of its name."""
        name = dataset.public.name
        with changing(self._path):
            body = read(self._path, _Body, _WHAT) or _Body()
            rest = tuple(item for item in body.datasets if item.public.name != name)
            write(self._path, replace(body, datasets=(*rest, dataset)), _WHAT)

    def remove(self, name: str) -> None:
        """Offer it no more. Errors: `InstanceError` where there is none of that name."""
        with changing(self._path):
            body = read(self._path, _Body, _WHAT) or _Body()
            rest = tuple(item for item in body.datasets if item.public.name != name)
            if len(rest) == len(body.datasets):
                raise InstanceError(f"there is no dataset {name!r} here")
            write(self._path, replace(body, datasets=rest), _WHAT)
