"""What a member knows of its stock, as it stands on disk: nothing of it is secret."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from icm_ray.errors import Desynchronised, StockMismatch
from icm_ray.file_version import newer
from icm_ray.payload import decode

__all__ = ["Batch", "Ledger", "encode_ledger", "read_ledger"]

_VERSION: Final = 1
_MARK: Final = b"ICML"
_MAGIC: Final = _MARK + bytes([_VERSION])


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Slots of one program that were prepared together.

    store: 16 random bytes of the dealer. next: the first unused slot, of `count`. since: the directory's generation
    when it was prepared. weights: keys of fixed weights that it depends on; with any, it ends with the session.
    """

    store: bytes
    program: bytes
    count: int
    since: int
    weights: tuple[str, ...] = ()
    next: int = 0


class Ledger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """generation: how often the directory was opened. batches: in the order of preparation, those with slots left.

    engine: the digest of the engine that wrote it.
    """

    generation: int = 0
    batches: tuple[Batch, ...] = ()
    engine: bytes = b""


_DECODER = msgspec.msgpack.Decoder(Ledger)


def encode_ledger(ledger: Ledger) -> bytes:
    """With a digest of its own, so that damage is found."""
    payload = msgspec.msgpack.encode(ledger)
    return _MAGIC + hashlib.sha256(payload).digest() + payload


def read_ledger(path: Path, member: str) -> Ledger:
    """The ledger; a new one where there is none. Raises `StockMismatch` for a file that is none, not whole or newer."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Ledger()
    if data.startswith(_MARK) and (said := newer(int.from_bytes(data[len(_MARK) : len(_MAGIC)]), _VERSION)):
        raise StockMismatch(f"{member}: {path}: {said}", party=member, step="stock", differs="ledger", newer=True)
    digest, payload = data[len(_MAGIC) : len(_MAGIC) + 32], data[len(_MAGIC) + 32 :]
    if data.startswith(_MAGIC) and hashlib.sha256(payload).digest() == digest:
        with suppress(Desynchronised):  # whole, but of another version
            return decode(payload, _DECODER, "a ledger", member)
    raise StockMismatch(
        f"{member}: {path} is no ledger of a stock, or damaged; remove its directory",
        party=member,
        step="stock",
        differs="ledger",
    )
