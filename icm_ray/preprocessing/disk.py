"""The steps in which a stock reaches the disk. Each may be the last one before the power fails; tests try them all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from icm_ray.errors import StockError

__all__ = ["Disk", "refusing"]

_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def refusing(member: str, folder: Path) -> Iterator[None]:
    """What the file system refuses in the block is a `StockError` of `member` that names path and cause."""
    try:
        yield
    except OSError as error:
        path, cause = error.filename or folder, error.strerror or type(error).__name__
        raise StockError(
            f"{member}: the stock in {path} cannot be written or opened: {cause}; make room or name another directory "
            "(stock=, or TMPDIR where none is named)",
            member=member,
            path=str(path),
            cause=cause,
        ) from None


class Disk:
    """Plain system calls. Raises OSError as they do."""

    def create(self, path: Path) -> int:
        """A new file, its owner's alone; the descriptor."""
        return os.open(path, _NEW, 0o600)

    def write(self, file: int, parts: Sequence[bytes | memoryview]) -> None:
        """Append all parts."""
        views = [memoryview(part).cast("B") for part in parts if len(part)]
        while views:
            done = os.writev(file, views)
            while views and done >= len(views[0]):
                done -= len(views.pop(0))
            if done:
                views[0] = views[0][done:]

    def overwrite(self, file: int, data: bytes, at: int) -> None:
        """Put data over what stands at byte `at`."""
        if os.pwrite(file, data, at) != len(data):
            raise OSError("a short write over a few bytes")

    def sync(self, file: int) -> None:
        """Wait until the file's content is on disk."""
        os.fsync(file)

    def rename(self, old: Path, new: Path) -> None:
        """Put one file in the place of another, at once."""
        os.replace(old, new)

    def sync_directory(self, path: Path) -> None:
        """Wait until names in a directory are on disk."""
        file = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)

    def remove(self, path: Path) -> None:
        """Remove a file, which may be gone."""
        with suppress(FileNotFoundError):
            os.unlink(path)

    def replace(self, path: Path, data: bytes) -> None:
        """Put data in a file's place: whoever reads it, after whatever end, finds the old or the new, and whole."""
        new = path.with_name(path.name + ".new")
        self.remove(new)
        file = self.create(new)
        try:
            self.write(file, [data])
            self.sync(file)
        finally:
            os.close(file)
        self.rename(new, path)
        self.sync_directory(path.parent)
