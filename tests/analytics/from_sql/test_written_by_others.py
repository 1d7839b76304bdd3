"""SQL that Ibis and narwhals write for their users is answered as theirs would be."""

import duckdb
import ibis
import narwhals as nw
import pandas as pd
import pytest

import analytics as an
from tests.analytics.from_sql.test_answers import check, ordered, plain

ROWS = pd.DataFrame(
    {
        "age": [34, 61, 47, 29, 70, 65],
        "cost": [120.5, None, 310.25, 95.0, 410.75, 80.0],
        "ward": ["a", "b", None, "b", "b", "a"],
        "ill": [True, False, True, True, False, True],
    }
)
DOMAIN = {"ward": ["a", "b", None]}
_ = ibis._
TABLE = ibis.table({"age": "int64", "cost": "float64", "ward": "string", "ill": "boolean"}, name="visits")
IBIS = {
    "groups": TABLE.filter(_.age >= 30)
    .group_by("ward")
    .agg(mean=_.cost.mean(), n=_.count(), sd=_.cost.std(), high=(_.cost > 100).sum(), some=_.count(where=_.cost > 90))
    .order_by("ward")
    .limit(2),
    "computed": TABLE.mutate(twice=_.age * 2)
    .filter(_.twice > 5, _.ward.isin(["a", "b"]))
    .agg(t=_.twice.sum() / _.count(), filled=_.cost.fill_null(0).sum(), there=_.cost.notnull().sum()),
    "cases": TABLE.agg(s=ibis.cases((_.age > 60, _.cost), else_=0.0).sum(), between=_.age.between(30, 50).sum()),
    "chosen groups": TABLE.group_by("ill").agg(n=_.count()).filter(_.n > 2),
    "a group of its own": TABLE.group_by(old=_.age >= 60).agg(_.cost.sum().name("s"), _.age.max().name("oldest")),
    "one number": TABLE.cost.var(how="pop"),
}
NARWHALS = {
    "groups": lambda frame: (
        frame.filter(nw.col("age") >= 30)
        .group_by("ward")
        .agg(nw.col("cost").mean().alias("mean"), nw.len().alias("n"), nw.col("cost").std().alias("sd"))
        .sort("ward")
    ),
    "computed": lambda frame: (
        frame.with_columns(z=nw.when(nw.col("age") > 40).then(nw.col("cost")).otherwise(0))
        .filter(~nw.col("z").is_null(), nw.col("ward").is_in(["a", "b"]))
        .select(nw.col("z").sum(), nw.col("age").max())
    ),
    "aggregates": lambda frame: frame.select(
        nw.col("cost").mean(), nw.col("age").sum(), n=nw.len(), c=nw.col("cost").count(), any=nw.col("ill").any()
    ),
    "known keys": lambda frame: (
        frame.filter(nw.col("age").is_between(30, 66))
        .group_by("ill")
        .agg(nw.col("cost").var(ddof=0).alias("v"), nw.col("age").min(), nw.col("age").count().alias("c"))
    ),
}


@pytest.fixture
def pooled():
    connection = duckdb.connect()
    connection.execute("CREATE TABLE visits (age BIGINT, cost DOUBLE, ward VARCHAR, ill BOOLEAN)")
    rows = ROWS.astype(object).where(ROWS.notna(), None)
    connection.executemany("INSERT INTO visits VALUES (?, ?, ?, ?)", rows.values.tolist())
    return connection


@pytest.fixture
def visits(fresh):
    return an.from_pandas(fresh, {"alice": ROWS[:2], "bob": ROWS[2:5], "carol": ROWS[5:]})


@pytest.mark.parametrize("dialect", ["duckdb", "postgres", "snowflake", "mysql", "trino"])
@pytest.mark.few(2)
def test_ibis(visits, pooled, dialect):
    for name, expression in IBIS.items():
        text = str(ibis.to_sql(expression, dialect=dialect))
        found = plain(an.sql(text, visits=visits, dialect=dialect, domain=DOMAIN).reveal())
        expected = pooled.execute(str(ibis.to_sql(expression, dialect="duckdb"))).fetchall()
        sort = list if name == "groups" else ordered
        if dialect != "mysql" or name != "groups":  # which has no NULLS LAST, and ibis writes none
            check(sort(found), sort(expected))


@pytest.mark.parametrize("name", NARWHALS)
@pytest.mark.few(2)
def test_narwhals(visits, pooled, name):
    relation = NARWHALS[name](nw.from_native(pooled.table("visits"))).to_native()
    found = an.sql(relation.sql_query(), visits=visits, domain=DOMAIN).reveal()
    assert list(found.columns) == relation.columns
    sort = list if name == "groups" else ordered
    check(sort(plain(found)), sort(relation.fetchall()))
