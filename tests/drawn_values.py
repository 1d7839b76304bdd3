"""Values of a type that messages are read as, drawn at random: whatever is added to a type is drawn, too."""

from __future__ import annotations

import random
import string
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from msgspec import inspect

from icm_ray.errors import InputError

_LETTERS = string.ascii_letters + string.digits + "/.-_ '\"é\u202e\x00"

_CONTAINERS: Final = (
    inspect.TupleType,
    inspect.VarTupleType,
    inspect.FrozenSetType,
    inspect.DictType,
    inspect.StructType,
    inspect.DataclassType,
)


class Drawer:
    """Draws values of types, from one seed. words: texts are one of them every other time. samples: by type, in place
    of what a type's own checks refuse again and again.
    """

    def __init__(
        self, seed: int, words: tuple[str, ...] = (), samples: Mapping[type, Any] = MappingProxyType({})
    ) -> None:
        self.random, self.words, self.samples = random.Random(seed), words, samples

    def value(self, kind: Any) -> Any:
        """Of a type as annotations write it."""
        return self._of(inspect.type_info(kind))

    def _length(self, least: int | None, most: int | None) -> int:
        least = least or 0
        return self.random.randint(least, max(least, min(most if most is not None else 4, least + 4)))

    def _number(self, kind: inspect.IntType | inspect.FloatType) -> int:
        least = kind.ge if kind.ge is not None else kind.gt + 1 if kind.gt is not None else -(1 << 40)
        most = kind.le if kind.le is not None else kind.lt - 1 if kind.lt is not None else 1 << 62
        return self.random.choice((int(least), int(most), self.random.randint(int(least), int(most))))

    def _float(self, kind: inspect.FloatType) -> float:
        bounded = any(end is not None for end in (kind.ge, kind.gt, kind.le, kind.lt))
        return float(self._number(kind)) if bounded else self.random.choice((0.0, -1.5, 1e300))

    def _text(self, kind: inspect.StrType) -> str:
        if self.words and self.random.random() < 0.5:
            return self.random.choice(self.words)
        return "".join(self.random.choices(_LETTERS, k=self._length(kind.min_length, kind.max_length)))

    def _of(self, kind: inspect.Type) -> Any:
        draw: Any = self._scalar(kind) if not isinstance(kind, _CONTAINERS) else self._container
        return draw(kind)

    def _scalar(self, kind: inspect.Type) -> Any:
        ways = {
            inspect.IntType: self._number,
            inspect.FloatType: self._float,
            inspect.StrType: self._text,
            inspect.BytesType: lambda one: self.random.randbytes(self._length(one.min_length, one.max_length)),
            inspect.BoolType: lambda _: self.random.random() < 0.5,
            inspect.NoneType: lambda _: None,
            inspect.AnyType: lambda _: self.random.choice((1, "a", None)),
            inspect.LiteralType: lambda one: self.random.choice(one.values),
            inspect.UnionType: lambda one: self._of(self.random.choice(one.types)),
        }
        return ways[type(kind)]

    def _container(self, kind: Any) -> Any:
        match kind:
            case inspect.TupleType():
                return tuple(self._of(item) for item in kind.item_types)
            case inspect.VarTupleType() | inspect.FrozenSetType():
                items = [self._of(kind.item_type) for _ in range(self._length(kind.min_length, kind.max_length))]
                return tuple(items) if isinstance(kind, inspect.VarTupleType) else frozenset(items)
            case inspect.DictType():
                count = self._length(kind.min_length, kind.max_length)
                return {self._of(kind.key_type): self._of(kind.value_type) for _ in range(count)}
        return self._struct(kind)

    def _struct(self, kind: inspect.StructType | inspect.DataclassType) -> Any:
        """A value that its own checks let be, such as a policy's; where none is found, the sample of its type."""
        for _ in range(5):
            given = {field.name: self._of(field.type) for field in kind.fields if self._drawn(field)}
            with suppress(InputError):
                return kind.cls(**given)
        return self.samples[kind.cls]

    def _drawn(self, field: inspect.Field) -> bool:
        return field.required or self.random.random() < 0.7


def altered(random: random.Random, payload: bytes, other: bytes) -> bytes:
    """A payload, damaged as damage comes: a byte, a part that is gone, twice there, or of another payload."""
    at, to = sorted((random.randrange(len(payload) + 1), random.randrange(len(payload) + 1)))
    match random.randrange(6):
        case 0:
            return payload[:at] + random.randbytes(1) + payload[at + 1 :]
        case 1:
            return payload[:at] + payload[to:]
        case 2:
            return payload[:to] + payload[at:]
        case 3:
            return payload[:at] + other[random.randrange(len(other) + 1) :]
        case 4:
            return (
                payload[:at] + bytes([payload[at] ^ (1 << random.randrange(8))]) + payload[at + 1 :]
                if payload[at:]
                else b""
            )
        case _:
            return payload[:at] + random.choice((b"\xdd", b"\xdf", b"\xc6")) + b"\xff" * 4 + payload[at:]
