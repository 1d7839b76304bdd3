"""What an instance was asked and what it did: append-only, hash-chained, on disk; it holds no value of anybody's data.

A line is {"entry": ..., "hash": ...}: the hash is SHA-256 over the hash before and the digest of the entry's bytes as
they stand there; each entry names the hash before, too, and the version of its form (which entries of before do not
state). Heads (number and hash of the last entry) are what peers keep of one another; digests of entries show that one
follows from another, and no entry: each has random letters.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from icm_ray.errors import InstanceError
from icm_ray.file_version import FileVersion, newer_line
from icm_ray.instance.files import changing
from icm_ray.payload import Natural

__all__ = ["AuditLog", "Entry", "Head", "chained"]

_FILE: Final = "audit.jsonl"
_START: Final = "0" * 64
_VERSION: Final = 1
_TAIL: Final = 1 << 16
"""An entry is shorter than that."""
_LONG: Final = 1000
"""Letters of a fact. Of a longer one an entry has the beginning, and the digest of all of it: what is done is written
down, however much was said."""
_BEGINNING: Final = 200
_KNOWN: Final = 64
"""Places of the file that are remembered."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """number: from 0 on. time: UTC. who: a peer, or this organisation. what: in a word. facts: public, in words. salt:
    random letters, so that nobody finds an entry by its digest. version: of its form.
    """

    number: int
    time: str
    who: str
    what: str
    facts: dict[str, str]
    previous: str
    salt: str
    version: FileVersion = _VERSION


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How far a log has come. entries: so many. hash: of the last."""

    entries: Natural = 0
    hash: Annotated[str, msgspec.Meta(min_length=64, max_length=64)] = _START


class _Place(NamedTuple):
    """Between two lines of the file. head: of the entries before it. offset: bytes."""

    head: Head
    offset: int


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entry: msgspec.Raw
    hash: str


_LINES: Final = msgspec.json.Decoder(_Line)
_ENTRIES: Final = msgspec.json.Decoder(Entry)


def chained(previous: str, digest: bytes) -> str:
    """The hash after an entry of this digest."""
    return hashlib.sha256(bytes.fromhex(previous) + digest).hexdigest()


_TOP: Final = _Place(Head(), 0)


def _shortened(fact: str) -> str:
    if len(fact) <= _LONG:
        return fact
    digest = hashlib.sha256(fact.encode(errors="surrogatepass")).hexdigest()
    return f"{fact[:_BEGINNING]}... ({len(fact)} letters, SHA-256 {digest})"


class AuditLog:
    """In an instance's folder. For any thread and process of this user."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._known: deque[tuple[Head, _Place]] = deque(maxlen=_KNOWN)  # heads, and the place before their last entry

    def add(self, who: str, what: str, **facts: str) -> None:
        """Write a line; it is on the disk when this returns. Errors: `InstanceError`."""
        with changing(self._path):
            head = self._head()
            now, said = datetime.now(UTC).isoformat(timespec="seconds"), {key: _shortened(facts[key]) for key in facts}
            body = msgspec.json.encode(Entry(head.entries, now, who, what, said, head.hash, secrets.token_hex(16)))
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
        line, entry = self._decoded(tail.splitlines()[-1], "the last line")
        return Head(entry.number + 1, line.hash)

    def entries(self) -> list[Entry]:
        """All of them, the chain held. Errors: `InstanceError` naming the line where it is broken."""
        return [entry for entry, _, _ in self._read()]

    def first(self) -> Entry | None:
        """Errors: those of `entries`."""
        return next((entry for entry, _, _ in self._read()), None)

    def hashes(self) -> list[str]:
        """After 0, 1, ... entries. Errors: those of `entries`."""
        return [_START, *(place.head.hash for _, _, place in self._read())]

    def since(self, head: Head, most: int) -> bytes | None:
        """The digests of the entries that follow a head, 32 bytes each, so many at most; None where the log does not
        contain that. Whoever asks on from where an answer ended has the log read on from there. Errors: those of
        `entries`, as far as it is read.
        """
        for place in [place for known, place in list(self._known) if known == head]:
            with suppress(InstanceError):  # it is another file now
                if (found := self._since(head, most, place)) is not None:
                    return found
        return self._since(head, most, _TOP)

    def _since(self, head: Head, most: int, start: _Place) -> bytes | None:
        """The same, of the part of the log behind a place."""
        found, before, at = bytearray(), start, start
        follows = start.head == head
        for _, digest, place in self._read(start):
            before, at = at, place
            if follows:
                found += digest
                if len(found) == most * len(digest):
                    break
            follows = follows or place.head == head
        if found:
            self._known.append((at.head, before))
        return bytes(found) if follows else None

    def _read(self, start: _Place = _TOP) -> Iterator[tuple[Entry, bytes, _Place]]:
        """Each entry behind a place, its digest, and the place behind it."""
        place = start
        try:
            with self._path.open("rb") as stream:
                stream.seek(start.offset)
                for text in stream:
                    entry, digest, after = self._held(text, place.head)
                    place = _Place(Head(entry.number + 1, after), place.offset + len(text))
                    yield entry, digest, place
        except FileNotFoundError:
            return
        except OSError as error:
            raise self._wrong(f"cannot be read: {error.strerror}") from None

    def _held(self, text: bytes, before: Head) -> tuple[Entry, bytes, str]:
        """An entry that a line has, its digest, and the hash after it, held against the head before."""
        number = before.entries
        line, entry = self._decoded(text, f"line {number + 1}")
        digest = hashlib.sha256(line.entry).digest()
        if (entry.number, entry.previous) != (number, before.hash):
            raise self._wrong(f"line {number + 1} does not follow from the one before")
        if chained(before.hash, digest) != line.hash:
            raise self._wrong(f"line {number + 1} was changed")
        return entry, digest, line.hash

    def _decoded(self, text: bytes, where: str) -> tuple[_Line, Entry]:
        """Errors: `InstanceError` for what is no entry, and for one of a newer version."""
        if said := newer_line(text, _VERSION):
            raise self._wrong(f"{where}: {said}", newer=True)
        try:
            line = _LINES.decode(text)
            return line, _ENTRIES.decode(line.entry)
        except (msgspec.MsgspecError, ValueError):
            raise self._wrong(f"{where} is no entry") from None

    def _wrong(self, what: str, **where: Any) -> InstanceError:
        return InstanceError(f"{self._path}: {what}", path=str(self._path), **where)
