"""Which engine this is, as far as members must agree on it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

__all__ = ["engine_digest"]

_ROOT: Final = Path(__file__).resolve().parents[1]
_LAYERS: Final = ("ring", "ops", "protocols", "schedule", "program")
"""What decides how a program is cut, numbered, dealt and run."""


@cache
def engine_digest(root: Path = _ROOT) -> bytes:
    """32 bytes that name the source of these layers.

    Members that differ in it must not deal for one another: streams are named by the number of a step and a tag, and
    another plan or protocol means something else by these. A correction would then tell its receiver the mask of an
    input.
    """
    digest = hashlib.sha256()
    for layer in _LAYERS:
        for path in sorted((root / layer).rglob("*.py")):
            source = path.read_bytes()
            digest.update(f"{path.relative_to(root).as_posix()}\0{len(source)}\0".encode())
            digest.update(source)
    return digest.digest()
