"""Which names parties and owners may bear."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from icm_ray.errors import OwnerError
from icm_ray.names import DEALER, DRIVER

__all__ = ["check_name", "checked_names"]

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}")


def check_name(name: str) -> None:
    """Raise `OwnerError` for what is no name of a party, of an owner or of an organisation."""
    if not _NAME.fullmatch(str(name)):
        raise OwnerError(
            f"{name!r} cannot be a name: a letter, then letters, digits, '-' or '_', 32 characters at most"
        )
    if name.lower() in {DEALER, DRIVER}:
        raise OwnerError(f"{name!r} is the name of the engine's own {name.lower()}")


def checked_names(parties: Any, owners: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Parties and owners as tuples; raises `OwnerError` where they cannot make a session."""
    if any(isinstance(given, str) or not isinstance(given, Iterable) for given in (parties, owners)):
        raise OwnerError("parties and owners are tuples of names, such as ('alice', 'bob')")
    parties, owners = tuple(parties), tuple(owners)
    names = (*parties, *owners)
    if len(parties) < 2:
        raise OwnerError(f"a session takes two parties or more, not {len(parties)}: {', '.join(map(repr, parties))}")
    for name in names:
        check_name(name)
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise OwnerError(f"{repeated[0]!r} is named twice; every party and owner needs a name of its own")
    return parties, owners
