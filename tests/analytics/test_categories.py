"""Groups by columns whose values are public: categories, bins, parts of times. Nobody states a domain."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.errors import ColumnError, InputError

LEVELS = ["low", "middle", "high"]


def levels(values, categories=LEVELS):
    return pd.Categorical(values, categories=categories)


NORTH = pd.DataFrame(
    {"level": levels(["low", "high", None, "low"]), "x": [1.0, 2.0, 3.0, None], "age": [3, 30, 66, 65]}
)
SOUTH = pd.DataFrame({"level": levels(["middle", "low"]), "x": [5.0, 7.0], "age": [18, 90]})
BOTH = pd.concat([NORTH, SOUTH], ignore_index=True)


@pytest.fixture
def held(fresh):
    return an.from_pandas(fresh, {"alice": NORTH, "bob": SOUTH})


def as_text(table):
    """pandas' result, its index of categories as plain values."""
    table.index = table.index.astype(object)
    return table


def test_categories_come_in_their_order(held, fresh):
    found = held.groupby("level")["x"].agg(["sum", "count"]).reveal()
    expected = as_text(BOTH.groupby("level", observed=True)["x"].agg(["sum", "count"]))
    pd.testing.assert_frame_equal(found, expected, check_index_type=False, check_dtype=False)
    assert found.index.tolist() == LEVELS
    assert not any("sort" in type(node.op).__name__.lower() for job in fresh.jobs for node in job.program.nodes)


def test_a_stated_domain_comes_first(held):
    found = held.groupby("level", domain={"level": ["none", "high", "low"]}).size().reveal()
    assert found.to_dict() == {"low": 3, "high": 1}
    assert found.index.tolist() == ["low", "high"]


def test_bins(held):
    edges = [0, 18, 65, np.inf]
    made = held.assign(bin=an.cut(held["age"], edges), name=an.cut(held["age"], edges, labels=["c", "b", "a"]))
    plain = BOTH.assign(bin=pd.cut(BOTH["age"], edges), name=pd.cut(BOTH["age"], edges, labels=["c", "b", "a"]))
    for key in ("bin", "name"):
        expected = plain.groupby(key, observed=True)["x"].agg("mean")
        found = made.groupby(key)["x"].agg("mean").reveal()
        assert found.index.tolist() == list(map(str, expected.index))
        assert found.tolist() == pytest.approx(expected.tolist(), nan_ok=True)
    both = made.groupby(["level", "name"]).size().reveal()
    assert both.tolist() == plain.groupby(["level", "name"], observed=True).size().tolist()
    assert (made["name"] == "a").sum().reveal() == 2


def test_parts_of_times(fresh):
    came = pd.to_datetime(["2024-01-05", "2024-03-31", "2023-03-01"])
    held = an.from_pandas(fresh, {"alice": pd.DataFrame({"came": came, "x": [1, 2, 4]})})
    found = held.assign(month=held["came"].dt.month).groupby("month")["x"].agg("sum").reveal()
    assert found.to_dict() == {1: 1, 3: 6}


def test_owners_of_different_categories(fresh):
    other = pd.DataFrame({"level": levels(["top"], ["top", "low"]), "x": [1.0], "age": [1]})
    held = an.from_pandas(fresh, {"alice": NORTH, "bob": other})
    assert held.groupby("level").size().reveal().to_dict() == {"low": 2, "high": 1, "top": 1}
    assert held["level"].meant.info("level").categories == ("low", "middle", "high", "top")
    texts = pd.DataFrame({"level": ["top"], "x": [1.0], "age": [1]})
    assert not an.from_pandas(fresh, {"alice": NORTH, "bob": texts})["level"].meant.info("level").categories


def test_what_is_made_of_categories_has_none(held):
    assert not held["level"].meant.info(held["level"].str.upper().of).categories
    with pytest.raises(ColumnError, match="takes numbers"):
        an.cut(held["level"], [0, 1])


def test_categories_are_not_compared_as_text(held):
    bins = an.cut(held["age"], [0, 18, 65], labels=["young", "old"])
    shared = held.share(domain={"level": LEVELS})["level"]
    for ask in (
        lambda: held["level"] > "low",
        lambda: shared <= "middle",
        lambda: held["level"].between("low", "middle"),
        lambda: held.query("level < 'low'"),
        lambda: bins > "old",
    ):
        with pytest.raises(InputError, match="an order of their own"):
            ask()
    assert (held["level"] != "low").sum().reveal() == (BOTH["level"] != "low").sum()
