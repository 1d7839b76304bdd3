"""Columns of files: their names in one form, their kinds, and which are asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from icm_ray.query.kinds import one_form

__all__ = ["asked_for", "chosen", "kind_of"]

_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas writes for an index without a name."""


def kind_of(field: Any) -> str:
    """Of an Arrow field: "int", "float" or "bool" for what arithmetic is offered on, "string" for text however it is
    encoded, "null" where there is nothing but that; the name of the Arrow type, or of its extension, for all else.
    """
    import pyarrow as pa

    extension = (field.metadata or {}).get(b"ARROW:extension:name")  # where this process does not know it
    if extension is not None:
        return str(extension.decode(errors="replace"))
    types, held = pa.types, field.type
    if types.is_dictionary(held):
        kind = kind_of(pa.field("", held.value_type))
        return kind if kind in {"string", "null"} else f"dictionary of {kind}"
    for kind, holds in (
        ("int", types.is_integer),
        ("float", types.is_floating),
        ("bool", types.is_boolean),
        ("string", types.is_string),
        ("string", types.is_large_string),
        ("string", types.is_string_view),
        ("null", types.is_null),
    ):
        if holds(held):
            return kind
    return str(held)


def chosen(there: Sequence[str], wanted: Sequence[str] | None) -> tuple[str, ...]:
    """Which of a file's columns are read: those that are wanted and there; all for None, but pandas' nameless index."""
    if wanted is None:
        return tuple(name for name in dict.fromkeys(there) if _INDEX.fullmatch(name) is None)
    return tuple(name for name in wanted if name in there)


def asked_for(columns: Sequence[str] | None) -> tuple[str, ...] | None:
    """Requested names in their one form, none twice; None for all."""
    return None if columns is None else tuple(dict.fromkeys(map(one_form, columns)))
