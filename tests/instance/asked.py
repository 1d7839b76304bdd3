"""A question of bob's about alice's visits, as alice's instance keeps it: mean costs of the old, of 1200 rows."""

from __future__ import annotations

from pathlib import Path

import icm_ray as icm
from icm_ray.instance.canonical import Canonical
from icm_ray.instance.request import Request
from icm_ray.instance.requests import Requests
from icm_ray.query.expressions.tree import apply, literal
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.question import Asked, Question
from icm_ray.query.selection import Selection
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.tasks import ColumnInfo

NAME = "alice.visits.1"


def requested(folder: Path, number: int, reason: str, age: int = 65) -> Request:
    """Kept as a request. number: of bob's job."""
    columns = ColumnInfo("age", "int", nullable=False), ColumnInfo("cost", "float", nullable=False)
    policy = icm.Policy(name="alice.visits", min_rows=17)
    rows = OwnerRows(NAME, columns, (OwnerTable(NAME, "alice", (1200,), (0,)),), policy=policy)
    old = Selection(NAME, apply("greater_equal", ("age", literal(age))))
    asked = Asked(Question((Mean(old.name, "cost"),), "bob", (old,)), (rows,))
    return Requests(folder).add("bob", f"{number:016x}", Canonical(asked, ("bob", "alice"), (("visits", "1"),)), reason)
