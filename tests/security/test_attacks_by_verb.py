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

pytestmark = pytest.mark.usefixtures("derived_once")

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
@pytest.mark.few(7)
def test_it_is_withheld(engine, name):
    assert shown(WITHHELD[name](framed(engine)).reveal()) == 0


START = pd.Timestamp("2024-01-01", tz="UTC")


def timed(frame, before):
    """Of days from the first on, which rows have in turn."""
    return frame[frame["day"] < pd.Timestamp(before)]["cost"].sum()


def decades(numbers, frame):
    return frame.assign(d=numbers // 10).groupby("d", domain={"d": list(range(10))})["cost"].sum()


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
    "time zones": (
        lambda frame: timed(frame, "2024-03-01T00:00:00Z"),
        lambda frame: timed(frame, "2024-03-02T00:00:00+05:00"),
    ),
    "lengths of text": (
        lambda frame: frame[frame["ward"] != "b"]["cost"].sum(),
        lambda frame: frame[(frame["ward"].str.len() + frame["id"] != 52) & (frame["ward"] != "b")]["cost"].sum(),
    ),
    "another name": (
        lambda frame: frame[frame["age"] < 40]["cost"].sum(),
        lambda frame: frame.rename(columns={"age": "years"}).query("years < 39")["cost"].sum(),
    ),
    "decades that are moved": (
        lambda frame: decades(frame["id"], frame),
        lambda frame: decades(frame["id"] + 1, frame),
    ),
    "bins of the negative": (
        lambda frame: frame["age"].histogram([0, 40, 77, 100]),
        lambda frame: (-frame["age"]).histogram([-100, -77.5, -39.5, 0]),
    ),
    "bins of a cut": (
        lambda frame: frame["age"].histogram([0, 77, 100]),
        lambda frame: an.crosstab(an.cut(frame["age"], [0, 78, 100], right=False), frame["ward"], domain=DOMAIN),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.few(4)
def test_it_is_refused(engine, name):
    first, second = REFUSED[name]
    table = TABLE.assign(day=START + pd.to_timedelta(TABLE["id"], "D"))
    frame = an.from_pandas(engine, {"alice": table[:40], "carol": table[40:]}, policy=Policy())
    assert first(frame).reveal() is not None
    with pytest.raises(PolicyError, match="fewer than 10 rows are the difference"):
        second(frame).reveal()


RICH = TABLE.assign(cost=TABLE["cost"].mask(TABLE["id"] == 50, 1e6), lab=[None, *[1.0] * 88, 1e6])
PARTS = {
    "a constant": lambda frame: (frame["cost"] + 1e6).sum(),
    "a constant in a mean of some": lambda frame: (frame["cost"] * -2 + 1e6)[frame["age"] > 12].mean(),
    "a constant by a condition": lambda frame: ((frame["cost"] + 1e6) * (frame["id"] >= 0)).sum(),
    "a constant elsewhere": lambda frame: frame["cost"].where(frame["age"] > 30, 1e9).sum(),
    "a constant that is filled in": lambda frame: frame["lab"].fillna(1e9).mean(),
    "a column that is known": lambda frame: (frame["cost"] + 1e6 * frame["age"]).sum(),
    "a constant on shares": lambda frame: (frame[["cost"]].share()["cost"] + 1e6).sum(),
    "var": lambda frame: frame["cost"].var(),
    "sem": lambda frame: frame[frame["age"] > 12]["cost"].sem(),
    "skew": lambda frame: frame["cost"].skew(),
    "a covariance": lambda frame: frame["age"].cov(frame["cost"]),
}


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.few(4)
def test_nothing_is_told_of_a_sum_that_one_value_makes_up_by_what_is_added_to_it_or_by_moments(engine, name):
    frame = an.from_pandas(engine, {"alice": RICH[:40], "carol": RICH[40:]}, policy=Policy())
    result = PARTS[name](frame).reveal()
    assert isinstance(result, Withheld)
    assert "one is above 50 % of it" in result.reason


@pytest.mark.parametrize("share", [True, False])  # the first is quick
@pytest.mark.few(1)
def test_nor_by_what_a_condition_in_a_column_leaves_of_the_total(engine, share):
    """One of 1e6 and twenty ones would be left: of a filter that is not shown, so it is not of a column."""
    table = TABLE.assign(cost=np.where(TABLE["id"] >= 50, 1e6, 1.0))
    frame = an.from_pandas(engine, {"alice": table[:40], "carol": table[40:]}, policy=Policy())
    frame = frame[["id", "cost"]].share() if share else frame
    assert frame["cost"].sum().reveal() == table["cost"].sum()
    some = (frame["id"] >= 51) | (frame["id"] < 30)
    columns = (frame["cost"] * some, frame["cost"].where(some, 0), (frame["cost"] * 2).where(some, 7) - 1)
    for column in columns[: 1 if share else 3]:
        assert isinstance(column.sum().reveal(), Withheld)
    many = frame["id"] >= 40
    assert frame["cost"].where(many, 0).sum().reveal() == table["cost"][40:].sum()


def test_what_is_added_to_a_sum_that_many_make_up_is_fine(engine):
    frame = framed(engine)
    assert (2 * frame["cost"] + frame["age"] - 7).sum().reveal() == (2 * TABLE["cost"] + TABLE["age"] - 7).sum()
    assert frame["cost"].std().reveal() == pytest.approx(TABLE["cost"].std())
    doubled = frame["cost"]
    for _ in range(12):
        doubled = doubled + doubled
    assert doubled.sum().reveal() == 4096 * TABLE["cost"].sum(), "parts that are the same are one"
    for number in range(9):
        doubled = doubled.where(frame["id"] > number * 10, doubled + 1)
    with pytest.raises(PolicyError, match="a sum of so many parts"):
        doubled.sum().reveal()


def test_whether_one_person_is_among_some_is_not_told_by_how_many_values_these_have(engine):
    """... or each filter would halve what is known of a value of that person."""
    table = TABLE.assign(name=[f"p{row}" for row in range(90)])
    policy = Policy(operations=("nunique", "mode"))
    frame = an.from_pandas(engine, {"alice": table[:40], "carol": table[40:]}, policy=policy)
    some = frame[frame["cost"] > 60]
    for query in (some["name"].nunique(domain=["p50", "p60"]), some["name"].mode(domain=["p1", "p50"])):
        result = query.reveal()
        assert isinstance(result, Withheld)
        assert "1 to 9 rows have one of these values" in result.reason
    assert some["ward"].nunique(domain=["a", "b", "z"]).reveal() == 2
    assert some["ward"].mode(domain=["a", "z"]).reveal().tolist() == ["a"]


@pytest.mark.parametrize("keys", [[50], [row for row in range(90) if row != 50]], ids=["one", "all but one"])
def test_a_merge_that_selects_one_person_or_all_others(engine, keys):
    frame = framed(engine, operations=("count", "sum", "merge"), largest=100, two_largest=100)
    chosen = an.from_pandas(engine, {"bob": pd.DataFrame({"id": np.array(keys)})})
    merged = an.merge(frame, chosen, on="id")
    for query in (merged["cost"].sum(), merged["cost"].count()):
        assert isinstance(query.reveal(), Withheld)
