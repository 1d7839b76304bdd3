"""Each verb that could tell of row 50 beside a total: what it would take is withheld, or refused."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import PolicyError
from icm_ray.policy import Policy
from icm_ray.query.withheld import Withheld
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.security.test_attacks_on_policies import TABLE

DOMAIN = {"ward": ["a", "b", "c"]}


@pytest.fixture(scope="module")
def engine():
    with ThreadEngine(("alice", "bob"), ("carol",), config=EngineConfig(partition_bytes=9000)) as made:
        yield made


def framed(engine, **rules):
    return an.from_pandas(engine, {"alice": TABLE[:40], "carol": TABLE[40:]}, policy=Policy(**rules))


def sql(text):
    return lambda frame: an.sql(text, visits=frame)


WITHHELD = {
    "a row by its number": lambda frame: frame[frame["id"] == 50]["cost"].sum(),
    "a row picked by arithmetic": lambda frame: (frame["cost"] * (1 - (frame["id"] - 50).clip(-1, 1).abs())).sum(),
    "a cast": lambda frame: (frame["id"] - 50).astype("bool").sum(),
    "a weight that is a condition": lambda frame: (frame["cost"] * (frame["id"] != 50)).sum(),
    "a cast condition": lambda frame: (frame["cost"] * (frame["id"] != 50).astype("int")).sum(),
    "a covariance with a condition": lambda frame: frame["cost"].cov(frame["id"] == 50),
    "a count of what is left": lambda frame: frame["cost"].where(frame["id"] != 50).count(),
    "a deviation of what is left": lambda frame: frame["cost"].where(frame["id"] != 50).std(),
    "isna": lambda frame: frame["cost"].where(frame["id"] != 50).isna().sum(),
    "a correlation of few": lambda frame: frame[frame["id"] < 6]["age"].corr(frame[frame["id"] < 6]["cost"]),
    "a correlation of all but one": lambda frame: frame[["age", "cost"]][frame["id"] != 50].corr(),
    "a description": lambda frame: frame[frame["id"] != 50][["cost"]].describe(),
    "WHERE": sql("SELECT SUM(cost) AS s FROM visits WHERE NOT id = 50"),
    "FILTER": sql("SELECT SUM(cost) FILTER (WHERE id <> 50) AS s FROM visits"),
    "CASE": sql("SELECT SUM(CASE WHEN id = 50 THEN 0 ELSE cost END) AS s FROM visits"),
    "NULLIF": sql("SELECT SUM(cost + 0 * NULLIF(id, 50)) AS s FROM visits"),
    "a subquery": sql("SELECT SUM(c) AS s FROM (SELECT cost AS c FROM visits WHERE id IN (50)) AS t"),
}


def shown(result):
    """Of what is not missing."""
    if isinstance(result, Withheld):
        return 0
    return int(pd.DataFrame(result).notna().to_numpy().sum()) if hasattr(result, "index") else 1


@pytest.mark.parametrize("name", WITHHELD)
def test_it_is_withheld(engine, name):
    assert shown(WITHHELD[name](framed(engine)).reveal()) == 0


REFUSED = {
    "weights": (
        lambda frame: frame["age"].histogram([0, 40, 100], weights=frame["cost"]),
        lambda frame: frame["age"].histogram([0, 40, 100], weights=frame["cost"].where(frame["id"] != 50, 0)),
    ),
    "counts of values": (
        lambda frame: frame["ward"].value_counts(),
        lambda frame: frame[frame["id"] != 50]["ward"].value_counts(domain=["a", "b", "c"]),
    ),
    "a key that leaves one out": (
        lambda frame: frame.groupby("ward", domain=DOMAIN)["cost"].sum(),
        lambda frame: (
            frame.assign(ward=frame["ward"].where(frame["id"] != 50, "z")).groupby("ward", domain=DOMAIN)["cost"].sum()
        ),
    ),
    "a key that is a condition": (
        lambda frame: frame.groupby("ward", domain=DOMAIN)["cost"].sum(),
        lambda frame: (
            frame.assign(x=frame["id"] == 50).groupby(["ward", "x"], domain={**DOMAIN, "x": [False]})["cost"].sum()
        ),
    ),
    "medians": (
        lambda frame: frame["cost"].where(frame["age"] < 40).median(),
        lambda frame: frame["cost"].where(frame["age"] < 41).median(),
    ),
    "BETWEEN": (
        sql("SELECT SUM(cost) AS s FROM visits WHERE id BETWEEN 0 AND 50"),
        sql("SELECT SUM(cost) AS s FROM visits WHERE id <= 49"),
    ),
    "IN": (
        sql("SELECT SUM(cost) AS s FROM visits WHERE NOT (id > 49)"),
        sql(f"SELECT SUM(cost) AS s FROM visits WHERE id IN ({', '.join(map(str, range(49)))})"),
    ),
    "bins of a cut": (
        lambda frame: frame["age"].histogram([0, 77, 100]),
        lambda frame: an.crosstab(an.cut(frame["age"], [0, 78, 100], right=False), frame["ward"], domain=DOMAIN),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(engine, name):
    first, second = REFUSED[name]
    frame = framed(engine)
    assert first(frame).reveal() is not None
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        second(frame).reveal()


@pytest.mark.parametrize("keys", [[50], [row for row in range(90) if row != 50]], ids=["one", "all but one"])
def test_a_merge_that_selects_one_person_or_all_others(engine, keys):
    frame = framed(engine, operations=("count", "sum", "merge"), largest=100, two_largest=100)
    chosen = an.from_pandas(engine, {"bob": pd.DataFrame({"id": np.array(keys)})})
    merged = an.merge(frame, chosen, on="id")
    for query in (merged["cost"].sum(), merged["cost"].count()):
        assert isinstance(query.reveal(), Withheld)
