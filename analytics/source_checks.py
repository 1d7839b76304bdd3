"""What must hold before rows of several owners are one table: known owners, rows; and what they agree on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from analytics.answered import answered_in, asked_before
from analytics.dataset import Dataset
from analytics.declared_ranges import declared_ranges, of_unit
from analytics.frame import SecureFrame
from analytics.meant import Meant
from icm_ray.errors import BoundError, ColumnError, InputError, OwnerError
from icm_ray.policy import Policy
from icm_ray.query.arrow_kinds import unit_kind
from icm_ray.query.kinds import NUMBERS, PartColumns, agreed, one_form
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.row_set import AskedBefore
from icm_ray.query.tasks import ColumnInfo
from icm_ray.runtime.driver.engine import Engine, Table

__all__ = ["check_columns", "check_owners", "frame_of", "log2_bounds"]


def check_owners(session: Any, sources: Mapping[str, Any], policy: Policy | None) -> None:
    """Refuse what is wrong with the arguments alone.

    Errors: `OwnerError` (none, or one that the session has not), `InputError` (no mapping, a policy that is none).
    """
    if not isinstance(sources, Mapping):
        raise InputError(f"give a mapping from owners to their data, not {type(sources).__name__}")
    if policy is not None and not isinstance(policy, Policy):
        raise InputError(f"policy must be an icm_ray Policy, not {type(policy).__name__}")
    if not hasattr(session, "parties"):
        raise InputError(f"frames are of a session, icm.Session(...) or icm.connect(), not {type(session).__name__}")
    there = (*session.parties, *session.owners)
    if not sources:
        raise OwnerError(f"no owner is given; the session has {', '.join(there)}")
    for owner in sources:
        if owner not in there:
            raise OwnerError(f"owner {owner!r} is not in the session; there are {', '.join(there)}", owner=owner)


def check_columns(found: Mapping[str, tuple[ColumnInfo, ...]], rows: Mapping[str, int]) -> tuple[ColumnInfo, ...]:
    """The columns of all owners as those of one table, in the order in which they first appear; owners without rows
    have no say. What owners do not agree on has a `fault`, to be said when it is used.
    """
    columns = agreed([PartColumns(owner, columns, rows[owner]) for owner, columns in found.items()], "with")
    return tuple(
        ColumnInfo(column.name, column.kind, fault=column.fault, nullable=column.nullable, categories=column.categories)
        for column in columns
    )


def log2_bounds(bounds: Mapping[str, Any] | None, columns: Sequence[ColumnInfo] | None) -> dict[str, int]:
    """log2 of every declared bound, rounded up to a power of two. columns: None where they are not known yet.

    Errors: `InputError` (no mapping), `BoundError` (not a positive, finite number), `ColumnError` (a column that is not
    there, or has no numbers).
    """
    if bounds is not None and not isinstance(bounds, Mapping):
        raise InputError(f"bounds must be a mapping from columns to numbers, not {type(bounds).__name__}")
    infos = None if columns is None else {info.name: info for info in columns}
    result: dict[str, int] = {}
    for given, bound in (bounds or {}).items():
        name = one_form(str(given))
        if infos is not None and name not in infos:
            raise ColumnError(f"a bound for {name!r}: there is no such column but {', '.join(infos)}", column=name)
        if infos is not None and infos[name].fault:
            raise ColumnError(f"a bound for {name!r}: {infos[name].fault}", column=name)
        if of_unit(bound) if infos is None else unit_kind(infos[name].kind) is not None:
            continue  # as of `declared_ranges`, once the kind is known
        if infos is not None and infos[name].kind not in NUMBERS:
            raise ColumnError(f"a bound for {name!r}: the column holds {infos[name].kind}, and no numbers", column=name)
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
    session: Engine,
    tables: Mapping[str, Table],
    bounds: Mapping[str, Any] | None,
    policy: Policy | None,
    opened: Callable[[Any], Dataset] | None = None,
) -> SecureFrame:
    """The frame over opened tables; drops them again where they do not fit together. opened: opens them elsewhere.

    Errors: those of `log2_bounds`, `OwnerError` (no owner has rows).
    """
    try:
        rows = {owner: sum(table.info.rows) for owner, table in tables.items()}
        if not any(rows.values()):
            raise OwnerError(f"no rows: {', '.join(rows)} bring none")
        columns = check_columns({owner: table.info.columns for owner, table in tables.items()}, rows)
        declared, ranges = log2_bounds(bounds, columns), declared_ranges(bounds, columns)
    except InputError:
        session.forget([table.name for table in tables.values()])
        raise
    dataset = session.new_name("dataset")
    before = AskedBefore()
    if policy is not None:
        names = [table.name for table in tables.values()]
        before = session.set_policy(dataset, policy, names, asked_before(session, policy))
    held = tuple(OwnerTable(table.name, owner, table.info.rows, table.lanes) for owner, table in tables.items())
    facts = OwnerRows(dataset, columns, held, tuple(declared.items()), policy, ranges)
    return SecureFrame(Meant(Dataset(session, facts, answered=answered_in(session, policy, before), opened=opened)))
