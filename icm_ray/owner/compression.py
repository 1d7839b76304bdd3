"""Compressed files, known by their first bytes: endings of names are hearsay."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from typing import IO, Any

from icm_ray.errors import SourceError

__all__ = ["DAMAGED", "opened"]

DAMAGED = (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile)
"""What reading from an opened file raises where its bytes cannot be read, or unpacked."""

_ARROW = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
_XZ, _ZIP = b"\xfd7zXZ\x00", b"PK\x03\x04"
_LONGEST = 6


def opened(path: str) -> Any:
    """The file's plain bytes as a readable Arrow stream: gzip, bz2, zstd, lz4, xz and zip (of one file) are unpacked.

    Errors: `OSError`, `SourceError` (a zip of several files, or with a password).
    """
    import pyarrow as pa

    with open(path, "rb") as file:
        head = file.read(_LONGEST)
    for magic, codec in _ARROW.items():
        if head.startswith(magic):
            return pa.CompressedInputStream(pa.OSFile(path), codec)
    if head.startswith(_XZ):
        return pa.PythonFile(lzma.open(path), mode="r")
    if head.startswith(_ZIP):
        return pa.PythonFile(_only_member(path), mode="r")
    return pa.OSFile(path)


def _only_member(path: str) -> IO[bytes]:
    try:
        archive = zipfile.ZipFile(path)
        members = [item for item in archive.infolist() if not item.is_dir()]
        if len(members) == 1 and not members[0].flag_bits & 1:
            return archive.open(members[0])
    except (zipfile.BadZipFile, RuntimeError):
        raise SourceError(f"{path}: a zip that cannot be unpacked", path=path) from None
    what = "a password" if members and members[0].flag_bits & 1 else f"{len(members)} files"
    raise SourceError(f"{path}: a zip with {what}; one file without a password is needed", path=path)
