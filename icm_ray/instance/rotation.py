"""An instance takes a new key. The old one signs the new certificate, so that whoever pinned the old pins the new.

    rotation = name, H(old), new, Sign_old("rotate", name || H(old) || new), Sign_new("rotate", the same)

Whoever holds a key may sign a successor: one that was stolen is not rotated but revoked, and a new ticket is sent. The
chain of an instance's rotations is public and kept, so that a peer who was away for several of them follows it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from socket import socket
from time import monotonic
from typing import Annotated, Final

import msgspec
from msgspec.structs import replace

from icm_ray.errors import Desynchronised, FaultError, InstanceError, PeerLost
from icm_ray.instance.files import changing, read, read_bytes, write, write_bytes
from icm_ray.instance.keys import InstanceKey, is_signed
from icm_ray.instance.stranger_link import accepted, dialled, receive, send
from icm_ray.instance.tickets import Address
from icm_ray.payload import Digest32, Name, decode

__all__ = ["ROTATED", "Rotation", "Rotations", "answer_rotated", "exchange", "finish", "rotate", "successor"]

ROTATED: Final = "rotated"
"""The name of the link over which two show each other their rotations."""
_FILE: Final = "rotations.json"
_WHAT: Final = "rotations"
_NEXT: Final = "next"
_KEY: Final = "key.pem"
_PURPOSE: Final = "rotate"
_MOST: Final = 64
_TIMEOUT: Final = 10.0
_SIGNATURE = Annotated[bytes, msgspec.Meta(max_length=128)]


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name: whose. before: SHA-256 of the old certificate. certificate: the new one (DER). signature: by the old key.
    proof: by the new one, so that nobody takes a certificate whose key another has.
    """

    name: Name
    before: Digest32
    certificate: Annotated[bytes, msgspec.Meta(max_length=4096)]
    signature: _SIGNATURE = b""
    proof: _SIGNATURE = b""

    @property
    def signed(self) -> bytes:
        """What both signatures are of."""
        return msgspec.msgpack.encode((self.name, self.before, self.certificate))


Chain = Annotated[tuple[Rotation, ...], msgspec.Meta(max_length=_MOST)]


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """told: peers who have taken the last one."""

    rotations: Chain = ()
    told: tuple[Name, ...] = ()


class _Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """What each side shows the other."""

    version: int
    rotations: Chain


_SHOWN: Final = msgspec.msgpack.Decoder(_Shown)


class Rotations:
    """Of the instance whose folder this is, the oldest first."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def _read(self) -> _Body:
        return read(self._path, _Body, _WHAT) or _Body()

    @property
    def chain(self) -> tuple[Rotation, ...]:
        """All of them, or the last that may be shown at once. Errors: `InstanceError`."""
        return self._read().rotations[-_MOST:]

    def add(self, rotation: Rotation) -> None:
        """The last one from now on."""
        with changing(self._path):
            write(self._path, _Body((*self._read().rotations, rotation)[-_MOST:]), _WHAT)

    def untold(self, names: Iterable[str]) -> list[str]:
        """Of these peers those who may not have taken the last one."""
        body = self._read()
        return [name for name in names if name not in body.told] if body.rotations else []

    def tell(self, name: str) -> None:
        """A peer has taken it."""
        with changing(self._path):
            body = self._read()
            if name not in body.told:
                write(self._path, replace(body, told=(*body.told, name)), _WHAT)


def rotate(folder: Path, name: str) -> InstanceKey:
    """Make a new key in the place of the old one, which signs it and is gone. Errors: `InstanceError`.

    On the disk is at each moment one of the two; what a crash left half done `finish` does.
    """
    with changing(folder / _KEY):
        _finish(folder)
        old = InstanceKey.load(name, folder)
        new = InstanceKey.create(name, folder / _NEXT)
        blank = Rotation(name, hashlib.sha256(old.certificate).digest(), new.certificate)
        signed = replace(blank, signature=old.sign(_PURPOSE, blank.signed), proof=new.sign(_PURPOSE, blank.signed))
        Rotations(folder).add(signed)  # from here on the new key is the one that counts
        _finish(folder)
    return InstanceKey.load(name, folder)


def finish(folder: Path) -> None:
    """Put the next key in the place of the old one where its rotation was written down; else forget it."""
    with changing(folder / _KEY):
        _finish(folder)


def _finish(folder: Path) -> None:
    place = folder / _NEXT
    if not place.is_dir():
        return
    chain = Rotations(folder).chain
    certificate = read_bytes(place / "certificate.der")
    if chain and certificate == chain[-1].certificate and (place / _KEY).exists():
        write_bytes(folder / "certificate.der", certificate)
        try:
            os.replace(place / _KEY, folder / _KEY)
        except OSError as error:
            raise InstanceError(f"{folder / _KEY}: cannot be written: {error.strerror}") from None
    shutil.rmtree(place, ignore_errors=True)


def successor(name: str, certificate: bytes, rotations: Iterable[Rotation]) -> bytes:
    """The certificate that follows from the one that is pinned; that itself where none does."""
    at = certificate
    for one in rotations:
        if one.name != name or one.before != hashlib.sha256(at).digest():
            continue
        if not is_signed(at, _PURPOSE, one.signed, one.signature):
            break
        if not is_signed(one.certificate, _PURPOSE, one.signed, one.proof):
            break
        at = one.certificate
    return at


# --- between two instances ------------------------------------------------------------------------------------------


def exchange(
    name: str, chain: tuple[Rotation, ...], address: Address, timeout: float = _TIMEOUT
) -> tuple[Rotation, ...]:
    """Show the own rotations to whoever is at an address: its own. Errors: `FaultError`. What comes proves itself, or
    does not.
    """
    deadline = monotonic() + timeout
    try:
        with dialled(address, ROTATED, name, deadline) as secure:
            send(secure, msgspec.msgpack.encode(_Shown(1, chain)))
            payload = receive(secure, deadline)
    except (OSError, ssl.SSLError) as error:
        raise PeerLost(f"whoever is at {address[0]}:{address[1]} hung up: {error}", step="rotate") from None
    return _shown(payload, f"{address[0]}:{address[1]}")


def answer_rotated(
    key: InstanceKey,
    chain: tuple[Rotation, ...],
    sock: socket,
    deadline: float,
    take: Callable[[tuple[Rotation, ...]], object],
) -> None:
    """The side that was dialled, once the hello was read. take: what the other side shows. Raises OSError."""
    with accepted(key, sock, deadline) as secure:
        try:
            shown = _shown(receive(secure, deadline), "a stranger")
        except FaultError:
            return
        take(shown)
        send(secure, msgspec.msgpack.encode(_Shown(1, chain)))


def _shown(payload: bytes | None, who: str) -> tuple[Rotation, ...]:
    if payload is None:
        raise Desynchronised(f"{who} shows no rotations")
    return decode(payload, _SHOWN, "rotations", who).rotations
