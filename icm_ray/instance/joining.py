"""How a guest comes in by a ticket, before either side's certificate is known to the other but by the ticket.

    guest -> inviter   hello, in the clear, of the link "join"
                       TLS 1.3: the inviter shows its certificate, which the guest holds against the fingerprint
    guest -> inviter   name, certificate, addresses, proof (HMAC under the ticket's secret), signature of the guest's
    inviter -> guest   name, certificate and addresses of the inviter, or why not

TLS keeps the proof from whoever listens, the signature says that the guest has the key that it shows.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Annotated, Final

import msgspec

from icm_ray.errors import Desynchronised, InstanceError, PeerLost, PeerRefused
from icm_ray.instance.keys import InstanceKey, is_signed
from icm_ray.instance.roster import Kind, Peer
from icm_ray.instance.stranger_link import accepted, dialled, receive, send
from icm_ray.instance.tickets import Address, Ticket, proof_of
from icm_ray.payload import Name, decode

__all__ = ["JOIN", "Welcome", "answer_guest", "join"]

JOIN: Final = "join"
"""The name of the link by which a guest comes."""
_PURPOSE: Final = "join"
_TIMEOUT: Final = 20.0
_CERTIFICATE = Annotated[bytes, msgspec.Meta(max_length=4096)]


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    version: int
    name: Name
    kind: Kind
    certificate: _CERTIFICATE
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(max_length=8)]
    proof: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
    signature: Annotated[bytes, msgspec.Meta(max_length=128)]


class Welcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """refusal: why not; "" where the guest is in the roster now. kind: of the inviter."""

    refusal: Annotated[str, msgspec.Meta(max_length=512)]
    kind: Kind


Admit = Callable[[Peer, bytes, bytes], None]
"""Takes a guest in: the peer, its proof, the inviter's fingerprint."""
_REQUESTS: Final = msgspec.msgpack.Decoder(_Request)
_WELCOMES: Final = msgspec.msgpack.Decoder(Welcome)


def _signed(proof: bytes, fingerprint: bytes) -> bytes:
    return proof + fingerprint


def join(
    key: InstanceKey, kind: Kind, addresses: tuple[Address, ...], ticket: Ticket, timeout: float = _TIMEOUT
) -> tuple[bytes, Kind]:
    """Use a ticket: the inviter's certificate and kind. Errors: `PeerLost` (nobody there), `PeerRefused` (somebody else
    is there), `InstanceError` (the ticket is not taken).
    """
    if not ticket.addresses:
        raise InstanceError(f"{ticket.inviter} cannot be reached, it only dials: let it join by a ticket of yours")
    lost: OSError | None = None
    for address in ticket.addresses:
        try:
            return _joined(key, kind, addresses, ticket, address, monotonic() + timeout)
        except (TimeoutError, ConnectionError, socket.gaierror) as error:
            lost = error
    tried = ", ".join(f"{host}:{port}" for host, port in ticket.addresses)
    raise PeerLost(f"{ticket.inviter} cannot be reached at {tried}: {lost}", party=ticket.inviter, step="join")


def _joined(
    key: InstanceKey, kind: Kind, addresses: tuple[Address, ...], ticket: Ticket, address: Address, deadline: float
) -> tuple[bytes, Kind]:
    name = key.identity.name
    with dialled(address, JOIN, name, deadline) as secure:
        shown = secure.getpeercert(binary_form=True) or b""
        if not hmac.compare_digest(hashlib.sha256(shown).digest(), ticket.fingerprint):
            who = f"whoever is at {address[0]}:{address[1]} is not {ticket.inviter}: another certificate"
            raise PeerRefused(f"{who} than the ticket's", party=ticket.inviter, step="join")
        proof = proof_of(ticket.secret, ticket.fingerprint, ticket.guest, key.certificate)
        request = _Request(
            1, name, kind, key.certificate, addresses, proof, key.sign(_PURPOSE, _signed(proof, ticket.fingerprint))
        )
        send(secure, msgspec.msgpack.encode(request))
        payload = receive(secure, deadline)
    if payload is None:
        raise PeerLost(f"{ticket.inviter} hung up", party=ticket.inviter, step="join")
    welcome = decode(payload, _WELCOMES, "a welcome", ticket.inviter)
    if welcome.refusal:
        raise InstanceError(f"{ticket.inviter} refuses: {welcome.refusal}", party=ticket.inviter)
    return shown, welcome.kind


def answer_guest(
    key: InstanceKey,
    kind: Kind,
    sock: socket.socket,
    deadline: float,
    admit: Admit,
) -> None:
    """The inviter's side, once the hello was read. admit: takes the guest in, or raises `InstanceError`."""
    with accepted(key, sock, deadline) as secure:
        payload = receive(secure, deadline)
        request: _Request | None = None
        with suppress(Desynchronised):
            request = decode(payload or b"", _REQUESTS, "a request to join", "a guest")
        refusal = _refusal(key, request, admit)
        send(secure, msgspec.msgpack.encode(Welcome(refusal, kind)))


def _refusal(key: InstanceKey, request: _Request | None, admit: Admit) -> str:
    fingerprint = hashlib.sha256(key.certificate).digest()
    if request is None:
        return "this is no request to join"
    if request.version > 1:
        return "the guest's icm-ray is newer than this one: update it here"
    if not is_signed(request.certificate, _PURPOSE, _signed(request.proof, fingerprint), request.signature):
        return "no ticket that is still good lets this one in"
    try:
        admit(Peer(request.name, request.certificate, request.kind, request.addresses), request.proof, fingerprint)
    except InstanceError as error:
        return error.message[:500]
    return ""
