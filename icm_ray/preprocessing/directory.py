"""A member's own directory: nobody else's to read, and open in one process at a time."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from icm_ray.errors import SessionError
from icm_ray.private_folder import LOCK, OPEN, PrivateFolder, check_private

__all__ = ["Directory"]

_PREFIX: Final = "icm-stock-"


class Directory:
    """A locked directory. let_go: how the lock is given up, where the process does not end before."""

    def __init__(self, path: Path, let_go: Callable[[], None]) -> None:
        self.path = path
        self._let_go: Callable[[], None] | None = let_go

    @classmethod
    def at(cls, root: Path, lane: int, member: str) -> Directory:
        """`root`/lane/member, made where it is missing. Raises `SessionError` where it is in use or open to others."""
        path = root / str(lane) / member
        for part in (root, path.parent, path):
            part.mkdir(mode=0o700, parents=part is root, exist_ok=True)
            check_private(part)  # whoever may write to one of them could put another in the place of the next
        lock = os.open(path / LOCK, OPEN | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise SessionError(f"the stock in {path} is in use by another process") from None
        return cls(path, partial(os.close, lock))

    @classmethod
    def private(cls) -> Directory:
        """A fresh temporary directory. Those of processes that were killed are removed on this occasion."""
        folder = PrivateFolder(_PREFIX)
        return cls(folder.path, folder.close)

    def close(self) -> None:
        """Give the lock up. Idempotent."""
        let_go, self._let_go = self._let_go, None
        if let_go is not None:
            let_go()
