"""What must hold before rows of several owners are one table: known owners, equal columns of equal kinds, rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from analytics.dataset import Dataset
from analytics.frame import SecureFrame
from icm_ray.errors import BoundError, ColumnError, InputError, OwnerError
from icm_ray.policy import Policy
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.tasks import ColumnInfo
from icm_ray.runtime.driver.engine import Engine, Table

__all__ = ["check_columns", "check_owners", "frame_of", "log2_bounds"]

_NUMBERS = frozenset({"int", "float", "bool"})


def check_owners(session: Engine, sources: Mapping[str, Any], policy: Policy | None) -> None:
    """Refuse what is wrong with the arguments alone.

    Errors: `OwnerError` (none, or one that the session has not), `InputError` (no mapping, a policy that is none).
    """
    if not isinstance(sources, Mapping):
        raise InputError(f"give a mapping from owners to their data, not {type(sources).__name__}")
    if policy is not None and not isinstance(policy, Policy):
        raise InputError(f"policy must be an icm_ray Policy, not {type(policy).__name__}")
    there = (*session.parties, *session.owners)
    if not sources:
        raise OwnerError(f"no owner is given; the session has {', '.join(there)}")
    for owner in sources:
        if owner not in there:
            raise OwnerError(f"owner {owner!r} is not in the session; there are {', '.join(there)}", owner=owner)


def check_columns(found: Mapping[str, tuple[ColumnInfo, ...]]) -> tuple[ColumnInfo, ...]:
    """The columns that all owners have, in the first owner's order; the order of others may differ.

    Errors: `ColumnError` naming the column and the owners that differ in it.
    """
    (first, wanted), *others = found.items()
    for owner, columns in others:
        mine = {info.name: info.kind for info in columns}
        for info in wanted:
            if info.name not in mine:
                raise ColumnError(
                    f"{owner} has no column {info.name!r}, which {first} has", owner=owner, column=info.name
                )
            if mine[info.name] != info.kind:
                raise ColumnError(
                    f"column {info.name!r} is {info.kind} with {first} and {mine[info.name]} with {owner}; "
                    "make it the same kind with all owners",
                    owner=owner,
                    column=info.name,
                )
        extra = sorted(set(mine) - {info.name for info in wanted})
        if extra:
            raise ColumnError(f"{owner} has a column {extra[0]!r}, which {first} has not", owner=owner, column=extra[0])
    return wanted


def log2_bounds(bounds: Mapping[str, float] | None, columns: Sequence[ColumnInfo] | None) -> dict[str, int]:
    """log2 of every declared bound, rounded up to a power of two. columns: None where they are not known yet.

    Errors: `InputError` (no mapping), `BoundError` (not a positive, finite number), `ColumnError` (a column that is not
    there, or has no numbers).
    """
    if bounds is not None and not isinstance(bounds, Mapping):
        raise InputError(f"bounds must be a mapping from columns to numbers, not {type(bounds).__name__}")
    kinds = None if columns is None else {info.name: info.kind for info in columns}
    result: dict[str, int] = {}
    for name, bound in (bounds or {}).items():
        if kinds is not None and name not in kinds:
            raise ColumnError(f"a bound for {name!r}: there is no such column but {', '.join(kinds)}", column=name)
        if kinds is not None and kinds[name] not in _NUMBERS:
            raise ColumnError(f"a bound for {name!r}: the column holds {kinds[name]}, and no numbers", column=name)
        result[name] = _log2(name, bound)
    return result


def _log2(name: str, bound: Any) -> int:
    """log2 of a bound, rounded up. Errors: `BoundError` (not a positive, finite number)."""
    try:
        number = math.nan if isinstance(bound, bool | np.bool | str) else float(bound)
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        number = math.nan
    if not 0 < number < math.inf:
        shown = f"{bound!r:.50}"
        raise BoundError(f"the bound of {name!r} must be a positive number to 2^1023, not {shown}", column=name)
    mantissa, exponent = math.frexp(number)
    return exponent - 1 if mantissa == 0.5 and bound <= number else exponent


def frame_of(
    session: Engine, tables: Mapping[str, Table], bounds: Mapping[str, float] | None, policy: Policy | None
) -> SecureFrame:
    """The frame over opened tables; drops them again where they do not fit together.

    Errors: those of `check_columns` and `log2_bounds`, `OwnerError` (an owner without rows).
    """
    try:
        columns = check_columns({owner: table.info.columns for owner, table in tables.items()})
        for owner, table in tables.items():
            if not sum(table.info.rows):
                raise OwnerError(f"owner {owner!r} brings no rows", owner=owner)
        declared = log2_bounds(bounds, columns)
    except InputError:
        session.forget([table.name for table in tables.values()])
        raise
    dataset = session.new_name("dataset")
    if policy is not None:
        session.set_policy(dataset, policy)
    held = tuple(OwnerTable(table.name, owner, table.info.rows, table.lanes) for owner, table in tables.items())
    return SecureFrame(Dataset(session, OwnerRows(dataset, columns, held, tuple(declared.items()), policy)))
