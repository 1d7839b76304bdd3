"""A ticket: one line by which one organisation may join another's roster, once, for a while.

It says where the inviter is reached and by which certificate it is known, and holds a secret that proves to the inviter
that the joiner has it. Whoever sees a ticket can use it before its holder does: the six words tell.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Annotated, Final

import msgspec

from icm_ray.errors import Desynchronised, InstanceError
from icm_ray.payload import Name, Port, decode
from icm_ray.ring.prg import fresh_secret

__all__ = ["Address", "Ticket", "proof_of"]

Address = tuple[Name, Port]
"""Host and port."""
_MARK: Final = "icm1-"
_CHECK_BYTES: Final = 4
_LONGEST: Final = 2048
Secret = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class Ticket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """inviter: its name. guest: the name that may join by it. addresses: where the inviter is reached; () where it
    only dials. fingerprint: SHA-256 of its certificate. expires: seconds since 1970.
    """

    inviter: Name
    guest: Name
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(max_length=8)]
    fingerprint: Secret
    secret: Secret
    expires: int

    @classmethod
    def made(
        cls, inviter: str, guest: str, addresses: tuple[Address, ...], certificate: bytes, expires: float
    ) -> Ticket:
        """A ticket with a fresh secret."""
        return cls(inviter, guest, addresses, hashlib.sha256(certificate).digest(), fresh_secret(), int(expires))

    def as_text(self) -> str:
        """One line: letters, digits, "-" and "_"."""
        body = msgspec.msgpack.encode(self)
        return _MARK + base64.urlsafe_b64encode(_checked(body) + body).decode().rstrip("=")

    @classmethod
    def of_text(cls, text: str) -> Ticket:
        """What a line says. Errors: `InstanceError` where it is none, or was altered on its way."""
        line = "".join(text.split())
        if not line.startswith(_MARK):
            raise InstanceError("this is no ticket: a ticket begins with icm1- (icm invite NAME prints one)")
        try:
            if len(line) > _LONGEST:
                raise ValueError("too long")
            raw = line.removeprefix(_MARK).encode("ascii")
            payload = base64.b64decode(raw + b"=" * (-len(raw) % 4), altchars=b"-_", validate=True)
            check, body = payload[:_CHECK_BYTES], payload[_CHECK_BYTES:]
            if not hmac.compare_digest(check, _checked(body)):
                raise ValueError("altered")
            return decode(body, _DECODER, "a ticket", "whoever made it")
        except (ValueError, binascii.Error, Desynchronised):
            raise InstanceError("the ticket is cut off or was altered: copy the whole line again") from None

    def check_time(self, now: float) -> None:
        """Raise `InstanceError` where it is too late for it."""
        if now >= self.expires:
            raise InstanceError(f"the ticket has expired: ask {self.inviter} for a new one")

    def __repr__(self) -> str:
        return f"Ticket({self.inviter} invites {self.guest})"


_DECODER: Final = msgspec.msgpack.Decoder(Ticket)


def _checked(body: bytes) -> bytes:
    return hashlib.sha256(b"icm-ray/ticket/1\0" + body).digest()[:_CHECK_BYTES]


def proof_of(secret: bytes, inviter_fingerprint: bytes, guest: str, certificate: bytes) -> bytes:
    """What shows the inviter that the guest, who shows this certificate, has the ticket's secret."""
    said = b"\0".join((b"icm-ray/join/1", inviter_fingerprint, guest.encode(), hashlib.sha256(certificate).digest()))
    return hmac.new(secret, said, hashlib.sha256).digest()
