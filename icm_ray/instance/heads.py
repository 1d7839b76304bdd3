"""Heads of audit logs that organisations show each other with every lane, each signed: kept, none can be denied later.

A peer that rewrites its log can show no chain of entries from a head that it has signed to the one that it signs now.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import InstanceError
from icm_ray.instance.audit import Head
from icm_ray.instance.files import changing, read, write
from icm_ray.instance.keys import InstanceKey, is_signed
from icm_ray.payload import Name

__all__ = ["MOST_KEPT", "Heads", "Kept", "SignedHead", "signed_head"]

_PURPOSE: Final = "log"
_WHAT: Final = "list of heads"
MOST_KEPT: Final = 32
"""Of one peer: beyond that every second one is forgotten, never the first and the last."""


class SignedHead(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """How far an organisation says that its log has come. time: seconds since 1970. signature: of all before it."""

    organisation: Name
    head: Head
    time: int
    signature: Annotated[bytes, msgspec.Meta(max_length=128)] = b""

    @property
    def signed(self) -> bytes:
        """What the signature is of."""
        return msgspec.msgpack.encode((self.organisation, self.head, self.time))

    def is_by(self, organisation: str, certificate: bytes) -> bool:
        """Whether it is of this organisation, a head at all, and signed by the key of this certificate."""
        mine = self.organisation == organisation and set(self.head.hash) <= set("0123456789abcdef")
        return mine and is_signed(certificate, _PURPOSE, self.signed, self.signature)


def signed_head(key: InstanceKey, head: Head, now: float) -> SignedHead:
    """A head that the holder of `key` signs."""
    blank = SignedHead(key.identity.name, head, int(now))
    return replace(blank, signature=key.sign(_PURPOSE, blank.signed))


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A head as it was shown. certificate: whose key has signed it, pinned when it was."""

    shown: SignedHead
    certificate: Annotated[bytes, msgspec.Meta(max_length=4096)]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    kept: Annotated[tuple[Kept, ...], msgspec.Meta(max_length=MOST_KEPT)] = ()


class Heads:
    """Of peers' logs, a file for each peer, in an instance's folder. For any thread and process of this user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "heads"

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.json"

    def of(self, name: str) -> tuple[Kept, ...]:
        """What a peer has shown, in that order, since a chain of entries was last shown. Errors: `InstanceError`."""
        found = read(self._path(name), _Body, _WHAT)
        return found.kept if found is not None and found.name == name else ()

    def keep(self, name: str, shown: SignedHead, certificate: bytes) -> None:
        """Keep what a peer shows. Errors: `InstanceError` where the key of its certificate has not signed that."""
        if not shown.is_by(name, certificate):
            raise InstanceError(f"{name} shows a head of its log that its key has not signed", party=name)
        path = self._path(name)
        with changing(path):
            kept = self.of(name)
            if any(one.shown.head == shown.head for one in kept):
                return
            kept = (*kept, Kept(shown, certificate))
            if len(kept) > MOST_KEPT:
                kept = (kept[0], *kept[2:-1:2], kept[-1])
            write(path, _Body(name, kept), _WHAT)

    def settle(self, name: str, proved: SignedHead, certificate: bytes) -> None:
        """A chain of entries leads from all that was shown before a head to that: it alone has to be kept."""
        path = self._path(name)
        with changing(path):
            later = [one for one in self.of(name) if one.shown.head.entries > proved.head.entries]
            write(path, _Body(name, (Kept(proved, certificate), *later)), _WHAT)

    def forget(self, name: str) -> None:
        """What a peer has shown is no evidence any more. Errors: `InstanceError`."""
        path = self._path(name)
        with changing(path):
            write(path, _Body(name), _WHAT)
