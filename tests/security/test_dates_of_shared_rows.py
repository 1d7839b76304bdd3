"""Dates of shared rows under a policy: what would tell of the one row of 1999 is withheld, or refused.

Sixty rows: the last one is of 1999, and alone so; others are of two months of 2024, 30 and 29 of them.
"""

import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import PolicyError
from icm_ray.query.withheld import Withheld
from icm_ray.runtime.carriers.threads import ThreadEngine

pytestmark = pytest.mark.usefixtures("derived_once")

ALONE = pd.Timestamp("1999-05-05 12:00")
DAYS = [*pd.date_range("2024-01-01", periods=30, freq="D"), *pd.date_range("2024-02-01", periods=29, freq="D"), ALONE]
ROWS = pd.DataFrame({"id": range(60), "t": pd.Series(DAYS, dtype="datetime64[s]"), "cost": np.arange(60) % 7 + 1})
POLICY = icm.Policy(min_rows=5)


@pytest.fixture(scope="module")
def engine():
    with ThreadEngine(("alice", "bob"), config=EngineConfig()) as made:
        yield made


@pytest.fixture
def frame(engine):
    held = an.from_pandas(engine, {"alice": ROWS[:35], "bob": ROWS[35:]}, policy=POLICY, bounds={"id": 64, "cost": 8})
    return held.share()


WITHHELD = {
    "a time": lambda f: f[f["t"] == ALONE]["cost"].sum(),
    "all other times": lambda f: f[f["t"] != ALONE]["cost"].sum(),
    "before": lambda f: f[f["t"] < "2020-01-01"]["cost"].mean(),
    "a year": lambda f: f[f["t"].dt.year == 1999].count_rows(),
    "years that are not": lambda f: f[f["t"].dt.year > 2000]["cost"].sum(),
    "a month": lambda f: f[f["t"].dt.month == 5]["cost"].sum(),
    "a date": lambda f: (f["t"].dt.date == ALONE.date()).sum(),
    "an hour": lambda f: (f["cost"] * f["t"].dt.hour.clip(0, 1)).sum(),
    "a difference": lambda f: f[f["t"] - pd.Timestamp("2024-01-01") < pd.Timedelta("0D")]["cost"].sum(),
    "a quotient": lambda f: (f["cost"] * (f["id"] // 59)).sum(),
    "a remainder": lambda f: f[f["id"] % 60 == 59]["cost"].sum(),
    "SQL": lambda f: an.sql("SELECT SUM(cost) AS s FROM f WHERE YEAR(t) = 1999", f=f),
    "SQL of a date": lambda f: an.sql("SELECT COUNT(*) AS n FROM f WHERE CAST(t AS DATE) < DATE '2000-01-01'", f=f),
}
"""By what of it is asked."""


def shown(result):
    """Whether a value is there."""
    if isinstance(result, Withheld):
        return False
    return not hasattr(result, "index") or bool(pd.DataFrame(result).notna().to_numpy().any())


@pytest.mark.parametrize("name", WITHHELD)
@pytest.mark.few(5)
def test_a_row_is_not_told_by_its_time(frame, name):
    try:
        result = WITHHELD[name](frame).reveal()
    except PolicyError:
        return
    assert not shown(result)


@pytest.mark.slow
def test_groups_of_parts_withhold_small_ones_and_one_more(frame):
    """59 of 60 rows in one private group would tell that one row is in another."""
    months = frame.groupby(frame["t"].dt.month)["cost"].sum().reveal()
    assert months.dropna().to_dict() == {1: ROWS["cost"][:30].sum()}, "all of 1, 2 and 5 would tell 5's by a total"
    assert frame.groupby(frame["t"].dt.year)["cost"].count().reveal().empty
    assert frame["t"].value_counts(domain=[ALONE, DAYS[0]]).reveal().isna().all()


def test_what_many_rows_share_is_told(frame):
    late = frame[frame["t"].dt.month == 1]
    assert late["cost"].sum().reveal() == ROWS["cost"][:30].sum()
    assert late["t"].median().reveal() == ROWS["t"][:30].median()


def test_times_that_are_single_rows(frame):
    for ask in (frame["t"].min, frame["t"].max, lambda: frame["t"].nlargest(1), lambda: frame["t"].mode(domain=[ALONE]),
                frame["t"].dt.year.min, frame["t"].nunique,
                lambda: an.sql("SELECT MIN(t) FROM f", f=frame)):  # fmt: skip
        with pytest.raises(PolicyError):
            ask().reveal()
