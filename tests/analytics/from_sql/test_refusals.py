"""What SQL cannot have here is refused, typed, with its place, before anything is asked."""

import pandas as pd
import pytest

import analytics as an
from icm_ray.errors import ColumnError, InputError, UnsupportedError

REFUSED = {
    "SELECT * FROM visits": ((1, 1), "rows are not opened: ask for aggregates"),
    "SELECT n FROM (SELECT n FROM visits) AS v": ((1, 1), "rows are not opened"),
    "SELECT n, SUM(x) FROM visits": ((1, 8), "the values of n in rows: GROUP BY n, or aggregate it: AVG(n)"),
    "SELECT SUM(x)\nOVER () FROM visits": ((2, 1), "a window function: GROUP BY"),
    "SELECT ROW_NUMBER() OVER (ORDER BY n) FROM visits": ((1, 21), "a window function"),
    "SELECT DISTINCT ward FROM visits": ((1, 8), "DISTINCT: GROUP BY the columns"),
    "SELECT SUM(DISTINCT n) FROM visits": ((1, 12), "aggregates take all values here"),
    "SELECT COUNT(DISTINCT ward, n) FROM visits": ((1, 14), "aggregates take all values here"),
    "SELECT COUNT(DISTINCT v.n) FROM visits v JOIN visits w ON v.n = w.n": ((1, 14), "not in merged ones"),
    "SELECT COUNT(*) FROM visits UNION ALL SELECT 1 FROM visits": ((1, 29), "UNION: ask each SELECT by itself"),
    "SELECT COUNT(*) FROM visits EXCEPT SELECT 1 FROM visits": ((1, 29), "EXCEPT"),
    "SELECT COUNT(*) FROM visits v, visits w": ((1, 30), "JOIN without a condition: say which keys are equal"),
    "SELECT COUNT(*) FROM visits v CROSS JOIN visits w": ((1, 37), "CROSS JOIN: INNER JOIN and LEFT JOIN ... ON"),
    "SELECT COUNT(*) FROM visits v FULL JOIN visits w ON v.n = w.n": ((1, 36), "FULL JOIN: INNER JOIN and LEFT"),
    "SELECT COUNT(*) FROM visits v SEMI JOIN visits w ON v.n = w.n": ((1, 36), "SEMI JOIN"),
    "SELECT COUNT(*) FROM visits v JOIN visits w ON v.n < w.n": ((1, 31), "JOIN without equal keys: say which"),
    "SELECT COUNT(*) FROM visits v JOIN visits w ON v.n = 1": ((1, 31), "JOIN without equal keys"),
    "SELECT COUNT(*) FROM visits v LEFT JOIN visits w ON v.n = w.n AND v.x > 1": (
        (1, 67),
        "x > 1: of a LEFT JOIN's ON equalities",
    ),
    "SELECT COUNT(*) FROM visits v JOIN visits w ON v.n = w.n JOIN visits u ON u.n = w.n": ((1, 58), "a second JOIN"),
    "SELECT COUNT(*) FROM visits JOIN visits ON TRUE": ((1, 29), "JOIN without equal keys"),
    "SELECT COUNT(*) FROM visits v JOIN (SELECT COUNT(*) AS n FROM visits) w ON v.n = w.n": (
        (1, 31),
        "JOIN with the results 'w': join rows of frames",
    ),
    "SELECT MEDIAN(v.n) FROM visits v JOIN visits w ON v.n = w.n": ((1, 8), "merged rows have count, sum, mean"),
    "SELECT COUNT(*) FROM visits WHERE n > (SELECT AVG(n) FROM visits)": ((1, 40), "reveal that question first"),
    "SELECT COUNT(*) FROM visits WHERE n IN (SELECT n FROM visits)": ((1, 37), "IN (SELECT ...): reveal that"),
    "SELECT COUNT(*) FROM visits WHERE EXISTS (SELECT 1 FROM visits)": ((1, 35), "EXISTS: merge the frames"),
    "SELECT COUNT(*) FROM visits WHERE SUM(n) > 3": ((1, 35), "SUM(n) of a row: aggregates stand in SELECT"),
    "SELECT SUM(AVG(n)) FROM visits": ((1, 12), "AVG(n) of a row: aggregates stand in SELECT"),
    "SELECT ANY_VALUE(ward) FROM visits": ((1, 8), "no such aggregate"),
    "SELECT SUM(SIN(x)) FROM visits": ((1, 12), "SIN: it is not answered"),
    "SELECT SUM(stored(x)) FROM visits": ((1, 12), "STORED: it is not answered"),
    "SELECT COUNT(*) FROM visits WHERE n > ?": ((1, 39), "a parameter: write its value"),
    "SELECT COUNT(*) FROM visits LIMIT n": ((1, 29), "LIMIT: a whole number"),
    "SELECT COUNT(*) FROM visits WHERE n > 99999999999999999999": ((1, 39), "beyond 64 bits"),
    "SELECT COUNT(*) FROM visit": ((1, 22), "there is no table 'visit': give the frame by that name"),
    "SELECT 1": ((1, 8), "a SELECT without FROM"),
    "SELECT AVG(c) FROM (SELECT COUNT(*) AS c FROM visits GROUP BY ill) AS t": ((1, 8), "an aggregate of results"),
    "SELECT n FROM visits ORDER BY n": ((1, 22), "ORDER BY of rows"),
    "SELECT ill, COUNT(*) FROM visits GROUP BY ROLLUP (ill)": ((1, 51), "ROLLUP"),
    "SELECT ill, COUNT(*) FROM visits GROUP BY ill QUALIFY 1 = 1": ((1, 47), "QUALIFY"),
    "WITH RECURSIVE v AS (SELECT * FROM visits) SELECT COUNT(*) FROM v": ((1, 6), "WITH RECURSIVE"),
    "SELECT SUM(TRY_CAST(x AS INT)) FROM visits": ((1, 12), "TRY_CAST"),
    "SELECT SUM(CAST(ward AS DATE)) FROM visits": ((1, 12), "CAST of string AS DATE"),
    "SELECT CAST('1' AS INT FORMAT 'x') FROM visits": ((1, 13), "it is not answered"),
    "SELECT MAX(LEAST(ill, n > 1)) FROM visits": ((1, 12), "LEAST(ill, n > 1) of conditions: join them"),
    "SELECT COUNT(*) FROM visits WHERE ward LIKE 'a_'": ((1, 40), "LIKE 'a_': patterns hold % alone"),
    "SELECT COUNT(*) FROM visits WHERE ward LIKE ward": ((1, 40), "LIKE: write the pattern out"),
    "SELECT SUM(ROUND(x, -2)) FROM visits": ((1, 22), "ROUND: it takes 0 to 15 decimals"),
    "SELECT SUM(n // n) FROM visits": ((1, 12), "divide whole numbers by one that is written out"),
    "SELECT QUANTILE_CONT(x, 2) FROM visits": ((1, 25), "one number from 0 to 1"),
    "SELECT QUANTILE_DISC(x, 0.5) FROM visits": ((1, 22), "no such aggregate"),
    "SELECT SUM(a) FROM visits AS v (a, b, c, d)": ((1, 20), "other names for a table's columns: SELECT them AS"),
    "SELECT SUM(w.x) FROM visits AS v": ((1, 12), "no table 'w': the rows are those of 'v'"),
    "SELECT SUM(visits.x) FROM visits AS v": ((1, 12), "no table 'visits'"),
    "SELECT SUM(n) FROM (SELECT n, x AS n FROM visits) AS v": ((1, 21), "two columns 'n': give each a name of its own"),
    "DROP TABLE visits": ((1, 12), "DROP: SQL asks questions here, and changes nothing"),
    "SELECT COUNT(*) INTO t FROM visits": ((1, 17), "INTO"),
    "SELECT COUNT(*) FROM visits TABLESAMPLE (10 PERCENT)": ((1, 29), "results are of all rows"),
}
WRONG = {
    "SELECT SUM(nn) FROM visits": ((1, 12), "no column 'nn'; did you mean 'n'?"),
    "SELECT COUNT(*) FROM (SELECT n FROM visits) AS v WHERE v.x > 1": ((1, 56), "no column 'x'; there are n"),
    "SELECT SUM(ward) FROM visits": ((1, 8), "SUM(ward): it takes numbers, not string"),
    "SELECT COUNT(*) FROM visits WHERE ward + 1 > 2": ((1, 35), "+ takes numbers, not string"),
    "SELECT COUNT(*) FROM visits WHERE ward > 2": ((1, 35), "> takes values of one kind"),
    "SELECT COUNT(*) FROM visits WHERE n": ((1, 35), "n: a condition is needed, not int"),
    "SELECT COUNT(*) FROM visits GROUP BY x": None,
    "SELECT COUNT(*) FROM visits v JOIN visits w ON v.n = w.ward": ((1, 48), "of int and string: keys are"),
    "SELECT COUNT(*) FROM visits v JOIN visits w ON v.x = w.x": ((1, 48), "of float and float: keys are"),
    "SELECT SUM(v.x + w.x) FROM visits v JOIN visits w ON v.n = w.n": ((1, 8), "columns of both frames"),
    "SELECT COUNT(*) FROM visits v JOIN visits w ON v.n = w.n WHERE v.x > w.x": ((1, 64), "columns of both frames"),
    "SELECT SUM(w.x * 2) FROM visits v LEFT JOIN visits w ON v.n = w.n": ((1, 8), "of a left merge"),
    "SELECT SUM(v.x) FROM visits v JOIN visits w ON v.n = w.n AND w.nn = 2": ((1, 62), "no column 'nn'"),
}
INVALID = {
    "": "given as text",
    "SELECT SUM(n FROM visits": "line 1, column 17: Expecting )",
    "SELECT SUM(n)\nFROM visits\nWHERE": "line 3, column 5: something is missing",
    "SELECT 'a FROM visits": "a quote or a comment is not closed",
    "SELECT COUNT(*) FROM visits; SELECT 1": "one question is asked at a time, and there are 2",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000 + " FROM visits": "nested too deeply",
    "SELECT COUNT(*) FROM visits -- " + "x" * (1 << 16): "65536 are the most",
}


@pytest.fixture
def visits(fresh):
    frame = pd.DataFrame({"x": [1.5, None], "n": [1, 2], "ward": ["a", None], "ill": [True, False]})
    yield an.from_pandas(fresh, {"alice": frame, "bob": frame})
    assert not fresh.jobs


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.few(24)
def test_what_is_not_answered(visits, text):
    with pytest.raises(UnsupportedError) as found:
        an.sql(text, visits=visits)
    (line, position), says = REFUSED[text]
    assert says in found.value.message
    assert found.value.message.startswith(f"line {line}, column {position}: ")
    assert found.value.where == {"line": line, "position": position}


@pytest.mark.parametrize("text", WRONG)
@pytest.mark.few(6)
def test_columns_that_cannot_be(visits, text):
    if WRONG[text] is None:
        with pytest.raises(InputError, match="the values of 'x' are not public"):
            an.sql(text, visits=visits)
        return
    with pytest.raises(ColumnError) as found:
        an.sql(text, visits=visits)
    (line, position), says = WRONG[text]
    assert found.value.message.startswith(f"line {line}, column {position}: ")
    assert says in found.value.message


@pytest.mark.parametrize("text", INVALID, ids=range(len(INVALID)))
def test_what_is_no_sql(visits, text):
    with pytest.raises(InputError) as found:
        an.sql(text, visits=visits)
    assert INVALID[text] in found.value.message


def test_what_is_said_beside_the_text(visits):
    for refused, says in (
        (lambda: an.sql("SELECT COUNT(*) FROM t", t=pd.DataFrame()), "t= takes a SecureFrame, not DataFrame"),
        (lambda: an.sql("SELECT 1", visits=visits, dialect="duckbd"), "read as one of bigquery, duckdb"),
        (
            lambda: an.sql("SELECT 1", visits=visits, domain={"wart": ["a"]}),
            "nothing is called 'wart'; did you mean 'ward'?",
        ),
        (lambda: an.sql("SELECT 1", visits=visits, domain={"ward": "a"}), "are a list, not 'a'"),
        (
            lambda: an.sql("SELECT ward, n, COUNT(*) FROM visits GROUP BY 1, n", visits=visits, domain={"n": [1]}),
            "an.sql(..., domain={'ward': [...]}), or WHERE ward IN (...)",
        ),
        (
            lambda: an.sql("SELECT ward, COUNT(*) FROM visits GROUP BY ward", visits=visits, max_groups=0),
            "max_groups=0",
        ),
        (
            lambda: an.sql("SELECT ward FROM visits GROUP BY ward", visits=visits, domain={"ward": [1]}),
            "it is string, and 1 is not",
        ),
        (
            lambda: an.sql("SELECT ward FROM visits GROUP BY ward", visits=visits, domain={"ward": [1, None]}),
            "one kind",
        ),
        (
            lambda: an.sql("SELECT ward FROM visits GROUP BY ward", visits=visits, domain={"ward": []}),
            "no values to group 'ward' by",
        ),
        (
            lambda: an.sql("SELECT SUM(n / n) FROM visits", visits=visits, dialect="postgres"),
            "CAST AS DOUBLE",
        ),
    ):
        with pytest.raises(InputError) as found:
            refused()
        assert says.lower() in found.value.message.lower()
