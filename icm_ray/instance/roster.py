"""Whom an organisation knows: a file of peers, each pinned by its certificate, and the tickets that are out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec
from msgspec.structs import replace

from icm_ray.errors import InstanceError
from icm_ray.instance.files import changing, read, write
from icm_ray.instance.tickets import Address, Ticket, proof_of
from icm_ray.payload import Name
from icm_ray.runtime.driver.checked_names import check_name

__all__ = ["Invitation", "Kind", "Peer", "Roster", "State"]

_WHAT: Final = "roster"
_FILE: Final = "roster.json"
Kind = Literal["organisation", "dealer"]
"""A dealer deals, and never owns data."""
State = Literal["joined", "approved", "revoked"]


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name: what both call it. certificate: DER, pinned. addresses: where its instance is reached, () where it dials
    only. state: "joined" until somebody here has compared the words and approved it. first: the fingerprint that it
    was met with, where it has rotated its key since.
    """

    name: Name
    certificate: bytes
    kind: Kind = "organisation"
    addresses: tuple[Address, ...] = ()
    state: State = "joined"
    first: str = ""

    @property
    def identity(self) -> str:
        """Of the one who was met: keys that its key has signed are its own, one who is met anew is another."""
        return self.first or self.fingerprint

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its certificate, in hex."""
        return hashlib.sha256(self.certificate).hexdigest()


class Invitation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ticket that is out. The secret itself is kept: the guest proves that it has it without saying it."""

    guest: Name
    secret: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    expires: int

    def __repr__(self) -> str:
        return f"Invitation({self.guest})"


class _Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    peers: tuple[Peer, ...] = ()
    invitations: tuple[Invitation, ...] = ()


class Roster:
    """Of the instance whose folder this is. What changes is on disk before it counts; for any thread, and other
    processes of this user may change it, too (each change reads it first).
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def _read(self) -> _Body:
        return read(self._path, _Body, _WHAT) or _Body()

    @property
    def peers(self) -> Mapping[str, Peer]:
        """By name, whatever their state."""
        return MappingProxyType({peer.name: peer for peer in self._read().peers})

    def identity(self, name: str) -> str:
        """Of the peer of this name, whatever its state; "": there is none."""
        peer = self.peers.get(name)
        return peer.identity if peer is not None else ""

    def approved(self, name: str) -> Peer:
        """A peer that may be spoken with. Errors: `InstanceError` in words that say what to do."""
        peer = self.peers.get(name)
        if peer is None:
            known = ", ".join(self.peers) or "nobody yet"
            raise InstanceError(
                f"{name!r} is not in the roster (it has {known}): icm invite {name}, or icm join TICKET"
            )
        if peer.state != "approved":
            approve = f"icm peers --approve {name}, once the six words were compared"
            way = approve if peer.state == "joined" else f"icm invite {name}, or icm join TICKET, to meet anew"
            raise InstanceError(f"{name} is {peer.state}, and not approved: {way}", party=name)
        return peer

    def owner_of(self, certificate: bytes) -> Peer | None:
        """The approved peer that is pinned to exactly this certificate."""
        for peer in self._read().peers:
            if peer.state == "approved" and hmac.compare_digest(peer.certificate, certificate):
                return peer
        return None

    def invite(self, ticket: Ticket) -> None:
        """Let the holder of a ticket join; an earlier ticket of the same guest is void.

        Errors: `InstanceError`: the guest is a peer already; `OwnerError` for what is no name.
        """
        check_name(ticket.guest)
        with changing(self._path):
            body = self._read()
            if any(peer.name == ticket.guest and peer.state != "revoked" for peer in body.peers):
                raise InstanceError(f"{ticket.guest} is in the roster already (icm peers)", party=ticket.guest)
            kept = tuple(item for item in body.invitations if item.guest != ticket.guest)
            self._write(replace(body, invitations=(*kept, Invitation(ticket.guest, ticket.secret, ticket.expires))))

    def admit(self, peer: Peer, proof: bytes, fingerprint: bytes, now: float) -> None:
        """Take a guest in that proves to hold a ticket, which is used up by that. fingerprint: of this instance.

        Errors: `InstanceError`, the same whatever is wrong: no ticket, another name, expired, used.
        """
        with changing(self._path):
            body = self._read()
            for item in body.invitations:
                wanted = proof_of(item.secret, fingerprint, peer.name, peer.certificate)
                if item.guest == peer.name and now < item.expires and hmac.compare_digest(wanted, proof):
                    rest = tuple(one for one in body.invitations if one is not item)
                    joined = _met(body, replace(peer, state="joined"))
                    self._write(_Body((*self._others(body, peer.name), joined), rest))
                    return
        raise InstanceError("no ticket that is still good lets this one in")

    def add(self, peer: Peer) -> None:
        """Put a peer in the place of one of that name. Errors: `InstanceError` for a name that is known by another
        certificate and not revoked; `OwnerError` for what is no name: with a dot in it, `bob.x`'s "visits" would have
        the ledger of `bob`'s "x.visits".
        """
        check_name(peer.name)
        with changing(self._path):
            body = self._read()
            known = next((item for item in body.peers if item.name == peer.name), None)
            if known is not None and known.state != "revoked" and known.certificate != peer.certificate:
                raise InstanceError(
                    f"{peer.name} is known by another certificate: icm peers --revoke {peer.name} first"
                )
            self._write(replace(body, peers=(*self._others(body, peer.name), _met(body, peer))))

    def repin(self, name: str, old: bytes, new: bytes) -> bool:
        """Pin a new certificate in the place of the old one; False where that is not pinned any more."""
        with changing(self._path):
            body = self._read()
            for peer in body.peers:
                if peer.name == name and peer.certificate == old and peer.state != "revoked":
                    self._write(replace(body, peers=(*self._others(body, name), _rotated(peer, new))))
                    return True
        return False

    def set_state(self, name: str, state: State) -> Peer:
        """Approve or revoke a peer. Errors: `InstanceError` for one that is not there, and for approving one that is
        revoked: whoever has its key would be let in again. It is met anew.
        """
        with changing(self._path):
            body = self._read()
            for peer in body.peers:
                if peer.name == name:
                    if (peer.state, state) == ("revoked", "approved"):
                        way = f"icm invite {name}, or icm join TICKET, to meet anew"
                        raise InstanceError(f"{name} is revoked, and its key with it: {way}", party=name)
                    found = replace(peer, state=state)
                    self._write(replace(body, peers=(*self._others(body, name), found)))
                    return found
        raise InstanceError(f"{name!r} is not in the roster", party=name)

    @staticmethod
    def _others(body: _Body, name: str) -> tuple[Peer, ...]:
        return tuple(peer for peer in body.peers if peer.name != name)

    def _write(self, body: _Body) -> None:
        write(self._path, body, _WHAT)


def _met(body: _Body, peer: Peer) -> Peer:
    """One that is met: whose certificate is that of a peer of its name is the same one."""
    known = (item for item in body.peers if (item.name, item.certificate) == (peer.name, peer.certificate))
    return next((replace(peer, first=item.first) for item in known), peer)


def _rotated(peer: Peer, certificate: bytes) -> Peer:
    """The same one with a new key."""
    return replace(peer, certificate=certificate, first=peer.identity)
