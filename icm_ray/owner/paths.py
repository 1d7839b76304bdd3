"""Where an owner's files are: wildcards, directories, and what tells that a file is another one now."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from icm_ray.errors import SourceError

__all__ = ["Stamp", "changed", "expand", "from_home"]


@dataclass(frozen=True, slots=True)
class Stamp:
    """What tells that a file was changed after it was opened."""

    size: int
    modified: int

    @classmethod
    def of(cls, path: str) -> Stamp:
        """The stamp of a file. Errors: `SourceError`."""
        try:
            status = os.stat(path)
        except OSError:
            raise SourceError(f"{path}: cannot be read", path=path) from None
        return cls(status.st_size, status.st_mtime_ns)

    def check(self, path: str) -> None:
        """Raise `SourceError` if the file is another one now."""
        if Stamp.of(path) != self:
            raise changed(path)


def changed(path: str) -> SourceError:
    """The error for a file that no longer holds what it held when it was opened."""
    return SourceError(f"{path}: the file was changed after it was opened; open it again", path=path)


def from_home(path: str) -> str:
    """The path as seen from the home directory, which may lie elsewhere on another node."""
    home = os.path.expanduser("~").rstrip("/")
    return f"~{path[len(home) :]}" if home and path.startswith(f"{home}/") else path


def expand(paths: Sequence[str]) -> tuple[str, ...]:
    """Absolute paths of files: `~` and wildcards expanded (`**` too), all files below a directory, sorted, none twice.

    Files and folders whose names begin with a dot or an underscore are no data, as everywhere where tables are kept in
    directories, unless they are named themselves.
    Errors: `SourceError` naming the path that is missing, or matches nothing.
    """
    files: dict[str, None] = {}
    for path in paths:
        plain = os.path.abspath(os.path.expanduser(path))
        if os.path.isfile(plain):
            files[plain] = None
        elif os.path.isdir(plain):
            below = sorted(_below(plain))
            if not below:
                raise SourceError(f"{path}: a directory without files ({plain})", path=path)
            files.update(dict.fromkeys(below))
        elif glob.has_magic(plain):
            files.update(dict.fromkeys(_matches(path, plain)))
        else:
            raise SourceError(f"{path}: no such file ({plain})", path=path)
    if not files:
        raise SourceError("no path is given")
    return tuple(files)


def _matches(path: str, plain: str) -> list[str]:
    found = glob.glob(plain, recursive=True)
    matched = {item for item in found if os.path.isfile(item)}
    if not matched:  # year=*: whole directories
        matched = {item for folder in found for item in _below(folder)}
    if not matched:
        raise SourceError(f"{path}: matches no file ({plain})", path=path)
    return sorted(matched)


def _below(folder: str) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "_"))]
        yield from (os.path.join(where, name) for name in names if not name.startswith((".", "_")))
