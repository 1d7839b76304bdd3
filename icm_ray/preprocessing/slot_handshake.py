"""Parties tell each other which slot they are about to use, before the first round: all must be told the same."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

import numpy as np

from icm_ray.errors import StockMismatch
from icm_ray.ops.seams import Address, Frame, Link
from icm_ray.program.run_header import SlotName

__all__ = ["exchange_names"]

_NAME: Final = struct.Struct("<16sQQQ")
_STEP: Final = 0xFFFFFFFF
"""No round has this number."""


def exchange_names(name: SlotName, address: Address, links: Sequence[Link]) -> None:
    """Send the name of the consumed slot to every other party, compare theirs. Raises `StockMismatch` naming one."""
    mine = np.frombuffer(_NAME.pack(name.store, name.offset, name.generation, name.opened), np.uint8)
    for link in links:
        link.send(Frame(address, _STEP), (mine,))
    for link in links:
        theirs = np.empty(_NAME.size, np.uint8)
        link.receive(Frame(address, _STEP), (theirs,))
        if not np.array_equal(mine, theirs):
            store, offset, generation, _ = _NAME.unpack(theirs.tobytes())
            raise StockMismatch(
                f"{link.peer} was told slot {offset} of {store.hex()[:8]} in generation {generation}, this party slot "
                f"{name.offset} of {name.store.hex()[:8]} in generation {name.generation}; nothing was shared",
                party=link.peer,
                partition=address.partition,
                step="stock",
                differs="slot",
            )
