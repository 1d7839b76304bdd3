"""A member's own directory: nobody else's to read, and open in one process at a time."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final

from icm_ray.errors import SessionError

__all__ = ["Directory"]

_LOCK: Final = "lock"
_PREFIX: Final = "icm-stock-"
_OPEN: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


class Directory:
    """A locked directory; the lock goes with the process, however it ends. `temporary`: removed when it is closed."""

    def __init__(self, path: Path, lock: int, temporary: bool) -> None:
        self.path = path
        self._lock, self._temporary = lock, temporary
        self._closed = False

    @classmethod
    def at(cls, root: Path, lane: int, member: str) -> Directory:
        """`root`/lane/member, made where it is missing. Raises `SessionError` where it is in use or open to others."""
        path = root / str(lane) / member
        for part in (root, path.parent, path):
            part.mkdir(mode=0o700, parents=part is root, exist_ok=True)
            _check_private(part)  # whoever may write to one of them could put another in the place of the next
        lock = os.open(path / _LOCK, _OPEN | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise SessionError(f"the stock in {path} is in use by another process") from None
        return cls(path, lock, False)

    @classmethod
    def private(cls) -> Directory:
        """A fresh temporary directory. Those of processes that were killed are removed on this occasion."""
        for old in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
            _remove_abandoned(old)
        path = Path(tempfile.mkdtemp(prefix=_PREFIX))  # mode 0700
        try:
            lock = os.open(path / f"{_LOCK}.new", _OPEN | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.replace(path / f"{_LOCK}.new", path / _LOCK)  # never there under its name without being held
        except OSError:
            shutil.rmtree(path, ignore_errors=True)
            raise
        return cls(path, lock, True)

    def close(self) -> None:
        """Give the lock up. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._temporary:
            shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _check_private(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
        raise SessionError(f"the stock's directory {path} must be this user's own and closed to all others (mode 0700)")


def _remove_abandoned(path: Path) -> None:
    try:
        _check_private(path)
        lock = os.open(path / _LOCK, _OPEN)
    except (OSError, SessionError):
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)
