"""What a party answered about a dataset with a policy: append-only, hash-chained, on disk.

All workers of the party that see the folder keep it together, whichever lane they are in: each reads what the others
wrote before it judges a question, and again before it writes one down, under the file's lock. So two questions are held
against one another wherever they run, and whichever session asks: one that does not know of another's is refused, and
asked again.

A line is {"entry": ..., "hash": ...}: the hash is SHA-256 over the entry's bytes as they stand there, and each entry
names the hash of the one before, so that none can be changed, left out or put in. It names the version of its form,
too, which entries of before do not. A line counts once it is on the disk.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import msgspec

from icm_ray.errors import LedgerChanged, PolicyError, SessionError
from icm_ray.file_version import FileVersion, newer_line
from icm_ray.preprocessing.disk import Disk
from icm_ray.query.question import Question
from icm_ray.query.row_set import RowSet, no_sooner
from icm_ray.ring.prg import fresh_secret

__all__ = ["AnswerLedger", "Entry", "kept_secret", "read_entries"]


_VERSION: Final = 1


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One question. number: from 0 on. time: UTC. session: that asked it. digest: of question and facts. rows: of the
    dataset. sets: those that were not asked for before. previous: hash of the entry before. question: None where only
    row sets were taken over from ledgers of others. version: of its form.
    """

    number: int
    time: str
    session: str
    dataset: str
    digest: str
    recipient: str
    rows: int
    titles: tuple[str, ...]
    sets: tuple[RowSet, ...]
    question: Question | None
    previous: str
    version: FileVersion = _VERSION


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    entry: msgspec.Raw
    hash: str


_LINES, _ENTRIES = msgspec.json.Decoder(_Line), msgspec.json.Decoder(Entry)
_START = "0" * 64
_SECRET_BYTES: Final = 32
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_POLL: Final = 0.002
"""Seconds between two looks at a lock that another worker of the party holds while it writes a line."""


def read_entries(path: Path) -> tuple[list[Entry], str]:
    """The entries of a file, and the hash of the last.

    Errors: `SessionError` naming the file and the line where the chain is broken or is of a newer version, or the file
    cannot be read.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SessionError(f"{path}: the ledger cannot be read: {error.strerror}", path=str(path)) from None
    return _chained(path, text, 0, _START)


def _chained(path: Path, text: bytes, before: int, last: str) -> tuple[list[Entry], str]:
    """Entries from number `before` on, which follow from one whose hash is `last`; the hash of the last of them."""
    entries: list[Entry] = []
    for number, one in enumerate(text.splitlines(), start=before):
        if said := newer_line(one, _VERSION):
            where = f"{path}, line {number + 1}"
            raise SessionError(f"{where}: {said}", path=str(path), line=number + 1, newer=True)
        try:
            line = _LINES.decode(one)
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


def kept_secret(path: Path) -> bytes:
    """32 bytes that nobody else knows: what stands there. They are written first where nothing does, at once, for
    other workers of the same member may do so too. Errors: `SessionError`.
    """
    disk = Disk()
    try:
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_name(f"{path.name}.{fresh_secret(8).hex()}")
            file = disk.create(new)
            try:
                disk.write(file, [fresh_secret()])
                disk.sync(file)
            finally:
                os.close(file)
            with suppress(FileExistsError):
                path.hardlink_to(new)
            new.unlink()
            disk.sync_directory(path.parent)
        secret = path.read_bytes()
    except OSError as error:
        raise SessionError(f"{path}: no noise can be drawn: {error.strerror}", path=str(path)) from None
    if len(secret) != _SECRET_BYTES:
        raise SessionError(f"{path}: what noise is drawn from is damaged", path=str(path))
    return secret


class AnswerLedger:
    """Of one dataset. folder: of the dataset. owner: the party whose it is. session: in which it is asked here.
    patience: seconds that another writer is waited for.

    Errors: `SessionError` where the file cannot be kept there, or its chain is broken.
    """

    def __init__(self, dataset: str, folder: Path, owner: str, session: str = "", patience: float = 5.0) -> None:
        self._dataset, self._owner, self._session, self._patience = dataset, owner, session, patience
        self._path, self._noise = folder / f"{owner}.jsonl", folder / f"{owner}.noise"
        self._sets: dict[RowSet, None] = {}
        self._theirs: set[RowSet] = set()  # of these, what other sessions asked for since the driver was told
        self._shared = False  # whether something stands there that this session did not ask here
        self._number, self._last, self._size = 0, _START, 0
        self._digest = ""  # of the last entry
        self._disk = Disk()
        self._secret = b""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise SessionError(f"{folder}: no ledger can be kept there: {error.strerror}", path=str(folder)) from None
        with self._held():
            pass

    @property
    def sets(self) -> tuple[RowSet, ...]:
        """What was asked for, in that order, as far as it was read."""
        return tuple(self._sets)

    @property
    def secret(self) -> bytes:
        """32 bytes that nobody else knows, from which the party's noise is drawn: beside the ledger, for the same
        number has the same noise as long as that lasts. Errors: `SessionError`.
        """
        self._secret = self._secret or kept_secret(self._noise)
        return self._secret

    def take_over(self, sets: Iterable[RowSet]) -> None:
        """Know of what this party's ledgers elsewhere, and those of others, were asked for, too. The driver is told all
        of it then. Errors: `SessionError`.
        """
        with self._held() as file:
            self._theirs.clear()
            new = tuple(told for told in sets if told not in self._sets)
            if new:
                self._append(file, "", "", 0, (), new, None)

    def check(self, said: Sequence[RowSet], sets: Sequence[RowSet]) -> None:
        """Raise `PolicyError` where a question that tells of `sets` says otherwise than this ledger what was asked
        before (`said`), `LedgerChanged` where it lacks only what other sessions have asked since the driver was told.
        """
        with self._held():
            self._judge(said, sets)

    def record(
        self, digest: bytes, question: Question, rows: int, sets: Sequence[RowSet], said: Sequence[RowSet] = ()
    ) -> None:
        """A question that is about to be answered, on disk before that, once: it may have several programs, in several
        lanes. Errors: those of `check`, for others may have been written down since.
        """
        titles = tuple(statistic.title for statistic in question.statistics)
        with self._held() as file:
            if self._digest == digest.hex():
                return
            self._judge(said, sets)
            new = tuple(told for told in sets if told not in self._sets)
            self._append(file, digest.hex(), question.to, rows, titles, new, question)

    def _judge(self, said: Sequence[RowSet], sets: Sequence[RowSet]) -> None:
        new = tuple(told for told in sets if told not in said)
        if not sets or self.sets in {tuple(said), (*said, *new)}:
            return
        if self._shared and set(said) <= set(self._sets) and len(set(said)) == len(said):
            unknown = set(self._sets) - set(said) - set(sets)
            if unknown and unknown <= self._theirs:
                raise self._of_others()
            if not unknown and no_sooner(sets, said, self.sets):
                return
        reason = "the question says otherwise than this party's ledger what was asked of the dataset before"
        raise PolicyError(f"{self._owner} refuses: {reason}", party=self._owner, dataset=self._dataset)

    @contextmanager
    def _held(self) -> Iterator[int]:
        """The file, which nobody else has meanwhile, once all that stands there is known. Errors: `SessionError`."""
        try:
            file = os.open(self._path, _FLAGS, 0o600)
            try:
                self._lock(file)
                self._read_on(file)
                yield file
            finally:
                os.close(file)
        except OSError as error:
            reason = f"the ledger cannot be written, nothing is answered: {error.strerror}"
            raise SessionError(f"{self._path}: {reason}", path=str(self._path)) from None

    def _lock(self, file: int) -> None:
        """Until the file is closed."""
        deadline = monotonic() + self._patience
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if monotonic() >= deadline:
                    raise self._of_others() from None
                sleep(_POLL)
            else:
                return

    def _read_on(self, file: int) -> None:
        size = os.fstat(file).st_size
        if size == self._size:
            return
        if size < self._size:
            raise _broken(self._path, self._number - 1, "is gone")
        entries, last = _chained(self._path, os.pread(file, size - self._size, self._size), self._number, self._last)
        for entry in entries:
            mine = entry.session == self._session
            told = [one if mine else one.of_before for one in entry.sets]
            if not mine:
                self._theirs.update(one for one in told if one not in self._sets)
            self._sets.update(dict.fromkeys(told))
            self._digest = entry.digest if mine else ""
            self._shared = self._shared or not mine or entry.question is None
        self._number, self._last, self._size = self._number + len(entries), last, size

    def _of_others(self) -> LedgerChanged:
        reason = "another session writes this ledger, nothing is answered here; ask again"
        return LedgerChanged(f"{self._owner}: {reason}", party=self._owner, dataset=self._dataset)

    def _append(
        self,
        file: int,
        digest: str,
        to: str,
        rows: int,
        titles: tuple[str, ...],
        sets: tuple[RowSet, ...],
        question: Question | None,
    ) -> None:
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        entry = Entry(
            self._number, now, self._session, self._dataset, digest, to, rows, titles, sets, question, self._last
        )
        payload = msgspec.json.encode(entry)
        hashed = hashlib.sha256(payload).hexdigest()
        self._write(file, b'{"entry":' + payload + b',"hash":"' + hashed.encode() + b'"}\n')
        self._number, self._last, self._digest = self._number + 1, hashed, digest
        self._shared = self._shared or question is None
        self._sets.update(dict.fromkeys(sets))

    def _write(self, file: int, line: bytes) -> None:
        """All of a line, or nothing of it: half of one would break the chain for good. Raises OSError."""
        try:
            self._disk.write(file, [line])
            self._disk.sync(file)
        except OSError:
            os.ftruncate(file, self._size)
            raise
        if not self._size:
            self._disk.sync_directory(self._path.parent)
        self._size += len(line)
