"""Bytes that another process sent, as typed data: the one place where they are decoded.

What comes is checked before a decoder sees it: containers lie no deeper in one another than any message needs, and hold
no more than the payload can. A decoder skips what it does not know by calling itself, and would run out of stack.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeVar

import msgspec

from icm_ray.errors import Desynchronised, ProgramError

__all__ = [
    "DEEPEST",
    "Digest16",
    "Digest32",
    "Name",
    "Natural",
    "Port",
    "Shape",
    "Word32",
    "decode",
    "decode_request",
    "is_shallow",
]

T = TypeVar("T")

DEEPEST: Final = 24
"""Containers within one another that a payload may have; programs and orders need half of that."""

Natural = Annotated[int, msgspec.Meta(ge=0)]
"""A number that counts something."""
Word32 = Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
"""A number that fits its place in the header of a frame."""
Port = Annotated[int, msgspec.Meta(ge=0, lt=1 << 16)]
Name = Annotated[str, msgspec.Meta(max_length=256)]
"""Of a member, or of the machine it is on."""
Digest16 = Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]
Digest32 = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Shape = Annotated[tuple[Annotated[int, msgspec.Meta(ge=0, lt=1 << 40)], ...], msgspec.Meta(max_length=32)]
"""The shape of an array, as numpy takes it."""


def decode(payload: bytes, decoder: msgspec.msgpack.Decoder[T], what: str, sender: str) -> T:
    """What `sender` sent, as the decoder's type. Raises `Desynchronised` for whatever is not `what` was expected."""
    if is_shallow(payload):
        try:
            return decoder.decode(payload)
        except (msgspec.MsgspecError, ValueError, OverflowError, TypeError, RecursionError) as error:
            cause: Exception | None = error
    else:
        cause = None
    raise Desynchronised(f"{sender} sent something else than {what}", party=sender) from cause


def decode_request(payload: bytes, decoder: msgspec.msgpack.Decoder[T], what: str) -> T:
    """What someone asks of whoever computes, as the decoder's type. Raises `ProgramError` where it is not `what`."""
    try:
        return decode(payload, decoder, what, "the asker")
    except Desynchronised as error:
        raise ProgramError(f"not {what}: {error.__cause__ or error}") from error


def is_shallow(payload: bytes) -> bool:
    """Whether this is one whole value of msgpack whose containers lie at most `DEEPEST` deep."""
    outer: list[int] = []
    left, at = 1, 0
    try:
        while True:
            while not left:
                if not outer:
                    return at == len(payload)
                left = outer.pop()
            left -= 1
            head = payload[at]
            if width := _WIDTH[head]:
                at += width
                continue
            length_bytes, extra, items = _LONG[head]
            at += 1 + length_bytes
            length = head & 15 if head < _FIRST_LONG else int.from_bytes(payload[at - length_bytes : at], "big")
            if not items:
                at += extra + length
                continue
            if len(outer) == DEEPEST:
                return False
            outer.append(left)
            left = items * length
    except (IndexError, KeyError):  # cut off, or a byte that begins no value
        return False


_FIRST_LONG: Final = 0xC0
"""Below are the containers whose length is in their first byte."""


def _widths() -> tuple[int, ...]:
    """By first byte, how many bytes a value takes; 0 where the first byte does not say."""
    widths = [0] * 256
    widths[0x00:0x80] = [1] * 0x80  # small integers
    widths[0xE0:] = [1] * 0x20
    widths[0xA0:0xC0] = range(1, 33)  # short texts
    for head, width in ((0xC0, 1), (0xC2, 1), (0xC3, 1), (0xCA, 5), (0xCB, 9)):  # nil, booleans, floats
        widths[head] = width
    for power in range(4):  # integers; the last: extensions of a fixed length
        widths[0xCC + power] = widths[0xD0 + power] = 1 + (1 << power)
        widths[0xD4 + power] = 2 + (1 << power)
    widths[0xD8] = 18
    return tuple(widths)


_WIDTH: Final = _widths()
# By first byte: bytes of the length, bytes beside it, items for each (0: the length is in bytes).
_LONG: Final = {
    **dict.fromkeys(range(0x80, 0x90), (0, 0, 2)),  # maps
    **dict.fromkeys(range(0x90, 0xA0), (0, 0, 1)),  # arrays
    0xC4: (1, 0, 0),
    0xC5: (2, 0, 0),
    0xC6: (4, 0, 0),  # bytes
    0xC7: (1, 1, 0),
    0xC8: (2, 1, 0),
    0xC9: (4, 1, 0),  # extensions
    0xD9: (1, 0, 0),
    0xDA: (2, 0, 0),
    0xDB: (4, 0, 0),  # texts
    0xDC: (2, 0, 1),
    0xDD: (4, 0, 1),
    0xDE: (2, 0, 2),
    0xDF: (4, 0, 2),  # long arrays and maps
}
