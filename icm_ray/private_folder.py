"""A temporary folder of one process: nobody else's to read, locked while the process lives, swept when it is gone."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import Final, Self

from icm_ray.errors import SessionError

__all__ = ["LOCK", "OPEN", "PrivateFolder", "check_private"]

LOCK: Final = "lock"
"""The file whose lock says that a process has the folder."""
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
