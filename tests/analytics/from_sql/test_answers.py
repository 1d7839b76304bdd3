"""What SQL asks is what DuckDB answers on the pooled rows."""

import math
from collections import Counter

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from analytics.from_sql.translate import Translator
from tests.analytics.from_sql.answered import ANSWERED, ORDERED

DOMAIN = {"ward": ["a", "b", "c", "nobody", None]}


def frames(rows):
    columns = list(zip(*rows, strict=True)) or [(), (), (), (), ()]
    kinds = {"x": "float64", "n": "int64", "ward": "object", "ill": "bool", "small": "int64"}
    return pd.DataFrame(
        {name: pd.Series(column, dtype=kind) for (name, kind), column in zip(kinds.items(), columns, strict=True)}
    )


rows = st.tuples(
    st.one_of(st.none(), st.floats(-1e6, 1e6).map(lambda value: round(value, 3))),
    st.integers(-100, 100),
    st.sampled_from(("a", "b", "c", None)),
    st.booleans(),
    st.integers(0, 6),
)
some = st.lists(rows, max_size=8)


def split(engine, one, other):
    """A frame of the rows of two owners, and those of all as a table of DuckDB."""
    first, second = frames([(1.5, 1, "a", True, 2), *one]), frames(other)
    held = an.from_pandas(engine, dict(zip(engine.everyone, (first, second), strict=False)))
    connection = duckdb.connect()
    connection.execute("CREATE TABLE visits (x DOUBLE, n BIGINT, ward VARCHAR, ill BOOLEAN, small BIGINT)")
    if pooled := [*first.itertuples(index=False), *second.itertuples(index=False)]:
        connection.executemany(
            "INSERT INTO visits VALUES (?, ?, ?, ?, ?)", [[_none(value) for value in row] for row in pooled]
        )
    return held, connection


def _none(value):
    return None if isinstance(value, float) and math.isnan(value) else value


def plain(table):
    """Rows of Python's values; None is NULL."""
    return [
        tuple(None if pd.isna(value) else value for value in row)
        for row in table.astype(object).itertuples(index=False, name=None)
    ]


def ordered(rows):
    return sorted(rows, key=lambda row: [(value is None, str(type(value)), value) for value in row if _sorts(value)])


def _sorts(value):
    return value is None or isinstance(value, str | bool)


def check(found, expected):
    assert len(found) == len(expected), (found, expected)
    for got, want in zip(found, expected, strict=True):
        for one, other in zip(got, want, strict=True):
            same = one == pytest.approx(float(other), rel=1e-9, abs=1e-6) if _number(other) else one == other
            assert same, (got, want)


def _number(value):
    return value is not None and not isinstance(value, str | bool)


@given(one=some, other=some, names=st.lists(st.sampled_from([*ANSWERED, *ORDERED]), min_size=4, max_size=4))
@settings(max_examples=8)
@pytest.mark.slow
def test_of_the_pooled_rows(engine, one, other, names):
    held, pooled = split(engine, one, other)
    texts = {name: {**ANSWERED, **ORDERED}[name] for name in names}
    found = icm.reveal(*[an.sql(text, visits=held, domain=DOMAIN) for text in texts.values()])
    for (name, text), table in zip(texts.items(), found, strict=True):
        answer = pooled.execute(text)
        names, expected = [item[0] for item in answer.description], answer.fetchall()
        sort = list if name in ORDERED else ordered
        check(sort(plain(table)), sort(expected))
        written = [name for name in names if "(" not in name or name[0].isupper()]
        assert [name for name in table.columns if name in written] == written


@pytest.mark.parametrize("name", [*ANSWERED, *ORDERED])
@pytest.mark.few(16)
def test_of_a_few_rows(fresh, name):
    held, pooled = split(
        fresh,
        [(None, 4, "b", False, 1), (2.5, 70, None, True, 3), (-3.0, 8, "a", False, 3)],
        [(0.25, -7, "c", True, 1)],
    )
    text = {**ANSWERED, **ORDERED}[name]
    sort = list if name in ORDERED else ordered
    check(sort(plain(an.sql(text, visits=held, domain=DOMAIN).reveal())), sort(pooled.execute(text).fetchall()))


def test_no_part_of_a_text_is_translated_again_and_again(fresh, monkeypatch):
    held = an.from_pandas(fresh, {"alice": pd.DataFrame({"n": [1, 2]})})
    translated, plain_of = [], Translator.of
    monkeypatch.setattr(Translator, "of", lambda to, node: translated.append(node) or plain_of(to, node))
    long = "n" + " + 1" * 10
    an.sql(f"SELECT SUM({long}) AS s FROM v WHERE 3 < {long} AND n * 2 IN ({', '.join(map(str, range(20)))})", v=held)
    assert max(Counter(map(id, translated)).values()) <= 2


def test_halves_are_rounded_as_their_exact_values_say(fresh):
    values = [-943.305, 124.225, 0.125, -0.125, 2.5, 0.49999999999999994, 1.005, 1e300, 178.005, 1e15 + 0.5]
    held = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": values})})
    for decimals in (0, 1, 2):
        wanted = duckdb.execute(
            f"SELECT ROUND(x, {decimals}) FROM (SELECT UNNEST(?::DOUBLE[]) AS x)", [values]
        ).fetchall()
        for value, (rounded,) in zip(values, wanted, strict=True):
            text = f"SELECT MAX(ROUND(x, {decimals})) AS r FROM visits WHERE x = {value!r}"
            assert an.sql(text, visits=held).reveal()["r"][0] == rounded, (value, decimals)
