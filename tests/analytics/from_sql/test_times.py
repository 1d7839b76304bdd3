"""Dates, times, intervals and decimals in SQL: what DuckDB answers on the pooled rows."""

import datetime as dt
from decimal import Decimal

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, UnsupportedError

# ruff: noqa: DTZ001 - times without a zone are what is tested
ROWS = pa.table(
    {
        "day": pa.array([dt.date(2024, 2, 29), dt.date(2023, 12, 31), dt.date(2024, 3, 1), None, dt.date(2024, 2, 1)]),
        "t": pa.array(
            [
                dt.datetime(2024, 2, 29, 23, 59, 58),
                dt.datetime(2023, 1, 1),
                None,
                dt.datetime(2024, 3, 4, 5, 6, 7, 8),
                None,
            ],
            pa.timestamp("us"),
        ),
        "price": pa.array(
            [Decimal("1.10"), Decimal("-2.25"), None, Decimal("9.99"), Decimal("0.05")], pa.decimal128(9, 2)
        ),
        "n": [1, 2, 3, 4, 5],
    }
)
TEXTS = {
    "literals": "SELECT COUNT(*) FROM v WHERE day >= DATE '2024-02-01' AND day < '2024-03-01'",
    "times": "SELECT COUNT(*), MIN(t), MAX(t) FROM v WHERE t > TIMESTAMP '2023-06-01 12:00:00' OR t = '2023-01-01'",
    "between": "SELECT COUNT(*) FROM v WHERE day BETWEEN '2024-01-01' AND DATE '2024-02-29' OR day IN ('2024-03-01')",
    "extremes": "SELECT MIN(day), MAX(day), COUNT(day) FROM v",
    "of nothing": "SELECT MIN(day), MAX(t), SUM(price), AVG(price) FROM v WHERE n > 9",
    "parts": "SELECT SUM(EXTRACT(YEAR FROM day)), SUM(MONTH(day)), MAX(DAY(t)), SUM(EXTRACT(DOW FROM day)), "
    "SUM(EXTRACT(ISODOW FROM day)), SUM(EXTRACT(HOUR FROM t)), SUM(EXTRACT(DOY FROM t)), SUM(YEAR(t)) FROM v",
    "groups of parts": "SELECT EXTRACT(MONTH FROM day) AS m, COUNT(*) FROM v GROUP BY m",
    "groups of days": "SELECT day, SUM(n) FROM v GROUP BY day",
    "groups of months": "SELECT DATE_TRUNC('month', day) AS m, COUNT(*), SUM(n) FROM v GROUP BY m",
    "groups of years": "SELECT DATE_TRUNC('year', t) AS y, COUNT(*) FROM v GROUP BY y",
    "truncated": "SELECT COUNT(*) FROM v WHERE DATE_TRUNC('hour', t) = TIMESTAMP '2024-03-04 05:00:00' "
    "OR DATE_TRUNC('week', day) = DATE '2024-02-26'",
    "intervals": "SELECT COUNT(*) FROM v WHERE day + INTERVAL 1 DAY > TIMESTAMP '2024-02-29 12:00:00' "
    "AND t - INTERVAL '2' HOUR < day + INTERVAL 30 MINUTE",
    "days between": "SELECT SUM(day - DATE '2024-01-01'), MAX(CAST(t AS DATE)) FROM v",
    "decimals": "SELECT SUM(price), MIN(price), MAX(price), AVG(price), SUM(price * n), SUM(price / 3) FROM v "
    "WHERE price > -2.5 AND price <> 9.98",
}


def ordered(rows):
    return sorted(rows, key=lambda row: [(value is None, str(value)) for value in row])


def values(table):
    """Rows of Python's values, times as DuckDB gives them."""
    rows = []
    for row in table.astype(object).itertuples(index=False, name=None):
        made = [None if pd.isna(value) else value for value in row]
        rows.append(tuple(value.to_pydatetime() if isinstance(value, pd.Timestamp) else value for value in made))
    return rows


def as_times(rows):
    """Dates as times at midnight, which pandas has; decimals as floats."""
    return [
        tuple(
            dt.datetime(value.year, value.month, value.day)
            if type(value) is dt.date
            else float(value)
            if isinstance(value, Decimal)
            else value
            for value in row
        )
        for row in rows
    ]


def test_what_duckdb_answers(fresh):
    held = an.from_pandas(fresh, {"alice": ROWS[:2], "bob": ROWS[2:]})
    connection = duckdb.connect()
    connection.register("rows", ROWS)
    connection.execute("CREATE TABLE v AS SELECT * FROM rows")
    found = icm.reveal(*(an.sql(text, v=held) for text in TEXTS.values()))
    for text, table in zip(TEXTS.values(), found, strict=True):
        one, other = ordered(as_times(values(table))), ordered(as_times(connection.execute(text).fetchall()))
        assert len(one) == len(other), text
        for row, expected in zip(one, other, strict=True):
            assert row == tuple(pytest.approx(value, rel=1e-9) if type(value) is float else value for value in expected)


REFUSED = {
    "SELECT COUNT(*) FROM v WHERE day > 'never'": (ColumnError, "'never' is no time"),
    "SELECT COUNT(*) FROM v WHERE day > DATE 'x'": (ColumnError, "'x' is no time"),
    "SELECT COUNT(*) FROM v WHERE day + INTERVAL 1 MONTH > t": (UnsupportedError, "months differ in length"),
    "SELECT SUM(EXTRACT(CENTURY FROM day)) FROM v": (UnsupportedError, "EXTRACT(CENTURY)"),
    "SELECT COUNT(*) FROM v WHERE DATE_TRUNC('quarter', day) = day": (UnsupportedError, "DATE_TRUNC to QUARTER"),
    "SELECT COUNT(*) FROM v WHERE DATE_TRUNC('month', n) = n": (ColumnError, "it takes dates and times"),
    "SELECT SUM(day) FROM v": (ColumnError, "it takes numbers"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(fresh, text):
    held = an.from_pandas(fresh, {"alice": ROWS})
    fresh.jobs.clear()
    error, says = REFUSED[text]
    with pytest.raises(error) as found:
        an.sql(text, v=held)
    assert says in found.value.message
    assert not fresh.jobs
