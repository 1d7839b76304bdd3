"""What an organisation keeps by name, of one kind, in one file of its instance's folder.

What is given to peers is given to who has the name then: of one who is met anew by that name, with another key, it
sleeps.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Protocol, Self, TypeVar

import msgspec
from msgspec.structs import replace

from icm_ray.errors import InstanceError
from icm_ray.instance.files import changing, read, write
from icm_ray.instance.roster import Peer, Roster

__all__ = ["Shelf", "all_but"]


class _Public(Protocol):
    @property
    def name(self) -> str: ...


class _Held(Protocol):
    """public: what peers see of it. identities: by the names of peers to whom something is given, whose these are."""

    @property
    def public(self) -> _Public: ...

    @property
    def identities(self) -> Mapping[str, str]: ...

    @property
    def peers(self) -> tuple[str, ...]:
        """To whom something is given."""

    def without(self, names: Collection[str]) -> Self:
        """The same, with nothing given to these."""


T = TypeVar("T", bound=_Held)


class _Body(msgspec.Struct, Generic[T], frozen=True, forbid_unknown_fields=True):
    held: tuple[T, ...] = ()


class Shelf(Generic[T]):
    """kind: the type of what is kept. word: what one is called. For any thread and process of this user. Errors:
    `InstanceError` for a file that is damaged, or cannot be read or written.
    """

    def __init__(self, path: Path, kind: type[T], word: str) -> None:
        self._path, self._kind, self._word = path, kind, word
        self._roster = Roster(path.parent)

    @property
    def _what(self) -> str:
        return f"list of {self._word}s"

    def _read(self) -> tuple[T, ...]:
        body: Any = _Body
        found: _Body[T] = read(self._path, body[self._kind], self._what) or _Body()
        return found.held

    @property
    def all(self) -> Mapping[str, T]:
        """By name, with what is given to peers whom the roster knows as they were then."""
        known = self._roster.peers
        return MappingProxyType({item.public.name: item.without(_others_now(item, known)) for item in self._read()})

    @property
    def asleep(self) -> Mapping[str, tuple[str, ...]]:
        """By name, the peers to whom something was given, and who are others now."""
        known = self._roster.peers
        return MappingProxyType({item.public.name: _others_now(item, known) for item in self._read()})

    def bind(self) -> None:
        """Give what was written without identities to those who have the names now."""
        if any(set(item.peers) - set(item.identities) for item in self._read()):
            with changing(self._path):
                write(self._path, _Body(tuple(self._bound(item, item.identities) for item in self._read())), self._what)

    def _bound(self, item: T, before: Mapping[str, str]) -> T:
        """before: what stays as it is."""
        known = self._roster.peers
        now = {name: known[name].identity for name in item.peers if name in known}
        kept: Any = item
        bound: T = replace(kept, identities={**now, **before})
        return bound

    def _others(self, name: str) -> tuple[T, ...]:
        return tuple(item for item in self._read() if item.public.name != name)

    def put(self, item: T) -> None:
        """Keep it, in the place of one of its name; what it gives is for those who have the names now."""
        with changing(self._path):
            write(self._path, _Body((*self._others(item.public.name), self._bound(item, {}))), self._what)

    def remove(self, name: str) -> None:
        """Keep it no more. Errors: `InstanceError` where there is none of that name."""
        with changing(self._path):
            rest = self._others(name)
            if len(rest) == len(self._read()):
                raise InstanceError(f"there is no {self._word} {name!r} here")
            write(self._path, _Body(rest), self._what)


def all_but(gone: Collection[str], names: tuple[str, ...]) -> tuple[str, ...]:
    """The names that are not among those that are gone."""
    return tuple(name for name in names if name not in gone)


def _others_now(item: _Held, known: Mapping[str, Peer]) -> tuple[str, ...]:
    """The peers to whom it gives something who are not those to whom it was given. known: by name."""
    now = {name: known[name].identity if name in known else "" for name in item.identities}
    return tuple(name for name in item.peers if name in now and now[name] != item.identities[name])
