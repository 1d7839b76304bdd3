"""A policy of one frame alone, the right one as the left one, guards all that is asked of a merge."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import IcmError, PolicyError
from icm_ray.query.withheld import Withheld
from tests.analytics.conftest import Recording

OPERATIONS = ("count", "sum", "mean", "max", "merge", "nunique")
POLICY = icm.Policy(min_rows=4, residual_df=1, operations=OPERATIONS, largest=100, two_largest=100)
LEFT = pd.DataFrame({"k": np.arange(40) % 20, "x": np.arange(40) * 1.0, "n": np.arange(40)})
RIGHT = pd.DataFrame({"k": range(20), "y": np.arange(20) * 1.0, "h": np.arange(20) % 2})
FEW = pd.DataFrame({"k": [0, 1, *range(30, 40)], "x": 1.0, "n": 0})
"""2 rows of it are met by right ones."""
WAYS = [(shared, side) for shared in (False, True) for side in ("left", "right")]


@pytest.fixture(scope="module")
def engine():
    with Recording(("alice", "bob"), (), config=EngineConfig()) as engine:
        yield engine


def sides(engine, shared, side, left=LEFT):
    """Both frames, of which one has a policy."""
    one = an.from_pandas(engine, {"alice": left}, policy=POLICY if side == "left" else None)
    other = an.from_pandas(engine, {"bob": RIGHT}, policy=POLICY if side == "right" else None)
    return (one.share(), other.share()) if shared else (one, other)


@pytest.mark.parametrize(("shared", "side"), WAYS)
def test_what_it_allows_is_pandas_answer(engine, shared, side):
    merged, rows = an.merge(*sides(engine, shared, side), on="k"), LEFT.merge(RIGHT, on="k")
    assert merged["x"].sum().reveal() == rows["x"].sum()
    assert merged["y"].mean().reveal() == pytest.approx(rows["y"].mean())
    found = merged.groupby("h", domain=[0, 1])["x"].sum().reveal()
    assert found.to_dict() == rows.groupby("h")["x"].sum().to_dict()


@pytest.mark.parametrize(("shared", "side"), WAYS)
def test_few_rows_that_match_are_withheld(engine, shared, side):
    """2 of the rows of both sides are in the merge; their number, too, is not told."""
    merged = an.merge(*sides(engine, shared, side, FEW), on="k")
    count, total, right = icm.reveal(merged.count_rows(), merged["x"].sum(), merged["y"].sum())
    assert all(isinstance(value, Withheld) for value in (count, total, right))
    groups = merged.groupby("h", domain=[0, 1])["y"].agg(["count", "sum"]).reveal()
    assert groups.isna().all(axis=None)
    sql = an.sql("SELECT COUNT(*) AS n, SUM(b.y) AS s FROM a JOIN b ON a.k = b.k",
                 **dict(zip("ab", sides(engine, shared, side, FEW), strict=True)))  # fmt: skip
    assert sql.reveal().isna().all(axis=None)


REFUSED = {
    "rows that are chosen after": lambda one, other: an.merge(one, other, on="k").query("y < 1")["x"].sum(),
    "of the left frame": lambda one, other: an.merge(one, other, on="k").query("n < 2")["y"].sum(),
    "left rows that are chosen before": lambda one, other: an.merge(one[one["n"] < 2], other, on="k").count_rows(),
    "right rows that are chosen before": lambda one, other: an.merge(one, other[other["y"] < 1], on="k").count_rows(),
    "private groups": lambda one, other: an.merge(one, other, on="k").groupby("h")["x"].sum(),
    "private groups of SQL": lambda one, other: an.sql(
        "SELECT b.h, SUM(a.x) FROM a JOIN b ON a.k = b.k GROUP BY b.h", a=one, b=other
    ),
    "different values": lambda one, other: an.merge(one, other, on="k")["h"].nunique(),
    "what it does not name": lambda one, other: an.merge(one, other, on="k")["x"].min(),
    "of the right frame": lambda one, other: an.merge(one, other, on="k")["y"].std(),
    "several right rows": lambda one, other: an.merge(one, other, on="k", validate="m:m")["x"].sum(),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(("shared", "side"), WAYS)
def test_what_it_does_not_allow_is_refused(engine, shared, side, name):
    frames = sides(engine, shared, side)
    before = len(engine.jobs)
    error = IcmError if name in {"several right rows", "private groups of SQL"} else PolicyError
    with pytest.raises(error):
        REFUSED[name](*frames).reveal()
    assert len(engine.jobs) == before


@pytest.mark.parametrize(("shared", "side"), WAYS)
def test_a_frame_is_merged_with_one_other(engine, shared, side):
    """A second merge of the frame that has a policy would subtract rows from the first."""
    one, other = sides(engine, shared, side)
    assert an.merge(one, other, on="k")["x"].sum().reveal() == LEFT["x"].sum()
    fewer = an.from_pandas(engine, {"bob": LEFT[1:] if side == "right" else RIGHT[1:]})
    again = (
        (fewer.share() if shared else fewer, other) if side == "right" else (one, fewer.share() if shared else fewer)
    )
    with pytest.raises(PolicyError, match="one merge of a frame"):
        an.merge(*again, on="k").count_rows().reveal()
