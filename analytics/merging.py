"""From the rows of two frames, or of two tables of SQL, to merged rows: keys whose words fit, and names of columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from msgspec import structs

from analytics.group_keys import private_keys
from analytics.meant import Meant, same_lanes
from analytics.merged_meant import MergedMeant
from icm_ray.errors import InputError
from icm_ray.query.arrow_kinds import unit_kind
from icm_ray.query.expressions.tree import Of, apply
from icm_ray.query.merge import JoinedColumn, Merge
from icm_ray.query.merged_shares import rows_of_merge
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.selection import Selection
from icm_ray.query.tasks import MOST_GROUPS

__all__ = ["Side", "merged_columns", "merged_rows"]


@dataclass(frozen=True, slots=True)
class Side:
    """meant: the rows. columns: by name what each column holds. keys: what is merged on."""

    meant: Meant
    columns: Mapping[str, Of]
    keys: Sequence[Of]


def merged_rows(
    left: Side,
    right: Side,
    how: Literal["inner", "left"],
    columns: tuple[JoinedColumn, ...],
    max_bytes: int,
    *,
    many: bool,
) -> MergedMeant:
    """The rows of both sides, merged. many: whether a key may have several right rows.

    Errors: those of `MergedRows`; `InputError` for frames of different sessions.
    """
    if (meants := same_lanes([left.meant, right.meant])) is None:
        raise InputError("frames of different sessions cannot be merged")
    left, right = (replace(side, meant=meant) for side, meant in zip((left, right), meants, strict=True))
    asked = Merge(*_selections(left, right, max_bytes), how, columns, many=many)
    rows_of_merge(asked, left.meant.dataset.facts, right.meant.dataset.facts)  # refuses what cannot be
    return MergedMeant(dataset=left.meant.dataset, right=right.meant.dataset, merge=asked)


def _selections(left: Side, right: Side, max_bytes: int) -> tuple[Selection, Selection]:
    """The rows of both sides by their keys, whose words are as long on both."""
    found = []
    for side, keys in zip((left, right), _alike(left, right), strict=True):
        most = min(max(side.meant.dataset.facts.count, 1), MOST_GROUPS)
        found.append((side.meant, private_keys(side.meant, keys, most, max_bytes)))
    sizes = [max(one.size, other.size) for one, other in zip(*(private.keys for _, private in found), strict=True)]
    first, second = (
        Selection(
            meant.dataset.facts.name,
            meant.where,
            private=PrivateKeys(
                tuple(structs.replace(key, size=size) for key, size in zip(private.keys, sizes, strict=True)),
                private.most,
            ),
        )
        for meant, private in found
    )
    return first, second


def _alike(left: Side, right: Side) -> tuple[list[Of], list[Of]]:
    """The keys of both sides: of a kind that has a unit the same whole numbers on both. Errors: `InputError`."""
    found: tuple[list[Of], list[Of]] = [], []
    for pair in zip(left.keys, right.keys, strict=True):
        sides = [(side.meant, of, side.meant.info(of)) for side, of in zip((left, right), pair, strict=True)]
        kinds = {info.kind for _, _, info in sides}
        if len(kinds) > 1 and any(unit_kind(kind) is not None for kind in kinds):
            named = " and ".join(f"{info.name} ({info.kind})" for _, _, info in sides)
            raise InputError(f"keys of a merge are of one kind on both sides, not {named}")
        ticks = [meant.ticks(of) for meant, of, info in sides if unit_kind(info.kind) is not None]
        if len(ticks) < len(sides):
            columns = list(pair)
        else:
            origin = ticks[0].origin
            step = math.gcd(*(part.step for part in ticks), *(part.origin - origin for part in ticks))
            columns = [apply("ticks", (of,), (origin, step) if (origin, step) != (0, 1) else ()) for of in pair]
        for keys, of in zip(found, columns, strict=True):
            keys.append(of)
    return found


def merged_columns(
    left: Side, right: Side, both: Sequence[str], suffixes: tuple[str | None, str | None] = ("_x", "_y")
) -> tuple[JoinedColumn, ...]:
    """As pandas names them: the left side's, then those of the right one that are no keys of one name. both: these."""
    found = []
    for name, of in left.columns.items():
        twice = name in right.columns and name not in both
        found.append(JoinedColumn(f"{name}{suffixes[0] or ''}" if twice else name, of))
    for name, of in right.columns.items():
        if name not in both:
            twice = name in left.columns
            found.append(JoinedColumn(f"{name}{suffixes[1] or ''}" if twice else name, of, right=True))
    return tuple(found)
