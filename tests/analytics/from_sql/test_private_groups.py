"""Groups by values that nobody states are those of DuckDB on the pooled rows, NULL's among them."""

import duckdb
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.errors import PolicyError
from tests.analytics.from_sql.test_answers import check, ordered, plain, split

TEXTS = {
    "text": "SELECT ward, COUNT(*) AS c, SUM(n) AS s, AVG(x) AS a, MAX(small) AS m FROM visits GROUP BY ward",
    "whole numbers": "SELECT small, SUM(x), COUNT(x) FROM visits WHERE n > -9 GROUP BY small",
    "several": "SELECT n % 3 AS rest, ward, ill, COUNT(*) FROM visits GROUP BY rest, ward, ill",
    "filters": "SELECT ward, COUNT(*) FILTER (WHERE x > 0) AS c, SUM(n) FILTER (WHERE ill) AS s, COUNT_IF(n > 3) "
    "FROM visits GROUP BY ward",
    "having": "SELECT ward, SUM(n) / COUNT(*) AS r FROM visits GROUP BY ward HAVING COUNT(*) > 1",
    "of results": "SELECT c, ward FROM (SELECT ward, COUNT(*) AS c FROM visits GROUP BY ward) WHERE ward IS NULL",
    "order": "SELECT ward, small FROM visits GROUP BY ALL ORDER BY ward DESC NULLS FIRST, small LIMIT 3",
}
ROWS = ([(None, 4, "b", False, 1), (2.5, 70, None, True, 3), (-3.0, 8, "a", False, 3)], [(0.25, -7, "c", True, 1)] * 2)


def test_what_duckdb_answers(fresh):
    held, pooled = split(fresh, *ROWS)
    found = icm.reveal(*(an.sql(text, visits=held, max_groups=8) for text in TEXTS.values()))
    for (name, text), table in zip(TEXTS.items(), found, strict=True):
        sort = list if name == "order" else ordered
        check(sort(plain(table)), sort(pooled.execute(text).fetchall()))


def test_no_more_is_opened_than_the_groups(fresh):
    held, _ = split(fresh, *ROWS)
    query = an.sql(TEXTS["text"], visits=held, max_groups=8)
    assert "private; 6 places" in query.explain()
    with pytest.raises(icm.IcmError, match="max_groups"):
        an.sql(TEXTS["several"], visits=held, max_groups=1).reveal()


SHARED = {
    "text": "SELECT ward, COUNT(*) AS c, SUM(n) AS s, AVG(x) AS a, STDDEV(n) AS d FROM visits GROUP BY ward",
    "several": "SELECT ward, small, ill, COUNT(*), SUM(x) FROM visits GROUP BY ward, small, ill",
    **{name: TEXTS[name] for name in ("whole numbers", "filters", "having", "of results", "order")},
}


@pytest.mark.slow
def test_groups_of_shared_rows_are_those_of_owners(fresh):
    held, pooled = split(fresh, *ROWS)
    shared = held.share(domain={"ward": ["a", "b", "c"]})
    found = icm.reveal(*(an.sql(text, visits=shared) for text in SHARED.values()))
    for (name, text), table in zip(SHARED.items(), found, strict=True):
        sort = list if name == "order" else ordered
        check(sort(plain(table)), sort(pooled.execute(text).fetchall()))


SECOND = {
    "quantiles": "SELECT MEDIAN(x) AS m, ward, COUNT(*) AS c, QUANTILE_CONT(n, 0.25), PERCENTILE_CONT(0.9) WITHIN "
    "GROUP (ORDER BY x) FROM visits GROUP BY ward",
    "extremes": "SELECT small, MIN(x) AS low, SUM(n) AS s, MAX(n), MAX(ill), BOOL_AND(ill) FROM visits GROUP BY small",
    "different values": "SELECT ward, ill, COUNT(DISTINCT n), COUNT(DISTINCT ward) FROM visits GROUP BY ward, ill",
    "filters": "SELECT small, MEDIAN(x) FILTER (WHERE ill) AS m, MAX(n) FILTER (WHERE x > 0), COUNT(DISTINCT n) FILTER "
    "(WHERE NOT ill), SUM(x) FILTER (WHERE ill) FROM visits GROUP BY small",
    "order": "SELECT small + 1, MAX(n) - MIN(n) AS d FROM visits GROUP BY ALL HAVING MEDIAN(n) > -5 AND COUNT(*) > 0 "
    "ORDER BY MEDIAN(n) DESC, 1 LIMIT 2",
    "of results": "SELECT m * 2 AS twice, ward FROM (SELECT ward, MEDIAN(n) AS m FROM visits GROUP BY ward) "
    "WHERE m > 0",
    "no group": "SELECT small, MEDIAN(n) AS m, COUNT(DISTINCT n) FROM visits WHERE n > 1000 GROUP BY small",
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.slow
def test_what_is_not_added_up_is_asked_of_the_groups_that_are_opened(fresh, shared):
    held, pooled = split(fresh, *ROWS)
    frame = held.share(domain={"ward": ["a", "b", "c"]}) if shared else held
    queries = {name: an.sql(text, visits=frame) for name, text in SECOND.items()}
    assert (
        "median of x, 0.25 quantile of n, 0.9 quantile of x; questions that follow find"
        in queries["quantiles"].explain()
    )
    for (name, text), table in zip(SECOND.items(), icm.reveal(*queries.values()), strict=True):
        answer = pooled.execute(text)
        assert len(table.columns) == len(answer.description)
        sort = list if name == "order" else ordered
        check(sort(plain(table)), sort(answer.fetchall()))


@pytest.mark.slow
def test_dates_are_keys_and_values_of_both_questions(fresh):
    day = pd.to_datetime(["2024-02-29", None, "2024-02-29", "2024-03-01", "2024-03-01", None])
    rows = pd.DataFrame({"day": day, "n": [4, 8, -2, 5, 5, 7], "other": day[::-1]})
    held = an.from_pandas(fresh, {"alice": rows[:4], "bob": rows[4:]})
    text = "SELECT day, MEDIAN(n) AS m, MAX(other) AS last, COUNT(DISTINCT other) AS d FROM rows GROUP BY day"
    expected = duckdb.sql(text).fetchall()
    for frame in (held, held.share()):
        found = [tuple(row) for row in plain(an.sql(text, rows=frame).reveal())]
        assert sorted(found, key=str) == sorted(expected, key=str)


ALLOWED = ("count", "sum", "mean", "median", "quantile")
POLICY = icm.Policy(min_rows=3, operations=ALLOWED, largest=100, two_largest=100)
SIZES = {1: 8, 2: 7, 3: 6, 4: 2}


@pytest.mark.parametrize("shared", [pytest.param(False, marks=pytest.mark.slow), True])
def test_a_policy_judges_each_question_as_those_of_frames(fresh, shared):
    """Groups of too few rows are opened by neither question, and what it does not allow is not even begun."""
    rows = pd.DataFrame({"k": [key for key, count in SIZES.items() for _ in range(count)], "n": range(23)})
    held = an.from_pandas(fresh, {"alice": rows[::2], "bob": rows[1::2]}, policy=POLICY)
    frame = held.share() if shared else held
    fresh.jobs.clear()
    for refused, says in (
        ("SELECT k, COUNT(DISTINCT n) FROM visits GROUP BY k", "values that few rows have"),
        ("SELECT k, COUNT(*), MAX(n) FROM visits GROUP BY k", "max"),
    ):
        with pytest.raises(PolicyError, match=says):
            an.sql(refused, visits=frame).reveal()
    assert not fresh.jobs
    text = "SELECT k, MEDIAN(n) AS m, QUANTILE_CONT(n, 0.4) AS q, COUNT(*) AS c FROM visits GROUP BY k ORDER BY k"
    groups = frame.groupby("k")["n"]
    medians, low = icm.reveal(groups.median(), groups.quantile(0.4))
    table = an.sql(text, visits=frame).reveal()
    assert table["k"].tolist() == medians.index.tolist() == [1, 2]
    assert table["m"].tolist() == medians.tolist() == [3.5, 11]
    assert table["q"].isna().tolist() == low.isna().tolist() == [False, True]
    assert table.attrs["withheld"][0] == low.attrs["withheld"][0]
    for question in (
        frame[frame["n"] != 3].groupby("k")["n"].median(),
        an.sql(text.replace("GROUP", "WHERE n <> 3 GROUP"), visits=frame),
    ):
        with pytest.raises(PolicyError, match="private groups of other rows"):
            question.reveal()
