"""Payloads that no decoder may take, kept: each once did harm somewhere, or is of a kind that does."""

import msgspec

_WIDE = (1 << 32) - 1


def nested(head: bytes, depth: int) -> bytes:
    """One container in another, and in the innermost a nil."""
    return head * depth + b"\xc0"


def field(name: str, value: bytes, tag: str = "") -> bytes:
    """A map with one field (and, last, a tag), whose value is given as bytes."""
    last = msgspec.msgpack.encode("type") + msgspec.msgpack.encode(tag) if tag else b""
    return bytes([0x80 + 1 + bool(tag)]) + msgspec.msgpack.encode(name) + value + last


CORPUS = {
    "nothing": b"",
    "no value of msgpack": b"\xc1",
    "nil": b"\xc0",
    "an empty map": b"\x80",
    "an empty array": b"\x90",
    "text": b"\xa5hello",
    "json": b'{"call": 1}',
    "two values": b"\x80\x80",
    "cut off in a length": b"\xdd\xff",
    "cut off in a text": b"\xa5hell",
    "an array of 2^32 - 1": b"\xdd" + _WIDE.to_bytes(4, "big"),
    "a map of 2^32 - 1": b"\xdf" + _WIDE.to_bytes(4, "big"),
    "bytes of 2^32 - 1": b"\xc6" + _WIDE.to_bytes(4, "big"),
    "text of 2^32 - 1": b"\xdb" + _WIDE.to_bytes(4, "big"),
    "an extension": b"\xc7\x03\x05abc",
    "a timestamp": b"\xd6\xff\x00\x00\x00\x00",
    "deep arrays": nested(b"\x91", 100_000),
    "arrays to the limit": nested(b"\x91", 30),
    "deep maps": nested(b"\x81\xa1a", 100_000),
    "deep maps of deep keys": nested(b"\x81", 100_000),
    "long arrays, deep": nested(b"\xdd\x00\x00\x00\x01", 50_000),
    "depth in an unknown field": field("what", nested(b"\x91", 100_000)),
    "depth before a tag": field("what", nested(b"\x91", 100_000), "Run"),
    "depth in where": field("where", nested(b"\x81\xa1a", 100_000), "Failed"),
    "an unknown tag": field("call", b"\x01", "Execute"),
    "a tag that is no text": b"\x81\xa4type\x01",
    "text that is no UTF-8": field("call", b"\xa2\xff\xfe", "Go"),
    "a number too large": field("call", b"\xcf" + b"\xff" * 8 + b"\x01", "Go"),
    "not a number": field("seconds", b"\xcb\x7f\xf8" + bytes(6), "Done"),
    "the same field twice": b"\x83\xa4call\x01\xa4call\xc0\xa4type\xa2Go",
}
"""By what is wrong with it."""
