"""Names of what is kept, derived from what it is: whoever derives a program derives the same names."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

__all__ = ["derived_name"]


def derived_name(prefix: str, *facts: Any) -> str:
    """A name for what the facts describe: the prefix, and 128 bits of a digest of their encoding."""
    return f"{prefix}-{hashlib.sha256(msgspec.msgpack.encode((prefix, *facts))).hexdigest()[:32]}"
