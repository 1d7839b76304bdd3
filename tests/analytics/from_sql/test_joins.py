"""JOIN in SQL is what DuckDB answers on the pooled rows, and is asked as a merge of the frames is."""

import duckdb
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundExceeded, InputError, PolicyError, UnsupportedError
from tests.analytics.from_sql.test_answers import check, ordered, plain

BANK = {"id": "int64", "segment": "object", "age": "int64", "word": "object", "kind": "object"}
SHOP = {"customer": "int64", "amount": "float64", "kind": "object", "word": "object", "id": "int64"}
DOMAIN = {"segment": ["u", "v", None], "kind": ["p", "q"]}

JOINED = {
    "groups of the first": "SELECT c.segment, COUNT(*) AS n, SUM(v.amount) AS s, MAX(v.amount) AS most, "
    "MIN(c.age) AS m FROM bank c JOIN shop v ON c.id = v.customer GROUP BY c.segment",
    "groups of the second": "SELECT v.kind, SUM(c.age), AVG(amount) FROM bank c JOIN shop v ON c.id = v.customer "
    "WHERE v.amount > 1 AND (c.age > 30 OR v.kind = 'p') AND v.kind IN ('p', 'q') GROUP BY v.kind",
    "groups of both": "SELECT c.segment, v.kind, MAX(v.amount), COUNT(amount), STDDEV(c.age) FROM shop v JOIN bank c "
    "ON c.id = v.customer WHERE v.kind <> 'other' GROUP BY c.segment, v.kind",
    "several rows of a key": "SELECT COUNT(*), SUM(v.amount), SUM(w.amount), MIN(w.amount), VARIANCE(v.amount) "
    "FROM shop v JOIN shop w ON v.customer = w.customer AND v.kind = w.kind AND w.amount < 5",
    "left": "SELECT COUNT(*) AS n, COUNT(v.customer) AS there, SUM(v.amount), AVG(c.age), MAX(v.amount) "
    "FROM bank AS c LEFT OUTER JOIN shop v ON (c.id = v.customer AND v.amount > 1)",
    "left without": "SELECT COUNT(*), SUM(c.age) FROM bank c LEFT JOIN shop v ON c.id = v.customer "
    "WHERE v.customer IS NULL",
    "right": "SELECT c.segment, COUNT(*), SUM(v.amount) FROM shop v RIGHT JOIN bank c ON v.customer = c.id "
    "GROUP BY c.segment",
    "using": "SELECT COUNT(*), SUM(id), COUNT(bank.word) FROM bank JOIN shop USING (id, kind)",
    "left using": "SELECT COUNT(*), SUM(id), COUNT(shop.id) FROM bank LEFT JOIN shop USING (id)",
    "missing keys": "SELECT COUNT(*), SUM(c.age), COUNT(v.word) FROM bank c JOIN shop v ON c.word = v.word",
    "missing keys stay": "SELECT COUNT(*), SUM(c.age), COUNT(v.word) FROM bank c LEFT JOIN shop v ON c.word = v.word",
    "computed keys": "SELECT COUNT(*), SUM(amount) FROM bank JOIN shop ON bank.id + 1 = shop.customer "
    "AND UPPER(bank.kind) = UPPER(shop.kind) AND age > 20 AND (age > 50 OR amount > 1)",
    "subqueries": "SELECT s, SUM(twice) AS t FROM (SELECT c.segment AS s, v.amount * 2 AS twice FROM bank c JOIN "
    "(SELECT * FROM shop WHERE amount < 9) v ON c.id = v.customer) AS t GROUP BY s HAVING COUNT(*) > 1",
    "with": "WITH old AS (SELECT id AS number, segment FROM bank WHERE age > 30) SELECT g.segment, COUNT(*) AS n, "
    "COUNT(*) FILTER (WHERE v.amount > 2) AS many, AVG(v.amount) FROM old g JOIN shop v ON g.number = v.customer "
    "GROUP BY ALL",
    "groups of keys of both": "SELECT word, COUNT(*), SUM(amount), MIN(age) FROM bank JOIN shop USING (word) "
    "WHERE word IN ('a', 'b') GROUP BY word",
}

words = st.sampled_from(("a", "b", None))
banked = st.tuples(st.sampled_from(("u", "v", None)), st.integers(18, 80), words, st.sampled_from("pq"))
bought = st.tuples(
    st.integers(0, 5),
    st.one_of(st.none(), st.integers(-8, 40).map(lambda n: n / 4)),
    st.sampled_from(("p", "q", "other")),
    words,
    st.integers(0, 5),
)


def frame(rows, kinds):
    columns = list(zip(*rows, strict=True)) or [()] * len(kinds)
    return pd.DataFrame(
        {name: pd.Series(column, dtype=kind) for (name, kind), column in zip(kinds.items(), columns, strict=True)}
    )


def asked(engine, bank, shop, names):
    """Each text, and its answer beside DuckDB's."""
    one, other = frame([(number, *row) for number, row in enumerate(bank)], BANK), frame(shop, SHOP)
    first, *_, last = engine.everyone
    held = {
        "bank": an.from_pandas(engine, {first: one[:2], last: one[2:]}),
        "shop": an.from_pandas(engine, {last: other[:3], first: other[3:]}),
    }
    connection = duckdb.connect()
    for name, table in (("bank", one), ("shop", other)):
        kinds = {"int64": "BIGINT", "float64": "DOUBLE", "object": "VARCHAR"}
        columns = ", ".join(f"{column} {kinds[kind]}" for column, kind in (BANK if name == "bank" else SHOP).items())
        connection.execute(f"CREATE TABLE {name} ({columns})")
        rows = [[None if pd.isna(value) else value for value in row] for row in table.itertuples(index=False)]
        if rows:
            connection.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(columns.split(',')))})", rows)
    queries = [an.sql(JOINED[name], domain=DOMAIN, **held) for name in names]
    for name, table in zip(names, icm.reveal(*queries), strict=True):
        check(ordered(plain(table)), ordered(connection.execute(JOINED[name]).fetchall()))


BANKED = [("u", 20, "a", "p"), (None, 33, None, "q"), ("v", 51, "b", "p"), ("v", 70, "a", "q")]
BOUGHT = [
    (0, 1.5, "p", "a", 0),
    (0, None, "q", None, 3),
    (2, 7.25, "p", "b", 2),
    (2, -1.0, "other", "c", 3),
    (3, 12.0, "q", "a", 9),
    (3, 2.0, "q", "a", 1),
    (9, 4.0, "p", None, 3),
]


@given(
    bank=st.lists(banked, min_size=3, max_size=6),
    shop=st.lists(bought, min_size=4, max_size=9),
    names=st.lists(st.sampled_from(sorted(JOINED)), min_size=3, max_size=3, unique=True),
)
@settings(max_examples=3, phases=(Phase.explicit, Phase.generate))
@pytest.mark.slow
def test_of_the_pooled_rows(pair, bank, shop, names):
    asked(pair, [BANKED[0], *bank], [BOUGHT[0], *shop], names)


@pytest.mark.parametrize("name", JOINED)
@pytest.mark.few(5)
def test_of_a_few_rows(fresh, name):
    asked(fresh, BANKED, BOUGHT, [name])


def held(engine, **stated):
    bank = frame([(number, *row) for number, row in enumerate(BANKED)], BANK)
    shop = frame(BOUGHT[:-1], SHOP)
    return an.from_pandas(engine, {"alice": bank}, **stated), an.from_pandas(engine, {"bob": shop}, **stated)


def test_it_is_the_plan_of_a_merge_and_the_text_is_kept(fresh):
    every = {"largest": 100, "two_largest": 100}
    policy = icm.Policy(min_rows=3, operations=("count", "sum", "merge"), **every)
    bank, shop = held(fresh, policy=policy)
    text = "SELECT SUM(v.amount) AS s, COUNT(*) AS n FROM shop v JOIN bank c ON v.customer = c.id"
    joined, merged = an.sql(text, bank=bank, shop=shop), an.merge(shop, bank, left_on="customer", right_on="id")
    assert joined.explain().splitlines()[0] == f"SQL: {text}"
    for line in merged["amount"].sum().explain().splitlines()[:2]:
        assert line in joined.explain()
    assert joined.reveal()["n"].tolist() == [6]
    assert merged["amount"].sum().reveal() == 21.75, "one merge of both: nothing is asked that is not answered"
    with pytest.raises(PolicyError, match="one merge of a frame"):
        an.sql(text.replace("c.id", "c.age"), bank=bank, shop=shop).reveal()
    with pytest.raises(PolicyError, match="merge whole frames"):
        an.sql(f"{text} AND c.age > 30", bank=bank, shop=shop).reveal()
    with pytest.raises(PolicyError, match="merge whole frames"):
        an.sql(f"{text} WHERE c.age > 30", bank=bank, shop=shop).reveal()


def test_a_policy_asks_for_one_row_of_each_key(fresh):
    """Of frames with a policy the table that rows are grouped by, or the second one, has a key once: it is checked."""
    policy = icm.Policy(min_rows=3, operations=("count", "sum", "merge"), largest=100, two_largest=100)
    bank, shop = held(fresh, policy=policy)
    with pytest.raises(BoundExceeded, match="more than one row on the right side"):
        an.sql("SELECT COUNT(*) FROM bank c JOIN shop v ON c.id = v.customer", bank=bank, shop=shop).reveal()
    bank, shop = held(fresh, policy=policy)
    found = an.sql(
        "SELECT c.segment, COUNT(*) AS n FROM bank c JOIN shop v ON c.id = v.customer GROUP BY c.segment",
        bank=bank,
        shop=shop,
        domain={"segment": ["u", "v"]},
    ).reveal()
    assert found["segment"].tolist() == ["u", "v"]
    assert found["n"].isna().all(), "2 rows of u, and 4 of v would tell these"


PRIVATE = {
    "inner": "SELECT c.segment, COUNT(*) AS n, SUM(v.amount) AS s, AVG(c.age), COUNT(*) FILTER (WHERE v.amount > 2) "
    "FROM bank c JOIN shop v ON c.id = v.customer WHERE v.kind <> 'other' OR c.age > 60 GROUP BY c.segment",
    "left": "SELECT c.age, c.word, SUM(v.amount) FROM shop v LEFT JOIN bank c ON c.id = v.customer WHERE c.age > 0 "
    "GROUP BY c.age, c.word",
    "using": "SELECT word, COUNT(*) AS n, SUM(amount), SUM(age) FROM shop JOIN "
    "(SELECT word, age FROM bank WHERE age < 60) c USING (word) GROUP BY word",
    "using, of the first": "SELECT c.word, age, COUNT(*) AS n, SUM(amount) FROM "
    "(SELECT word, age FROM bank WHERE age < 60) c JOIN shop USING (word) GROUP BY word, c.word, age",
    "extremes": "SELECT MAX(v.amount) AS m, c.segment, MIN(c.age), SUM(v.amount), MIN(v.amount) FILTER "
    "(WHERE c.age > 40) FROM bank c JOIN shop v ON c.id = v.customer GROUP BY c.segment HAVING MIN(c.age) < 60",
}


@pytest.mark.parametrize("name", PRIVATE)
@pytest.mark.few(2)
def test_groups_of_values_that_nobody_states(fresh, name, monkeypatch):
    """NULL is one of them; the table that they are of has a key once, whichever it is in the text."""
    monkeypatch.setitem(JOINED, "private", PRIVATE[name])
    monkeypatch.setitem(globals(), "DOMAIN", None)
    asked(fresh, BANKED, BOUGHT, ["private"])


def test_what_is_refused(fresh):
    bank, shop = held(fresh)
    text = "SELECT segment, shop.kind, COUNT(*) FROM bank JOIN shop ON bank.id = customer GROUP BY segment, shop.kind"
    with pytest.raises(InputError, match="are of the right frame"):
        an.sql(text, bank=bank, shop=shop)
    with pytest.raises(InputError, match="or state these: domain="):
        an.sql("SELECT id, COUNT(*) FROM bank LEFT JOIN shop USING (id) GROUP BY id", bank=bank, shop=shop)
    with pytest.raises(UnsupportedError, match="'kind' is ambiguous: say of which table"):
        an.sql("SELECT COUNT(kind) FROM bank JOIN shop ON bank.id = customer", bank=bank, shop=shop)
    assert not fresh.jobs


OF_SHARES = {
    "groups of both": "SELECT c.segment, v.kind, COUNT(*) AS n, SUM(v.amount + c.age) AS s FROM shop v JOIN bank c "
    "ON v.customer = c.id WHERE v.amount < c.age GROUP BY c.segment, v.kind",
    "groups of the first": "SELECT v.id, COUNT(*), AVG(c.age) FROM shop v JOIN bank c ON v.customer = c.id "
    "GROUP BY v.id",
    "left": "SELECT COUNT(*), COUNT(c.id), SUM(c.age), MEDIAN(amount) FROM shop v LEFT JOIN bank c "
    "ON v.customer = c.id",
    "right": "SELECT c.kind, SUM(v.amount), SUM(c.age) FROM bank c RIGHT JOIN shop v ON v.customer = c.id "
    "GROUP BY c.kind",
    "text": "SELECT COUNT(*), SUM(v.amount) FROM shop v JOIN (SELECT * FROM bank WHERE id = 1) c ON v.kind = c.kind",
    "using": "SELECT id, SUM(amount), COUNT(*) FROM shop JOIN bank USING (id) GROUP BY id",
    "order": "SELECT v.id, MEDIAN(v.amount), MAX(c.age), COUNT(*), QUANTILE_CONT(v.amount + c.age, 0.25) "
    "FROM shop v JOIN bank c ON v.customer = c.id GROUP BY v.id",
    "order of the second": "SELECT c.segment, MIN(v.amount), MEDIAN(c.age) FROM shop v JOIN bank c "
    "ON v.customer = c.id GROUP BY c.segment",
}


@pytest.mark.slow
def test_joins_of_shared_frames(fresh):
    bank = [
        (number, *row) for number, row in enumerate([("u", 40, "a", "p"), ("v", 30, None, "q"), (None, 2, "b", "p")])
    ]
    shop = [
        (1, 2.5, "p", "a", 0),
        (2, None, "q", "b", 2),
        (1, 1.0, "other", None, 2),
        (0, 50.0, "p", "a", 9),
        (7, 1.5, "q", "b", 1),
    ]
    one, other = frame(bank, BANK), frame(shop, SHOP)
    stated = {"word": ["a", "b"], "kind": ["p", "q"]}
    shared = {
        "bank": an.from_pandas(fresh, {"alice": one}).share(domain={**stated, "segment": ["u", "v"]}),
        "shop": an.from_pandas(fresh, {"bob": other[:3], "carol": other[3:]}).share(
            domain={**stated, "kind": ["other", "p", "q"]}
        ),
    }
    pooled = duckdb.connect()
    for name, table in (("bank", one), ("shop", other)):
        pooled.register(name, table)
    found = icm.reveal(*(an.sql(text, **shared) for text in OF_SHARES.values()))
    for text, table in zip(OF_SHARES.values(), found, strict=True):
        check(
            *(
                sorted(rows, key=lambda row: [*map(str, row[:2])])
                for rows in (plain(table), pooled.execute(text).fetchall())
            )
        )
    with pytest.raises(BoundExceeded, match="more than one row on the right side"):
        an.sql("SELECT COUNT(*) FROM bank c JOIN shop v ON c.id = v.customer", **shared).reveal()
    with pytest.raises(UnsupportedError, match="two tables are merged"):
        an.sql("SELECT COUNT(*) FROM shop a JOIN bank b ON a.id = b.id JOIN bank c ON a.id = c.id", **shared)
