"""The version that a file states, or a line of one: those of before stated none and are the first; newer ones are
refused in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

__all__ = ["UPDATE", "FileVersion", "newer", "newer_line", "without_version"]

FileVersion = Annotated[int, msgspec.Meta(ge=1)]
UPDATE = "update icm-ray here"
"""What helps where a file is newer."""


class _Stated(msgspec.Struct, frozen=True):  # of what else is there, a newer one may have more
    version: FileVersion = 1


class _Line(msgspec.Struct, frozen=True):
    entry: _Stated


_LINES: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


def newer(version: int, reads: int) -> str:
    """What is wrong with a file of this version; "" where nothing is. reads: the newest version that is understood."""
    if version <= reads:
        return ""
    return f"written by a newer icm-ray (version {version}, this one reads {reads}): {UPDATE}"


def newer_line(text: bytes, reads: int) -> str:
    """The same, of a line {"entry": {"version": ...}, ...} of a chain; "" of what is no such line."""
    try:
        return newer(_LINES.decode(text).entry.version, reads)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""


def without_version(tables: Mapping[str, Any], reads: int) -> dict[str, Any]:
    """All else that a TOML file says. Errors: `ValueError` for a newer one, and for a version that is none."""
    version = tables.get("version", 1)
    if type(version) is not int or version < 1:
        raise ValueError(f"version = {version!r}: it is {reads}")
    if said := newer(version, reads):
        raise ValueError(said)
    return {name: found for name, found in tables.items() if name != "version"}
