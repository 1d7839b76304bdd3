"""What an examination found: one thing at a time, and what mends it."""

from __future__ import annotations

from typing import Literal

import msgspec

from icm_ray.errors import IcmError
from icm_ray.file_version import UPDATE

__all__ = ["Finding", "Outcome", "failed", "ok", "skipped", "unread", "warning"]

Outcome = Literal["ok", "warning", "failed", "skipped"]


class Finding(msgspec.Struct, frozen=True):
    """what: was looked at. said: how it is. remedy: what to do where it is not "ok"; "" where it is."""

    what: str
    outcome: Outcome
    said: str
    remedy: str = ""


def ok(what: str, said: str) -> Finding:
    """As it should be."""
    return Finding(what, "ok", said)


def warning(what: str, said: str, remedy: str) -> Finding:
    """It works, and may soon not."""
    return Finding(what, "warning", said, remedy)


def failed(what: str, said: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(what, "failed", said, remedy)


def unread(what: str, error: IcmError, remedy: str) -> Finding:
    """A file cannot be read: it is newer than what reads it, or damaged, which the remedy is for."""
    return failed(what, error.message, UPDATE if error.where.get("newer") else remedy)


def skipped(what: str, said: str) -> Finding:
    """It could not be looked at."""
    return Finding(what, "skipped", said)
