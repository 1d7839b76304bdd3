"""An instance vouches for the workers that it starts: a certificate, an address and a lane, signed for a while.

Every instance holds the plan of a lane against these before its own worker joins: nobody in between, the asker's driver
least of all, can put another worker in the place of a peer's.
"""

from __future__ import annotations

from typing import Final

import msgspec

from icm_ray.errors import InstanceError
from icm_ray.instance.audit import Head
from icm_ray.instance.heads import SignedHead, signed_head
from icm_ray.instance.keys import InstanceKey, is_signed
from icm_ray.payload import Name
from icm_ray.runtime.orders.lane_plan import Member

__all__ = ["Voucher", "check_voucher", "vouched"]

_PURPOSE: Final = "worker"
_GOOD_FOR: Final = 600.0
"""Seconds: a lane is assembled in less, or not at all."""


class Voucher(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """organisation: who vouches. member: the worker, as the plan of its lane names it. expires: seconds since 1970.
    log: where the organisation's audit log is, for all in the lane to keep. signature: of all that is before it.
    """

    organisation: Name
    session: Name
    lane: int
    member: Member
    expires: int
    log: SignedHead
    signature: bytes = b""

    @property
    def signed(self) -> bytes:
        """What the signature is of."""
        return msgspec.msgpack.encode((self.organisation, self.session, self.lane, self.member, self.expires, self.log))


def vouched(key: InstanceKey, place: tuple[str, int], member: Member, now: float, log: Head) -> Voucher:
    """A voucher that the holder of `key` signs, for a session and a lane of it."""
    head = signed_head(key, log, now)
    blank = Voucher(key.identity.name, *place, member, int(now + _GOOD_FOR), head)
    return msgspec.structs.replace(blank, signature=key.sign(_PURPOSE, blank.signed))


def check_voucher(voucher: Voucher, certificate: bytes, session: str, lane: int, member: Member, now: float) -> None:
    """Raise `InstanceError` where this is not the organisation's word, now, for exactly this member of this lane."""
    wrong = None
    if (voucher.session, voucher.lane) != (session, lane):
        wrong = "is for another lane"
    elif voucher.member != member:
        wrong = "is for another worker"
    elif now >= voucher.expires:
        wrong = "has expired; are the clocks apart? (icm check)"
    elif not is_signed(certificate, _PURPOSE, voucher.signed, voucher.signature):
        wrong = "is not signed by the key that is pinned"
    if wrong is not None:
        raise InstanceError(f"what {voucher.organisation} says of its worker {wrong}", party=voucher.organisation)
