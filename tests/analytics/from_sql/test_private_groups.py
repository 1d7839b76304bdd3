"""Groups by values that nobody states are those of DuckDB on the pooled rows, NULL's among them."""

import pytest

import analytics as an
import icm_ray as icm
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


def test_groups_of_shared_rows_are_those_of_owners(fresh):
    held, pooled = split(fresh, *ROWS)
    shared = held.share(domain={"ward": ["a", "b", "c"]})
    found = icm.reveal(*(an.sql(text, visits=shared) for text in SHARED.values()))
    for (name, text), table in zip(SHARED.items(), found, strict=True):
        sort = list if name == "order" else ordered
        check(sort(plain(table)), sort(pooled.execute(text).fetchall()))
    whole = "SELECT ward, MAX(n) AS m, MEDIAN(x) AS h FROM visits WHERE ward IS NOT NULL AND ward <> 'b' GROUP BY ward"
    with pytest.raises(icm.ColumnError, match=r"line 1, column 18: the maximum .* state few groups, domain="):
        an.sql(whole, visits=shared)
    with pytest.raises(icm.UnsupportedError, match=r"column [0-9]+: MEDIAN.* is not offered of groups of private keys"):
        an.sql("SELECT small, MEDIAN(n) FROM visits GROUP BY small", visits=shared)
    table = an.sql(whole, visits=shared, domain={"ward": ["a", "c"]}).reveal()
    check(ordered(plain(table)), ordered(pooled.execute(whole).fetchall()))
