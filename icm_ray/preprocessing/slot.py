"""The file of a slot: a party's secret with the dealer, and its corrections in the order of their arrival.

    magic 4 | version 1 | zero 3 | offset 8 | program 32 | secret 32 | store 16 | zero to 128
    then frames, each: operation 4 | tag 4 | length 8 | zero to 64, payload, zero to a multiple of 64
    the last: END | number of frames | 0

Payloads begin at multiples of 64 bytes: kernels are compiled for aligned, writable arrays. All zeros in the secret's
place say that the slot was used.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from threading import Lock
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import Desynchronised, StockMismatch
from icm_ray.file_version import newer
from icm_ray.preprocessing.disk import Disk
from icm_ray.preprocessing.filling import END
from icm_ray.preprocessing.keys import slot_key
from icm_ray.profile import Part, spends
from icm_ray.ring.prg import Key

__all__ = ["SlotWriter", "StoredSlot", "erase"]

_HEADER: Final = struct.Struct("<4sB3xQ32s32s16s32x")
_FRAME: Final = struct.Struct("<IIQ")
_MAGIC: Final = b"ICMK"
_VERSION: Final = 3
_SECRET_AT: Final = 48
_SECRET_BYTES: Final = 32
_USED: Final = bytes(_SECRET_BYTES)
_BLOCK: Final = 64


def _padding(length: int) -> bytes:
    return bytes(-length % _BLOCK)


class SlotWriter:
    """Writes one slot, frame by frame. Until `finish` it is no slot."""

    def __init__(self, disk: Disk, path: Path, program: bytes, store: bytes, offset: int, secret: bytes) -> None:
        self._disk, self._file, self._frames = disk, disk.create(path), 0
        try:
            disk.write(self._file, [_HEADER.pack(_MAGIC, _VERSION, offset, program, secret, store)])
        except BaseException:
            self.close()
            raise

    def add(self, operation: int, tag: int, payload: NDArray[np.uint8]) -> None:
        """Append a correction."""
        head = _FRAME.pack(operation, tag, payload.nbytes)
        self._disk.write(self._file, [head + bytes(_BLOCK - len(head)), payload.data, _padding(payload.nbytes)])
        self._frames += 1

    def finish(self, frames: int) -> bool:
        """Mark the end and wait until all is on disk; False where it is not `frames` that came."""
        head = _FRAME.pack(END, self._frames, 0)
        self._disk.write(self._file, [head + bytes(_BLOCK - len(head))])
        self._disk.sync(self._file)
        return self._frames == frames

    def close(self) -> None:
        """Close the file. Idempotent."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)


def erase(disk: Disk, path: Path) -> None:
    """Overwrite a slot's secret, then remove the file, which may be gone already or no slot."""
    try:
        file = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        disk.overwrite(file, _USED, _SECRET_AT)
        disk.sync(file)
    finally:
        os.close(file)
    disk.remove(path)


class StoredSlot:
    """A slot that is used: `Corrections` from its file. Raises `StockMismatch` for a file that is not this very slot.

    Payloads are read when they are asked for, each into an array of its own: a mapping would cost a page fault for
    every 4 KiB, and milliseconds to be unmapped.
    """

    def __init__(self, disk: Disk, path: Path, member: str, program: bytes, store: bytes, offset: int) -> None:
        self.received = 0
        self._counting = Lock()
        self._disk, self._path, self._member = disk, path, member
        self._places: dict[tuple[int, int], tuple[int, int]] = {}
        try:
            self._file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            self._refuse("is missing")
        try:
            self._key = self._read_key((program, store, offset))
            self._index()
        except BaseException:
            os.close(self._file)
            raise

    def __repr__(self) -> str:
        return f"StoredSlot({self._path.name})"

    def _refuse(self, what: str) -> NoReturn:
        raise StockMismatch(
            f"{self._member}: the slot {self._path.name} {what}", party=self._member, step="stock", differs="file"
        )

    def _read_key(self, name: tuple[bytes, bytes, int]) -> Key:
        head = os.pread(self._file, _HEADER.size, 0)
        if len(head) != _HEADER.size:
            self._refuse("is cut off")
        magic, version, offset, program, secret, store = _HEADER.unpack(head)
        if magic == _MAGIC and (said := newer(version, _VERSION)):
            self._refuse(f"was {said}")
        if (magic, version) != (_MAGIC, _VERSION) or (program, store, offset) != name:
            self._refuse("is another file")
        if secret == _USED:
            self._refuse("was used before")
        return slot_key(secret, *name)

    def _index(self) -> None:
        """Find every frame, up to an end that is the file's own."""
        size, at = os.fstat(self._file).st_size, _HEADER.size
        while at + _BLOCK <= size:
            operation, tag, length = _FRAME.unpack(os.pread(self._file, _FRAME.size, at))
            at += _BLOCK
            if operation == END:
                if (tag, length, at) != (len(self._places), 0, size):
                    break
                return
            if (operation, tag) in self._places:
                self._refuse(f"has two corrections for {(operation, tag)}")
            self._places[operation, tag] = (at, length)
            at += length + -length % _BLOCK
        self._refuse("is cut off or damaged")

    def spend(self) -> Key:
        """Overwrite the secret on disk, then hand its stream key out: the slot cannot be opened again."""
        self._disk.overwrite(self._file, _USED, _SECRET_AT)
        self._disk.sync(self._file)
        return self._key

    def take(self, operation: int, tag: int, size: int) -> NDArray[np.uint8]:
        """The correction of (operation, tag), of `size` bytes. Raises `Desynchronised` where the slot lacks it: others
        may have had shares by now, so that this is no `StockMismatch`.
        """
        place = self._places.pop((operation, tag), None)
        if place is None or place[1] != size:
            self._lacks("none" if place is None else f"one of {place[1]} bytes", operation, tag, size)
        payload = np.empty(size, np.uint8)
        done = 0
        with spends(Part.DEALER):
            while done < size:
                if not (count := os.preadv(self._file, [payload.data[done:]], place[0] + done)):
                    self._lacks(f"one of {done} bytes left", operation, tag, size)
                done += count
        with self._counting:  # several threads take
            self.received += size
        return payload

    def _lacks(self, found: str, operation: int, tag: int, size: int) -> NoReturn:
        raise Desynchronised(
            f"{self._member}: the slot {self._path.name} has {found} for {(operation, tag)} where a correction of "
            f"{size} bytes was due",
            party=self._member,
            step=str((operation, tag)),
        )

    def close(self) -> None:
        """Close and remove the file. Idempotent."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)
            self._disk.remove(self._path)
