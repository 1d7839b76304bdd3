"""Kinds of columns, and the one kind that several files, or several owners, agree on where that loses nothing."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from icm_ray.query.arrow_kinds import common_kind, unit_kind
from icm_ray.query.expressions.tree import Scalar
from icm_ray.query.tasks import ColumnInfo

__all__ = ["NUMBERS", "PartColumns", "agreed", "one_form"]

NUMBERS = frozenset({"int", "float", "bool"})
"""The kinds that arithmetic is offered on."""


def one_form(name: str) -> str:
    """A column's name in the one form (NFC) that is the same whoever wrote it."""
    return unicodedata.normalize("NFC", name)


def _common(one: str, other: str) -> str:
    """The kind that holds the values of both without a loss, "" where there is none."""
    if other in {one, "null"}:
        return one
    if one == "null":
        return other
    if {one, other} == {"int", "float"}:
        return "float"
    first, second = unit_kind(one), unit_kind(other)
    if (
        first
        and second
        and first.family is second.family
        and first.zone == second.zone
        and "day" not in {first.unit, second.unit}
    ):
        return common_kind((one, other))
    return ""


@dataclass(frozen=True, slots=True)
class PartColumns:
    """The columns of one file, or of one owner. name: whose. rows: that it brings."""

    name: str
    columns: tuple[ColumnInfo, ...]
    rows: int = 1


def agreed(parts: Sequence[PartColumns], lies: str = "in") -> tuple[ColumnInfo, ...]:
    """The columns of several parts as those of one table, in the order in which they first appear.

    A column that is not there everywhere, or is of kinds that nothing holds in common, carries a `fault`; it is said
    when the column is used. Parts without rows have no say. lies: the word between a kind and the part's name.
    """
    speaking = [part for part in parts if part.rows] or list(parts)
    if len(speaking) == 1:
        return speaking[0].columns
    by_part = [(part, {column.name: column for column in part.columns}) for part in speaking]
    names = dict.fromkeys(name for _, columns in by_part for name in columns)
    return tuple(_agreed_column(name, by_part, lies) for name in names)


def _agreed_column(name: str, by_part: Sequence[tuple[PartColumns, Mapping[str, ColumnInfo]]], lies: str) -> ColumnInfo:
    holder, first = next((part, columns[name]) for part, columns in by_part if name in columns)
    kind, origin, nullable = first.kind, first.origin, first.nullable
    for part, columns in by_part:
        if name not in columns:
            reason = f"{part.name} has no column {name!r}, which {holder.name} has"
            return ColumnInfo(name, "", fault=reason)
        own = columns[name]
        if own.fault:
            return ColumnInfo(name, own.kind, fault=own.fault)
        nullable = nullable or own.nullable
        common = _common(kind, own.kind)
        if not common:
            one, other = _told(holder, kind, origin, lies), _told(part, own.kind, own.origin, lies)
            reason = (
                f"column {name!r} is {one} and {other}; make it the same kind everywhere "
                "(dtype= and na_values= say how CSV is read), or leave it out: columns=[...]"
            )
            return ColumnInfo(name, "unequal", fault=reason)
        if common != kind:
            holder, kind, origin = part, common, own.origin
    return ColumnInfo(name, kind, origin, nullable=nullable, categories=_categories(name, by_part))


def _categories(name: str, by_part: Sequence[tuple[PartColumns, Mapping[str, ColumnInfo]]]) -> tuple[Scalar, ...]:
    """Those of all parts, where each has some."""
    found = [columns[name].categories for _, columns in by_part if columns[name].kind != "null"]
    return tuple(dict.fromkeys(value for own in found for value in own)) if all(found) else ()


def _told(part: PartColumns, kind: str, origin: str, lies: str) -> str:
    if lies == "in" and origin:
        return f"{kind} in {origin}"
    return f"{kind} {lies} {part.name}" + (f" ({origin})" if origin else "")
