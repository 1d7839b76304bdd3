"""How a run begins: the dealer names its address, the parties read it."""

from __future__ import annotations

import msgspec

from icm_ray.errors import Desynchronised

__all__ = ["Begin", "read_begin"]


class Begin(msgspec.Struct, frozen=True):
    """The address of a run; its attempt number is the dealer's."""

    job: int
    program: bytes
    partition: int
    attempt: int


def read_begin(payload: bytes) -> Begin:
    """The dealer's message; raises `Desynchronised` for anything else."""
    try:
        return msgspec.msgpack.decode(payload, type=Begin)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Desynchronised("the dealer sent something else than the start of a run", party="dealer") from error
