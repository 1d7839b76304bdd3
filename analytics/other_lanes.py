"""The same rows in other lanes of one connection: what is asked of several organisations' rows, or for one more of
them, is asked in lanes of all of them.

Each owner's worker opens its rows there by their name, under its own instance's policy, and derives what is asked there
as it does in any lanes: nothing is believed of the other lanes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from analytics.dataset import Dataset, pool_of
from analytics.sharing import NOTHING, make
from icm_ray.errors import InputError
from icm_ray.query.owner_rows import OwnerRows
from icm_ray.query.question import Sharing
from icm_ray.runtime.driver.engine import Engine

__all__ = ["in_lanes"]


def in_lanes(dataset: Dataset, engine: Engine) -> Dataset:
    """The rows of a dataset in the lanes of an engine of the same connection: rows that owners hold are opened there,
    and shares made anew of them.

    Errors: `InputError` (rows that were forgotten, or of no catalogue), those of opening rows and of sharing them.
    """
    if dataset.engine is engine:
        return dataset
    if dataset.gone:
        raise InputError("the frame's rows were forgotten; read (or share) them again")
    if dataset.parts:
        return pool_of(_all_in(dataset.parts, engine))
    return _all_in((dataset,), engine)[0]


def _all_in(bases: Sequence[Dataset], engine: Engine) -> list[Dataset]:
    """Of all that one pool has, so that shares are alike."""
    missing = [base for base in bases if engine not in base.elsewhere]
    opened = {base.facts.name: _opened(base, engine) for base in missing}
    for base in missing:
        base.elsewhere[engine] = _made_again(base, opened)
    return [base.elsewhere[engine] for base in bases]


def _opened(base: Dataset, engine: Engine) -> Dataset:
    """The rows that it is, or is made of."""
    if base.waits_for is not None:
        return in_lanes(base.waits_for, engine)
    if base.opened is None:
        raise InputError("these rows are of no organisation's catalogue: they stay in the lanes that they are in")
    return base.opened(engine)


def _made_again(base: Dataset, opened: Mapping[str, Dataset]) -> Dataset:
    """opened: of all that are shared alike the rows, by the name of what was made of them. Errors: those of sharing."""
    rows, asked = opened[base.facts.name], base.made_by
    if asked is None or not isinstance(what := asked.what, Sharing):
        return rows
    tables = [table for one in opened.values() if isinstance(one.facts, OwnerRows) for table in one.facts.tables]
    most = max(count for table in tables for count in table.rows) if what.most else 0
    sharing = replace(what, dataset=rows.facts.name, into=rows.engine.new_name("shares"), most=most)
    made = rows.made(sharing, waits=base.waits_for is not None)
    if base.waits_for is None:
        make(made, NOTHING)
    return made
