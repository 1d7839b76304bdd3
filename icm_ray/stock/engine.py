"""Which engine made a slot: what is dealt means something to that engine alone."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["engine_digest"]

_ROOT: Final = Path(__file__).resolve().parents[1]


@cache
def engine_digest(root: Path = _ROOT) -> bytes:
    """16 bytes that name the engine's source. Another plan or protocol numbers, sizes or deals words differently: its
    parties would use corrections for what they are not.
    """
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\0{len(source)}\0".encode())
        digest.update(source)
    return digest.digest()[:16]
