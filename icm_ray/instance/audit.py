"""What an instance was asked and what it did: append-only, hash-chained, on disk; it holds no value of anybody's data.

A line is {"entry": ..., "hash": ...}: the hash is SHA-256 over the hash before and the digest of the entry's bytes as
they stand there; each entry names the hash before, too. Heads (number and hash of the last entry) are what peers keep
of one another; digests of entries show that one follows from another, and no entry: each has random letters.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec

from icm_ray.errors import InstanceError
from icm_ray.instance.files import changing, read_bytes
from icm_ray.payload import Natural

__all__ = ["AuditLog", "Entry", "Head", "chained"]

_FILE: Final = "audit.jsonl"
_START: Final = "0" * 64
_TAIL: Final = 1 << 16
"""An entry is shorter than that."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """number: from 0 on. time: UTC. who: a peer, or this organisation. what: in a word. facts: public, in words. salt:
    random letters, so that nobody finds an entry by its digest.
    """

    number: int
    time: str
    who: str
    what: str
    facts: dict[str, str]
    previous: str
    salt: str


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a log has come. entries: so many. hash: of the last."""

    entries: Natural = 0
    hash: Annotated[str, msgspec.Meta(min_length=64, max_length=64)] = _START


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entry: msgspec.Raw
    hash: str


_LINES: Final = msgspec.json.Decoder(_Line)
_ENTRIES: Final = msgspec.json.Decoder(Entry)


def chained(previous: str, digest: bytes) -> str:
    """The hash after an entry of this digest."""
    return hashlib.sha256(bytes.fromhex(previous) + digest).hexdigest()


class AuditLog:
    """In an instance's folder. For any thread and process of this user."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def add(self, who: str, what: str, **facts: str) -> None:
        """Write a line; it is on the disk when this returns. Errors: `InstanceError`."""
        with changing(self._path):
            head = self._head()
            now = datetime.now(UTC).isoformat(timespec="seconds")
            body = msgspec.json.encode(Entry(head.entries, now, who, what, facts, head.hash, secrets.token_hex(16)))
            after = chained(head.hash, hashlib.sha256(body).digest())
            line = msgspec.json.encode(_Line(msgspec.Raw(body), after)) + b"\n"
            if len(line) > _TAIL:
                raise InstanceError(f"{self._path}: an entry of {len(line)} bytes", path=str(self._path))
            try:
                file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
                with open(file, "ab") as stream:
                    stream.write(line)
                    stream.flush()
                    os.fsync(stream.fileno())
            except OSError as error:
                raise self._wrong(f"cannot be written: {error.strerror}") from None

    def head(self) -> Head:
        """Of the last whole line. Errors: `InstanceError`."""
        with changing(self._path):
            return self._head()

    def _head(self) -> Head:
        try:
            with self._path.open("rb") as stream:
                stream.seek(0, os.SEEK_END)
                stream.seek(max(0, stream.tell() - _TAIL))
                tail = stream.read()
        except FileNotFoundError:
            return Head()
        except OSError as error:
            raise self._wrong(f"cannot be read: {error.strerror}") from None
        if not tail:
            return Head()
        if not tail.endswith(b"\n"):
            raise self._wrong("the last line is cut off; icm audit verify says where")
        try:
            line = _LINES.decode(tail.splitlines()[-1])
            return Head(_ENTRIES.decode(line.entry).number + 1, line.hash)
        except (msgspec.MsgspecError, ValueError):
            raise self._wrong("the last line is no entry") from None

    def entries(self) -> list[Entry]:
        """All of them, the chain held. Errors: `InstanceError` naming the line where it is broken."""
        return [entry for entry, _, _ in self._read()]

    def hashes(self) -> list[str]:
        """After 0, 1, ... entries. Errors: those of `entries`."""
        return [_START, *(after for _, _, after in self._read())]

    def since(self, head: Head, most: int) -> bytes | None:
        """The digests of the entries that follow a head, 32 bytes each, so many at most; None where the log does not
        contain that. Errors: those of `entries`.
        """
        found, at = bytearray(), Head()
        follows = head == at
        for entry, digest, after in self._read():
            if follows and len(found) < most * len(digest):
                found += digest
            at = Head(entry.number + 1, after)
            follows = follows or at == head
        return bytes(found) if follows else None

    def _read(self) -> Iterator[tuple[Entry, bytes, str]]:
        """Each entry, its digest, and the hash after it."""
        last = _START
        for number, text in enumerate((read_bytes(self._path) or b"").splitlines()):
            try:
                line = _LINES.decode(text)
                entry = _ENTRIES.decode(line.entry)
            except (msgspec.MsgspecError, ValueError):
                raise self._wrong(f"line {number + 1} is no entry") from None
            digest = hashlib.sha256(line.entry).digest()
            if (entry.number, entry.previous) != (number, last):
                raise self._wrong(f"line {number + 1} does not follow from the one before")
            if chained(last, digest) != line.hash:
                raise self._wrong(f"line {number + 1} was changed")
            yield entry, digest, line.hash
            last = line.hash

    def _wrong(self, what: str) -> InstanceError:
        return InstanceError(f"{self._path}: {what}", path=str(self._path))
