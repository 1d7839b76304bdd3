"""What an instance keeps on disk: versioned JSON, written whole or not at all, nobody else's to read."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any, Final, TypeVar

import msgspec

from icm_ray.errors import InstanceError
from icm_ray.file_version import FileVersion, newer

__all__ = ["VERSION", "changing", "read", "read_bytes", "sweep", "write", "write_bytes"]

T = TypeVar("T")

_LOCKED: Final = 20.0
_LOOK: Final = 0.002
_HALF_WRITTEN: Final = re.compile(r"\..+\.[0-9a-f]{16}")
_OLD: Final = 60.0
"""Seconds after which nobody writes a file any more."""
VERSION: Final = 1
"""Of all files. One that is newer is refused in words."""


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """kind: what it is, as its reader calls it. body: read once kind and version are known."""

    kind: str
    version: FileVersion
    body: msgspec.Raw


_FILES: Final = msgspec.json.Decoder(_File)


def read(path: Path, kind: type[T], what: str) -> T | None:
    """What a file holds; None where there is none. what: its kind, in a word.

    Errors: `InstanceError` naming the file: it cannot be read, is something else, or of a newer version.
    """
    payload = read_bytes(path)
    if payload is None:
        return None
    try:
        found = _FILES.decode(payload)
        if found.kind != what:
            raise InstanceError(f"{path}: this is {found.kind!r}, and no {what}", path=str(path))
        if said := newer(found.version, VERSION):
            raise InstanceError(f"{path}: {said}", path=str(path), newer=True)
        return msgspec.json.decode(found.body, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InstanceError(f"{path}: this is no {what} of an instance: {error}", path=str(path)) from None


def write(path: Path, value: Any, what: str) -> None:
    """Put a value in the place of what a file held. Errors: `InstanceError` where it cannot be written."""
    body = msgspec.json.format(msgspec.json.encode(value))
    write_bytes(path, msgspec.json.encode(_File(what, VERSION, msgspec.Raw(body))) + b"\n")


def read_bytes(path: Path) -> bytes | None:
    """All bytes of a file, None where there is none. Errors: `InstanceError`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InstanceError(f"{path}: cannot be read: {error.strerror}", path=str(path)) from None


def write_bytes(path: Path, payload: bytes) -> None:
    """Put bytes in the place of what a file held, mode 0600, on the disk when this returns. Errors: `InstanceError`."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(file, "wb") as stream:
                stream.write(payload)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(new, path)
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise InstanceError(f"{path}: cannot be written: {error.strerror}", path=str(path)) from None


def sweep(folder: Path) -> None:
    """Remove what processes that were killed left half written below a folder."""
    for path in folder.rglob(".*"):
        with suppress(OSError):
            if _HALF_WRITTEN.fullmatch(path.name) and time() - path.lstat().st_mtime > _OLD:
                path.unlink()


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """One at a time, of all threads and processes, while a file is read and written. Errors: `InstanceError`."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InstanceError(f"{lock}: cannot be written: {error.strerror}", path=str(lock)) from None
    try:
        deadline = monotonic() + _LOCKED
        while not _locked(file):  # others hold it for the time of one small file
            if monotonic() > deadline:
                raise InstanceError(f"{lock}: another process has held it for {_LOCKED:g} s", path=str(lock))
            sleep(_LOOK)
        yield
    finally:
        os.close(file)
