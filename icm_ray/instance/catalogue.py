"""What an organisation offers by name: datasets, where their rows lie, and the policy that guards them. Local: nobody
who asks can name a path, nor another policy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from icm_ray.instance.shelf import Shelf, all_but
from icm_ray.owner.mock_rows import MockRows
from icm_ray.payload import Name
from icm_ray.policy import Policy
from icm_ray.query.tasks import ColumnInfo, CsvSource, ParquetSource

__all__ = ["Catalogue", "HeldDataset", "PublicDataset"]

_FILE: Final = "catalogue.json"
Rows = ParquetSource | CsvSource


class PublicDataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What peers see of a dataset. columns: names and kinds. policy: in force, whoever asks. rows: how many. mock: what
    to try questions on first; without any it is written as it was before there were mock rows. waits: whether a person
    approves what the peer who sees this asks.
    """

    name: Name
    columns: tuple[ColumnInfo, ...]
    rows: int
    policy: Policy
    mock: MockRows | None = None
    waits: bool = False


class HeldDataset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset as its owner keeps it. source: files of the owner's own nodes. standing: peers whose questions are
    answered at once, within the policy; () none's. requests: peers who see it and may ask, each question to be approved
    by a person. version: another one each time that it is offered: approvals are for that one alone.
    identities: of these peers (`icm_ray.instance.roster.Peer.identity`), to whom it was offered.
    """

    public: PublicDataset
    source: Rows
    standing: tuple[Name, ...] = ()
    requests: tuple[Name, ...] = ()
    version: Name = ""
    identities: dict[Name, str] = {}

    @property
    def peers(self) -> tuple[str, ...]:
        """To whom something is given."""
        return tuple(dict.fromkeys((*self.standing, *self.requests)))

    def without(self, names: Collection[str]) -> HeldDataset:
        """The same, with nothing given to these."""
        standing, requests = all_but(names, self.standing), all_but(names, self.requests)
        return replace(self, standing=standing, requests=requests)

    @property
    def as_offered(self) -> str:
        """How it is offered: files, schema, policy, and when it was put there. Approvals are for that."""
        return hashlib.sha256(msgspec.msgpack.encode((self.public, self.source, self.version))).hexdigest()


class Catalogue(Shelf[HeldDataset]):
    """Of an instance, in its folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / _FILE, HeldDataset, "dataset")
        self.folder = folder

    @property
    def datasets(self) -> Mapping[str, HeldDataset]:
        """By name. Errors: `InstanceError` for a file that cannot be read."""
        return self.all
