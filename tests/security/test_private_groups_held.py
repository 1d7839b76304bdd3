"""Groups of private keys, and filters, stated groups and bins that leave few of their rows out: nothing is told."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import PolicyError
from icm_ray.policy import Policy
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.security.test_attacks_on_policies import NEAR

pytestmark = pytest.mark.usefixtures("derived_once")

N, WARDS = 120, ["a", "b", "c", "d"]
TABLE = pd.DataFrame(
    {
        "id": np.arange(N),
        "ward": np.array(WARDS)[np.arange(N) // 30],
        "bed": np.arange(N) // 30,
        "cost": np.arange(N) * 1.5 + 10,
        "sex": np.where(np.arange(N) % 30 < 4, "f", "m"),
        "lab": [None if row >= 100 else 1.0 for row in range(N)],
    }
)
DOMAIN = {"ward": WARDS}
OUT = [row for row in range(N) if row % 30 < 3]  # three of each ward, twelve in all


@pytest.fixture(scope="module")
def engine():
    with ThreadEngine(("alice", "bob"), ("carol",), config=EngineConfig(partition_bytes=9000)) as made:
        yield made


def framed(engine):
    return an.from_pandas(engine, {"alice": TABLE[::2], "carol": TABLE[1::2]}, policy=Policy())


def private(frame):
    return frame.groupby("ward")["cost"].agg("sum")


CLOSE = {
    "groups of a filter": lambda frame: frame[~frame["id"].isin(OUT)].groupby("ward", domain=DOMAIN)["cost"].sum(),
    "a filter in a group": lambda frame: frame[(frame["ward"] == "a") & (frame["id"] >= 3)]["cost"].sum(),
    "a filter that says nothing of groups": lambda frame: frame[frame["id"].between(33, 59)]["cost"].mean(),
    "a filter in two groups": lambda frame: frame[frame["id"] < 57]["cost"].sum(),
    "all but a few of a group": lambda frame: frame[frame["id"] >= 31]["cost"].count(),
    "a condition in a column": lambda frame: (frame["id"] < 29).sum(),
    "bins": lambda frame: frame["id"].histogram([0, 29, 70, 119]),
    "bins that a group makes up": lambda frame: frame["id"].histogram([0, 10, 20, 27, 119]),
    "finer groups": lambda frame: frame.groupby(["ward", "sex"], domain={**DOMAIN, "sex": ["f", "m"]})["cost"].sum(),
}


OFTEN = {"groups of a filter", "a filter in two groups", "bins", "finer groups"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in OFTEN else pytest.mark.slow) for name in CLOSE]
)
@pytest.mark.few(1)
def test_what_is_close_to_private_groups_is_refused(engine, name):
    """... whichever is asked first."""
    for first in (True, False):
        frame = framed(engine)
        queries = [private(frame), CLOSE[name](frame)]
        queries[not first].reveal()
        with pytest.raises(PolicyError, match=NEAR):
            queries[first].reveal()


def test_so_it_is_of_shares(engine):
    policy = Policy(largest=100, two_largest=100)
    for share in (True, False):
        frame = an.from_pandas(engine, {"alice": TABLE[::2], "carol": TABLE[1::2]}, policy=policy)
        shares = frame[["id", "cost", "bed"]].share()
        shares.groupby("bed")["cost"].agg("sum").reveal()
        rows = shares if share else frame
        with pytest.raises(PolicyError, match=NEAR):
            rows[rows["id"] < 57]["cost"].sum().reveal()


def test_and_of_one_question(engine):
    frame = framed(engine)
    with pytest.raises(PolicyError, match=NEAR):
        icm.reveal(private(frame), frame[frame["id"] < 57]["cost"].sum())


@pytest.mark.slow
def test_what_is_far_from_them_is_answered(engine):
    frame, expected = framed(engine), TABLE.groupby("ward")["cost"].sum()
    far = frame[frame["id"] < 45]["cost"].sum()
    for query in (far, private(frame), far, frame[frame["id"] >= 20]["cost"].sum()):
        query.reveal()
    pd.testing.assert_series_equal(private(frame).reveal(), expected)
    pd.testing.assert_series_equal(frame.groupby("ward", domain=DOMAIN)["cost"].agg("sum").reveal(), expected)
    assert frame["id"].histogram([0, 30, 60, 90, 119]).reveal()[0].tolist() == [30] * 4
    assert frame[frame["ward"] == "b"]["cost"].count().reveal() == 30


def test_how_many_values_there_are_and_a_computed_key(engine):
    for first in (True, False):
        frame = framed(engine)
        key = (frame["lab"].notna() & (frame["id"] != 3)).astype("int")
        queries = [frame["lab"].count(), frame.assign(key=key).groupby("key")["cost"].agg("sum")]
        queries[not first].reveal()
        with pytest.raises(PolicyError, match=NEAR):
            queries[first].reveal()


def test_more_groups_than_can_be_compared_are_refused(engine, monkeypatch):
    frame = framed(engine)
    private(frame).reveal()
    monkeypatch.setattr("icm_ray.query.overlap._MOST_PLACES", 100)
    with pytest.raises(PolicyError, match="too many groups to be held against one another: state domain= for both"):
        frame[frame["id"] < 45].groupby("ward", domain=DOMAIN)["cost"].sum().reveal()
