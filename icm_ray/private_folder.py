"""Temporary folders of one process, or of some: nobody else's to read, locked while these live, swept afterwards."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final, Self

from icm_ray.errors import SessionError

__all__ = ["LOCK", "OPEN", "PrivateFolder", "SharedFolder", "check_private", "in_memory"]

LOCK: Final = "lock"
"""The file whose lock says that a process has the folder."""
_MEMORY: Final = "/dev/shm"  # noqa: S108 - what lies there is in folders that are closed to all others
_POLL: Final = 0.002
OPEN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class PrivateFolder:
    """A fresh folder; the lock goes with the process, however it ends. Raises OSError where it cannot be made.

    prefix: of its name. root: where it lies; None: the system's place for temporary files.
    """

    def __init__(self, prefix: str, root: str | None = None) -> None:
        for old in Path(root or tempfile.gettempdir()).glob(f"{prefix}*"):
            _remove_abandoned(old)
        self.path = Path(tempfile.mkdtemp(prefix=prefix, dir=root))  # mode 0700
        try:
            self._lock = os.open(self.path / f"{LOCK}.new", OPEN | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            os.replace(self.path / f"{LOCK}.new", self.path / LOCK)  # never under its name without being held
        except OSError:
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        self._closed = False

    def close(self) -> None:
        """Remove it. Idempotent."""
        if not self._closed:
            self._closed = True
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class SharedFolder:
    """One folder of all who name it, made by the first; it goes with the last, however they end.

    prefix: of its name. name: the rest of it. root: where it lies; None: the system's place for temporary files.
    patience: seconds that one who leaves it is waited for.
    Raises OSError where it cannot be made, `SessionError` where it is open to others, or one who leaves it does not.
    """

    def __init__(self, prefix: str, name: str, root: str | None = None, patience: float = 5.0) -> None:
        place = Path(root or tempfile.gettempdir())
        self.path = place / f"{prefix}{name}"
        for old in place.glob(f"{prefix}*"):
            if old != self.path:
                _remove_abandoned(old)
        self._lock, deadline = -1, monotonic() + patience
        while True:
            self.path.mkdir(mode=0o700, exist_ok=True)
            check_private(self.path)
            with suppress(FileNotFoundError, BlockingIOError):  # the last of others is about to leave
                self._lock = self._joined()
            if self._lock >= 0:
                return
            if monotonic() >= deadline:
                raise SessionError(f"{self.path}: whoever leaves this folder does not end", path=str(self.path))
            sleep(_POLL)

    def _joined(self) -> int:
        """The lock that all hold; -1 where it went with the folder before it was held."""
        lock = os.open(self.path / LOCK, OPEN | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            there = os.stat(self.path / LOCK)
        except OSError:
            os.close(lock)
            raise
        if os.path.samestat(os.fstat(lock), there):
            return lock
        os.close(lock)
        return -1

    def close(self) -> None:
        """Leave; the last one removes it. Idempotent."""
        lock, self._lock = self._lock, -1
        if lock >= 0:
            with suppress(BlockingIOError):  # others are here
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(self.path, ignore_errors=True)
            os.close(lock)


def in_memory() -> str | None:
    """Where files lie in memory, if this system has such a place."""
    return _MEMORY if os.path.isdir(_MEMORY) and os.access(_MEMORY, os.W_OK) else None


def check_private(path: Path) -> None:
    """Raise `SessionError` for what is no folder of this user that is closed to all others, OSError for nothing."""
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise SessionError(f"the directory {path} must be this user's own and closed to all others (mode 0700)")


def _remove_abandoned(path: Path) -> None:
    try:
        check_private(path)
        lock = os.open(path / LOCK, OPEN)
    except (OSError, SessionError):
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)
