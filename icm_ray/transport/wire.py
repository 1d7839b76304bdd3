"""The frame on the wire: a fixed header, then the payload as raw little-endian words.

magic 4 | version 1 | kind 1 | zero 2 | job 8 | program 32 | partition 4 | attempt 4 | step 4 | tag 4 | length 8
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from typing import Final

from icm_ray.errors import BoundError, ShapeError
from icm_ray.ops.seams import NO_PROGRAM, Address, Frame, Words

__all__ = [
    "HEADER_BYTES",
    "HEARTBEAT",
    "NO_FRAME",
    "Kind",
    "byte_views",
    "decode",
    "describe",
    "encode",
    "kind_of",
    "take",
    "writable_views",
]

_HEADER: Final = struct.Struct("<4sBBHQ32sIIIIQ")
_MAGIC: Final = b"ICMF"
_VERSION: Final = 2
_KIND_AT: Final = 5
HEADER_BYTES: Final = _HEADER.size
NO_FRAME: Final = Frame(Address(0, NO_PROGRAM, 0, 0), 0, 0)
"""The header fields of frames that belong to no address: messages, heartbeats, goodbyes."""


class Kind(IntEnum):
    """What a frame is."""

    HEARTBEAT = 0
    DATA = 1
    MESSAGE = 2
    GOODBYE = 3


_KINDS: Final = tuple(Kind)
_address = lru_cache(64)(Address)
"""Thousands of frames have the same one."""


def encode(kind: Kind, frame: Frame, length: int) -> bytes:
    """The header of a frame of `length` payload bytes."""
    address = frame.address
    if len(address.program) != len(NO_PROGRAM):
        raise ShapeError(f"a program's digest has {len(NO_PROGRAM)} bytes, not {len(address.program)}")
    try:
        return _HEADER.pack(
            _MAGIC,
            _VERSION,
            kind,
            0,
            address.job,
            address.program,
            address.partition,
            address.attempt,
            frame.step,
            frame.tag,
            length,
        )
    except struct.error as error:
        raise BoundError(f"{frame} does not fit the header of a frame: {error}") from error


HEARTBEAT: Final = encode(Kind.HEARTBEAT, NO_FRAME, 0)


def kind_of(head: bytes) -> int:
    """The kind byte, unchecked: for the fast path, before the header is compared as a whole."""
    return head[_KIND_AT]


def decode(head: bytes) -> tuple[Kind, Frame, int] | None:
    """Kind, frame and payload length; None when these bytes are no header of this version."""
    magic, version, kind, zero, job, program, partition, attempt, step, tag, length = _HEADER.unpack(head)
    if magic != _MAGIC or version != _VERSION or zero != 0 or kind > Kind.GOODBYE:
        return None
    return _KINDS[kind], Frame(_address(job, program, partition, attempt), step, tag), length


def describe(kind: Kind, frame: Frame, length: int | None) -> str:
    """A header in words. Public facts alone."""
    size = "" if length is None else f" of {length} bytes"
    if kind is not Kind.DATA:
        return f"a {kind.name.lower()} frame{size}"
    address = frame.address
    return (
        f"step {frame.step} tag {frame.tag}{size} (job {address.job}, program {address.program[:4].hex()}, "
        f"partition {address.partition}, attempt {address.attempt})"
    )


def byte_views(parts: Iterable[Words]) -> list[memoryview]:
    """The arrays as flat bytes, without copying. Empty arrays have no bytes and are left out."""
    try:
        return [part.data.cast("B") for part in parts if part.size]
    except TypeError as error:
        raise ShapeError(f"only contiguous arrays travel: {error}") from error


def writable_views(parts: Iterable[Words]) -> list[memoryview]:
    """As `byte_views`, for arrays that are to be filled."""
    views = byte_views(parts)
    if any(view.readonly for view in views):
        raise ShapeError("a read-only array cannot be received into")
    return views


def take(views: list[memoryview], count: int) -> None:
    """Drop the first `count` bytes of `views`, in place."""
    done = 0
    while done < len(views) and count >= len(views[done]):
        count -= len(views[done])
        done += 1
    del views[:done]
    if count:
        views[0] = views[0][count:]
