"""How a run begins: the dealer names its address, the parties read it."""

from __future__ import annotations

import msgspec

from icm_ray.payload import Digest16, Digest32, Natural, Word32, decode

__all__ = ["Begin", "SlotName", "read_begin"]


class SlotName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Prepared randomness for one run of one program, as all members must see it.

    store: names what was prepared together. offset: which slot of it. generation: how often the dealer's directory was
    opened since. opened: the first slot that was unused when the dealer opened it last.
    """

    store: Digest16
    offset: Natural
    generation: Natural
    opened: Natural


class Begin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The address of a run; its attempt number is the dealer's. program: the digest of the stamped program. slot: None
    where the dealer deals for this run.
    """

    job: Natural
    program: Digest32
    partition: Word32
    attempt: Word32
    slot: SlotName | None = None


_DECODER = msgspec.msgpack.Decoder(Begin)


def read_begin(payload: bytes) -> Begin:
    """The dealer's message; raises `Desynchronised` for anything else."""
    return decode(payload, _DECODER, "the start of a run", "dealer")
