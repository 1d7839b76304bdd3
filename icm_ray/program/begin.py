"""How a run begins: the dealer names its address, the parties read it."""

from __future__ import annotations

import msgspec

from icm_ray.errors import Desynchronised

__all__ = ["Begin", "SlotName", "read_begin"]


class SlotName(msgspec.Struct, frozen=True):
    """Prepared randomness for one run of one program, as all members must see it.

    store: names what was prepared together. offset: which slot of it. generation: how often the dealer's directory was
    opened since. opened: the first slot that was unused when the dealer opened it last.
    """

    store: bytes
    offset: int
    generation: int
    opened: int


class Begin(msgspec.Struct, frozen=True):
    """The address of a run; its attempt number is the dealer's. slot: None where the dealer deals for this run."""

    job: int
    program: bytes
    partition: int
    attempt: int
    slot: SlotName | None = None


def read_begin(payload: bytes) -> Begin:
    """The dealer's message; raises `Desynchronised` for anything else."""
    try:
        return msgspec.msgpack.decode(payload, type=Begin)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Desynchronised("the dealer sent something else than the start of a run", party="dealer") from error
