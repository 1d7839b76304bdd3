"""What peers offered to this organisation when they were last asked, for requests while they are away: a file for each
peer, and of its identity alone. Nothing of it is believed of a peer that is there.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from msgspec.structs import replace

from icm_ray.errors import Desynchronised, InstanceError
from icm_ray.instance.files import changing, read, write
from icm_ray.instance.messages import Datasets, Offers, Remembered
from icm_ray.instance.roster import Peer
from icm_ray.payload import Name, decode

__all__ = ["Memory"]

_WHAT: Final = "list of what a peer offers"
_DATASETS: Final = msgspec.msgpack.Decoder(Datasets)
_OFFERS: Final = msgspec.msgpack.Decoder(Offers)
T = TypeVar("T")


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """identity: of the peer. datasets, models: as it said them; b"" where it was not asked."""

    name: Name
    identity: str
    datasets: bytes = b""
    models: bytes = b""


class Memory:
    """In an instance's folder. For any thread and process of this user. Errors: `InstanceError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "remembered"

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"

    def _of(self, peer: Peer) -> _Body:
        found = read(self._path(peer.name), _Body, _WHAT)
        mine = found is not None and (found.name, found.identity) == (peer.name, peer.identity)
        return found if found is not None and mine else _Body(peer.name, peer.identity)

    def keep(self, peer: Peer, said: Datasets | Offers) -> None:
        """What a peer says now, in the place of what it said before, also of what cannot be read; what a newer icm-ray
        wrote is left as it is.
        """
        path, payload = self._path(peer.name), msgspec.msgpack.encode(said)
        with changing(path):
            try:
                before = self._of(peer)
            except InstanceError as error:
                if error.where.get("newer"):
                    raise
                before = _Body(peer.name, peer.identity)
            after = replace(before, **{"datasets" if isinstance(said, Datasets) else "models": payload})
            if after != before:
                write(path, after, _WHAT)

    def of(self, peer: Peer) -> Remembered:
        """What a peer said last; None where it never did."""
        found = self._of(peer)
        datasets = self._decoded(found.datasets, _DATASETS, peer.name)
        return Remembered(datasets, self._decoded(found.models, _OFFERS, peer.name))

    def _decoded(self, payload: bytes, decoder: msgspec.msgpack.Decoder[T], name: str) -> T | None:
        try:
            return decode(payload, decoder, _WHAT, name) if payload else None
        except Desynchronised:
            path = self._path(name)
            raise InstanceError(f"{path}: this is no {_WHAT} of an instance: remove it", path=str(path)) from None
