"""How a slot is filled: what the dealer says before it, what ends it, and which programs can be prepared at all."""

from __future__ import annotations

from typing import Final

import msgspec

from icm_ray.errors import ProgramError
from icm_ray.ops.catalogue import Access, row_of
from icm_ray.payload import Digest16, Digest32, Natural, Word32, decode
from icm_ray.program.program import Program

__all__ = ["END", "Filling", "check_preparable", "read_filling", "weights_of"]

END: Final = 0xFFFFFFFF
"""The operation of the frame that ends a slot; its tag is the number of frames before it."""


class Filling(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The corrections of one slot follow."""

    job: Natural
    program: Digest32
    store: Digest16
    offset: Word32
    attempt: Word32


_DECODER = msgspec.msgpack.Decoder(Filling)


def read_filling(payload: bytes) -> Filling:
    """The dealer's message; raises `Desynchronised` for anything else."""
    return decode(payload, _DECODER, "the start of a slot", "dealer")


def weights_of(program: Program) -> tuple[str, ...]:
    """Keys of the fixed weights that the program uses: what is dealt for it holds for these very loads of them."""
    return tuple(sorted(set(_weights(program, Access.READS))))


def _weights(program: Program, access: Access) -> list[str]:
    rows = [(node.op, row_of(node.op)) for node in program.nodes]
    return [row.place(op) for op, row in rows if row.weight and row.access is access and row.place is not None]


def check_preparable(program: Program) -> None:
    """Raise `ProgramError` for a program that loads a weight: the dealer keeps that mask, made when it is loaded."""
    if loads := _weights(program, Access.WRITES):
        raise ProgramError(f"a program that loads a weight ({loads[0]}) cannot be prepared; prepare those that use it")
