"""What a party answered about a dataset with a policy: append-only, hash-chained, and on disk where there is a folder.

A line is {"entry": ..., "hash": ...}: the hash is SHA-256 over the entry's bytes as they stand there, and each entry
names the hash of the one before, so that none can be changed, left out or put in. A line counts once it is on the disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from icm_ray.errors import SessionError
from icm_ray.preprocessing.disk import Disk
from icm_ray.query.question import Question
from icm_ray.query.row_set import RowSet
from icm_ray.ring.prg import fresh_secret

__all__ = ["AnswerLedger", "Entry", "read_entries"]


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question. number: from 0 on. time: UTC. digest: of question and facts. rows: of the dataset. sets: those that
    were not asked for before. previous: hash of the entry before. question: None where only row sets were taken over
    from the party's other workers.
    """

    number: int
    time: str
    dataset: str
    digest: str
    recipient: str
    rows: int
    titles: tuple[str, ...]
    sets: tuple[RowSet, ...]
    question: Question | None
    previous: str


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entry: msgspec.Raw
    hash: str


_LINES, _ENTRIES = msgspec.json.Decoder(_Line), msgspec.json.Decoder(Entry)
_START = "0" * 64
_SECRET_BYTES: Final = 32


def read_entries(path: Path) -> tuple[list[Entry], str]:
    """The entries of a file, and the hash of the last.

    Errors: `SessionError` naming the file and the line where the chain is broken, or the file cannot be read.
    """
    entries: list[Entry] = []
    last = _START
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise SessionError(f"{path}: the ledger cannot be read: {error.strerror}", path=str(path)) from None
    for number, text in enumerate(lines):
        try:
            line = _LINES.decode(text)
            entry = _ENTRIES.decode(line.entry)
        except (msgspec.DecodeError, ValueError):
            raise _broken(path, number, "is no entry") from None
        if hashlib.sha256(line.entry).hexdigest() != line.hash:
            raise _broken(path, number, "was changed")
        if (entry.number, entry.previous) != (number, last):
            raise _broken(path, number, "does not follow from the one before")
        entries.append(entry)
        last = line.hash
    return entries, last


def _broken(path: Path, number: int, what: str) -> SessionError:
    where = f"{path}, line {number + 1}"
    return SessionError(f"{where}: the ledger is broken: the entry {what}", path=str(path), line=number + 1)


class AnswerLedger:
    """Of one dataset. folder: of the dataset, None: in memory. writer: whose file it is; owner: whose files count."""

    def __init__(self, dataset: str, folder: Path | None = None, owner: str = "", writer: str = "") -> None:
        self._dataset = dataset
        self._path = None if folder is None else folder / f"{writer}.jsonl"
        self._sets: dict[RowSet, None] = {}
        self._number, self._last, self._size = 0, _START, 0
        self._disk = Disk()
        self._noise = None if folder is None else folder / f"{owner}.noise"
        self._secret = b""
        if folder is None or self._path is None:
            return
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SessionError(f"{folder}: no ledger can be kept there: {error.strerror}", path=str(folder)) from None
        found: list[Entry] = []
        for path in sorted(folder.glob(f"{owner}.*.jsonl")):
            size = path.stat().st_size
            entries, last = read_entries(path)
            found += entries
            if path == self._path:
                self._number, self._last, self._size = len(entries), last, size
        for entry in sorted(found, key=lambda entry: entry.time):
            self._sets.update(dict.fromkeys(told.of_before for told in entry.sets))

    @property
    def sets(self) -> tuple[RowSet, ...]:
        """What was asked for, in that order."""
        return tuple(self._sets)

    @property
    def secret(self) -> bytes:
        """32 bytes that nobody else knows, from which the party's noise is drawn: beside the ledger where that is on
        disk, for the same number has the same noise in the next session. Errors: `SessionError`.
        """
        if not self._secret:
            self._secret = fresh_secret() if self._noise is None else self._kept_secret(self._noise)
        return self._secret

    def _kept_secret(self, path: Path) -> bytes:
        """What stands there; written first where nothing does, at once, for the party's other workers may do so too."""
        try:
            if not path.exists():
                new = path.with_name(f"{path.name}.{fresh_secret(8).hex()}")
                file = self._disk.create(new)
                try:
                    self._disk.write(file, [fresh_secret()])
                    self._disk.sync(file)
                finally:
                    os.close(file)
                with suppress(FileExistsError):
                    path.hardlink_to(new)
                new.unlink()
                self._disk.sync_directory(path.parent)
            secret = path.read_bytes()
        except OSError as error:
            raise SessionError(f"{path}: no noise can be drawn: {error.strerror}", path=str(path)) from None
        if len(secret) != _SECRET_BYTES:
            raise SessionError(f"{path}: what noise is drawn from is damaged", path=str(path))
        return secret

    def take_over(self, sets: Iterable[RowSet]) -> None:
        """Know of what other workers were asked for, too."""
        new = tuple(told for told in sets if told not in self._sets)
        if new:
            self._append("", "", 0, (), new, None)

    def record(self, digest: bytes, question: Question, rows: int, sets: Iterable[RowSet]) -> None:
        """A question that is about to be answered, on disk before that. Errors: `SessionError`."""
        titles = tuple(statistic.title for statistic in question.statistics)
        new = tuple(told for told in sets if told not in self._sets)
        self._append(digest.hex(), question.to, rows, titles, new, question)

    def _append(
        self,
        digest: str,
        to: str,
        rows: int,
        titles: tuple[str, ...],
        sets: tuple[RowSet, ...],
        question: Question | None,
    ) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        entry = Entry(self._number, now, self._dataset, digest, to, rows, titles, sets, question, self._last)
        payload = msgspec.json.encode(entry)
        hashed = hashlib.sha256(payload).hexdigest()
        if self._path is not None:
            self._write(b'{"entry":' + payload + b',"hash":"' + hashed.encode() + b'"}\n')
        self._number, self._last = self._number + 1, hashed
        self._sets.update(dict.fromkeys(sets))

    def _write(self, line: bytes) -> None:
        if self._path is None:
            return
        try:
            new = not self._path.exists()
            file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                self._append_whole(file, line)
            finally:
                os.close(file)
            if new:
                self._disk.sync_directory(self._path.parent)
        except OSError as error:
            raise SessionError(
                f"{self._path}: the ledger cannot be written, nothing is answered: {error.strerror}",
                path=str(self._path),
            ) from None

    def _append_whole(self, file: int, line: bytes) -> None:
        """All of a line, or nothing of it: half of one would break the chain for good. Raises OSError.

        Errors: `SessionError` where another session writes, or has written since: its row sets are not known here.
        """
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # until it is closed
            alone = os.fstat(file).st_size == self._size
        except BlockingIOError:
            alone = False
        if not alone:
            reason = (
                "another session writes this ledger, nothing is answered here; read the rows again when it has ended"
            )
            raise SessionError(f"{self._path}: {reason}", path=str(self._path))
        try:
            self._disk.write(file, [line])
            self._disk.sync(file)
            self._size += len(line)
        except OSError:
            os.ftruncate(file, self._size)
            raise
