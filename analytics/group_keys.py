"""What rows are grouped by: columns and expressions, of public values or of private ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from analytics.meant import Groups, Meant
from analytics.operators import Operators
from analytics.public_values import plain
from analytics.unit_keys import UnitKey, unit_key
from icm_ray.errors import ColumnError, InputError
from icm_ray.query.expressions.tree import Of, Scalar, columns_of
from icm_ray.query.expressions.words import words
from icm_ray.query.kinds import one_form
from icm_ray.query.private_keys import MOST_INTEGER, PrivateKeys
from icm_ray.query.secret_groups import key_of_shares
from icm_ray.query.secret_rows import SecretRows
from icm_ray.query.selection import MOST_CELLS
from icm_ray.query.tasks import ColumnInfo, GroupKey, PrivateKey
from icm_ray.whole_numbers import whole_number

__all__ = ["TEXT", "NamedGroups", "domain_of", "keys_of", "label_of", "places_for", "private_keys", "public_of"]

_MOST_GROUPS: Final = 4096
TEXT: Final = 20
"""Bytes of a text that is a private key, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class NamedGroups:
    """names: that the index of results gets, as pandas has it. groups: what rows are grouped by. units: of each key
    whose kind has a unit what its numbers stand for.
    """

    names: tuple[str | None, ...]
    groups: Groups
    units: tuple[UnitKey | None, ...] = ()

    @property
    def keys(self) -> Sequence[GroupKey | PrivateKey]:
        """What rows are grouped by, one after the other."""
        return self.groups.keys if isinstance(self.groups, PrivateKeys) else self.groups

    def held(self, place: int) -> Of:
        """The column that a key is."""
        unit = self.unit(place)
        return self.keys[place].of if unit is None else unit.of

    def unit(self, place: int) -> UnitKey | None:
        """What the numbers of a key stand for."""
        return self.units[place] if self.units else None

    def index(self, place: int, values: Sequence[Any]) -> Any:
        """Values of a key as pandas' index."""
        import pandas as pd

        unit = self.unit(place)
        return pd.Index(list(values)) if unit is None else unit.index(values)


def keys_of(
    meant: Meant, columns: Mapping[str, Of], by: Sequence[Any], domain: Any, most: int | None, most_bytes: int
) -> NamedGroups:
    """The keys of a frame whose columns hold these.

    by: names and columns of the same rows. domain: by name the values of each, in any order; of one key they may stand
    alone. Values are put in order, as pandas puts groups; None: they are private, unless those of all keys are public
    (booleans, categories, shared text). most: the places for groups of each owner,
    most_bytes: of a text, where they are private.
    Errors: `InputError` (none, values that are not stated, a column of other rows), `ColumnError` (no such column).
    """
    if not by:
        raise InputError("rows are grouped by one column or more")
    found = [_key(meant, columns, item) for item in by]
    names = tuple(name for name, _ in found)
    units = tuple(unit_key(meant, of) for _, of in found)
    found = [(name, of if unit is None else unit.ticks.of) for (name, of), unit in zip(found, units, strict=True)]
    stated = dict(_stated(domain, names))
    for name, unit in zip(names, units, strict=True):
        if unit is not None and stated.get(name) is not None:
            stated[name] = unit.numbers(name, stated[name])
    infos = [meant.info(of) for _, of in found]
    public = [public_of(meant, of) for _, of in found]
    if domain is None and not 1 <= math.prod(map(len, public)) <= MOST_CELLS:
        return NamedGroups(names, private_keys(meant, [of for _, of in found], most, most_bytes), units)
    keys = tuple(
        GroupKey(of, domain_of(info, name, stated.get(name, values or None)))
        for (name, of), info, values in zip(found, infos, public, strict=True)
    )
    return NamedGroups(names, keys, units)


def private_keys(meant: Meant, columns: Sequence[Of], most: int | None, most_bytes: int) -> PrivateKeys:
    """The keys of groups whose values nobody states, with room for so many groups: of an owner, or of shared rows."""
    most, most_bytes = None if most is None else _whole("max_groups", most), _whole("max_bytes", most_bytes)
    facts = meant.facts
    if isinstance(facts, SecretRows):
        for of in columns:
            _check_kind(meant.info(of).kind, of)
        keys_of_shares = tuple(key_of_shares(facts, of) for of in columns)
        return PrivateKeys(keys_of_shares, places_for(meant) if most is None else most)
    bounds, keys = dict(facts.log2_bounds), list[PrivateKey]()
    for of in columns:
        kind = meant.info(of).kind
        _check_kind(kind, of)
        declared = bounds.get(of, MOST_INTEGER) if isinstance(of, str) else MOST_INTEGER
        if kind == "int":
            keys.append(PrivateKey(of, "int", min(max(declared, 0), MOST_INTEGER)))
        elif kind == "bool":
            keys.append(PrivateKey(of, "bool", 0))
        else:
            keys.append(PrivateKey(of, "string", most_bytes))
    return PrivateKeys(tuple(keys), places_for(meant, _MOST_GROUPS) if most is None else most)


def _whole(name: str, given: Any) -> int:
    number = whole_number(given)
    if number is None:
        raise InputError(f"{name} must be a whole number, not {given!r}")
    return number


def places_for(meant: Meant, most: int = 1 << 16) -> int:
    """Places for the groups of an owner, one for each row and so many at most: a power of two."""
    return 1 << (min(max(meant.dataset.facts.count, 1), most) - 1).bit_length()


def _check_kind(kind: str, of: Of) -> None:
    if kind not in {"int", "bool", "string"}:
        raise ColumnError(f"{words(of)}: rows are grouped by text, whole numbers and booleans, not by {kind}")


def public_of(meant: Meant, of: Of) -> tuple[Scalar, ...]:
    """The values of a column where they are public, else none: of booleans, categories and text that is shared."""
    info, facts = meant.info(of), meant.facts
    if info.kind == "bool" or info.categories:
        return domain_of(info, None, None)
    return facts.texts(of) if facts.shared and info.kind == "string" else ()


def _key(meant: Meant, columns: Mapping[str, Of], item: Any) -> tuple[str | None, Of]:
    if isinstance(item, Operators):
        if not meant.aligned(item.meant):
            raise InputError("rows are grouped by columns of the same rows")
        return label_of(item), item.of
    name = one_form(str(item))
    if not isinstance(item, str) or name not in columns:
        raise ColumnError(f"rows are grouped by columns, by name or as frame[...] gives them, not by {item!r}")
    return name, columns[name]


def label_of(column: Any) -> str | None:
    """The name that results of a column get: its own, or of an expression that of the only column it reads, as pandas
    has it.
    """
    if isinstance(column.of, str) or column.name != words(column.of):
        return str(column.name)
    read = columns_of(column.of)
    return read[0] if len(read) == 1 else None


def _stated(domain: Any, names: Sequence[str | None]) -> Mapping[str | None, Any]:
    if domain is None:
        return {}
    if isinstance(domain, Mapping):
        given: dict[str | None, Any] = {one_form(str(name)): values for name, values in domain.items()}
        if unknown := given.keys() - set(names):
            raise InputError(f"domain= states values of {', '.join(map(str, unknown))}, which are no key")
        return given
    if len(names) > 1:
        raise InputError("of several keys domain= states values by name: domain={...: [...], ...}")
    return {names[0]: domain}


def domain_of(info: ColumnInfo, name: str | None, values: Any) -> tuple[Scalar, ...]:
    """Stated values of a column, each once and in order, that of categories where it has some; of booleans and
    categories none need be stated.

    Errors: `InputError` where there are none.
    """
    if values is not None:
        if isinstance(values, str) or not hasattr(values, "__iter__"):
            raise InputError(f"the values of {name!r} are a list, not {values!r}")
        stated = list(dict.fromkeys(map(plain, values)))
        ranks = {value: place for place, value in enumerate(info.categories)}
        try:
            return tuple(sorted(stated, key=lambda value: (ranks.get(value, len(ranks)), value)))
        except TypeError:  # of several kinds, which is refused where the kind of the column is known
            return tuple(stated)
    if info.kind == "bool":
        return (False, True)
    if info.categories:
        return info.categories
    shown = name or "the key"
    raise InputError(f"the values of {shown!r} are not public; state those to group by or to count: domain=[...], or "
                     f"of several columns domain={{{shown!r}: [...]}}")  # fmt: skip
