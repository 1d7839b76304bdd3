"""What an organisation keeps by name, of one kind, in one file of its instance's folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from icm_ray.errors import InstanceError
from icm_ray.instance.files import changing, read, write

__all__ = ["Shelf"]


class _Public(Protocol):
    @property
    def name(self) -> str: ...


class _Held(Protocol):
    """public: what peers see of it."""

    @property
    def public(self) -> _Public: ...


T = TypeVar("T", bound=_Held)


class _Body(msgspec.Struct, Generic[T], frozen=True, forbid_unknown_fields=True):
    held: tuple[T, ...] = ()


class Shelf(Generic[T]):
    """kind: the type of what is kept. word: what one is called. For any thread and process of this user. Errors:
    `InstanceError` for a file that is damaged, or cannot be read or written.
    """

    def __init__(self, path: Path, kind: type[T], word: str) -> None:
        self._path, self._kind, self._word = path, kind, word

    @property
    def _what(self) -> str:
        return f"list of {self._word}s"

    def _read(self) -> tuple[T, ...]:
        body: Any = _Body
        found: _Body[T] = read(self._path, body[self._kind], self._what) or _Body()
        return found.held

    @property
    def all(self) -> Mapping[str, T]:
        """By name."""
        return MappingProxyType({item.public.name: item for item in self._read()})

    def _others(self, name: str) -> tuple[T, ...]:
        return tuple(item for item in self._read() if item.public.name != name)

    def put(self, item: T) -> None:
        """Keep it, in the place of one of its name."""
        with changing(self._path):
            write(self._path, _Body((*self._others(item.public.name), item)), self._what)

    def remove(self, name: str) -> None:
        """Keep it no more. Errors: `InstanceError` where there is none of that name."""
        with changing(self._path):
            rest = self._others(name)
            if len(rest) == len(self._read()):
                raise InstanceError(f"there is no {self._word} {name!r} here")
            write(self._path, _Body(rest), self._what)
