"""Questions about drawn frames on every carrier: threads, processes over TLS, Ray actors; answers are those of pandas.

All that is drawn and all that is asked is in tests/analytics, on threads; what is here crosses every link that a
carrier has, of parties, of an owner outside, and of two lanes.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundExceeded, PolicyError
from icm_ray.query.withheld import Withheld
from icm_ray.runtime.driver.engine import LaneJob
from tests.runtime import programs
from tests.runtime.conftest import KINDS, running
from tests.twins import twin

WORDS = ("a", "bé", "zebra")
rows = st.lists(
    st.tuples(
        st.one_of(st.none(), st.floats(-(2.0**30), 2.0**30)),
        st.one_of(st.integers(-3, 3), st.sampled_from((-(2**63), 2**63 - 1))),
        st.sampled_from((*WORDS, None)),
        st.booleans(),
    ),
    max_size=8,
)
few = settings(max_examples=3, phases=(Phase.explicit, Phase.generate), suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module", params=[pytest.param("threads", marks=pytest.mark.slow), *KINDS[1:]])
def carrier(request):
    """Two lanes of alice, bob, the outside owner carol and a dealer: those of the other tests.

    Workers that are threads work out programs together: those of the others have shown that each does so alone.
    """
    if request.param == "threads":
        request.getfixturevalue("derived_once")
    return running(request)


def table(drawn):
    x, n, word, ill = list(zip(*drawn, strict=True)) or [()] * 4
    return pd.DataFrame(
        {
            "x": pd.Series(x, dtype="float64"),
            "n": pd.Series(n, dtype="int64"),
            "word": pd.Series(word, dtype="object"),
            "ill": pd.Series(ill, dtype="bool"),
        }
    )


def held(engine, one, other, **stated):
    """Rows of a party and of an owner outside, and all of them. There is one of each word and of each truth value."""
    parts = [table([(1.5, 1, "a", True), (-2.0, 2, "bé", False), *one]), table([(0.25, 0, "zebra", True), *other])]
    frame = an.from_pandas(engine, dict(zip(("alice", "carol"), parts, strict=True)), **stated)
    return frame, pd.concat(parts, ignore_index=True)


def same(found, expected):
    check = pd.testing.assert_series_equal if isinstance(expected, pd.Series) else pd.testing.assert_frame_equal
    check(found, expected, check_dtype=False, check_index_type=False, rtol=1e-9, atol=1e-9)


@given(one=rows, other=rows)
@few
@pytest.mark.slow
def test_groups_of_private_keys_and_of_public_ones(carrier, one, other):
    frame, plain = held(carrier, one, other)
    chosen, expected = frame[frame["n"] >= 0], plain[plain["n"] >= 0]
    private, public, sizes = icm.reveal(
        chosen.groupby(["word", "ill"])["x"].agg(["count", "sum", "mean", "max"]),
        chosen.groupby("word", domain=WORDS).agg(most=("n", "max"), mean=("x", "mean")),
        frame.groupby("n").size(),
    )
    same(private, expected.groupby(["word", "ill"])["x"].agg(["count", "sum", "mean", "max"]))
    same(public, expected.groupby("word").agg(most=("n", "max"), mean=("x", "mean")))
    same(sizes, plain.groupby("n").size())
    frame.forget()


@given(one=rows, other=rows)
@few
@pytest.mark.slow
def test_quantiles_and_sql(carrier, one, other):
    frame, plain = held(carrier, one, other)
    ask = an.sql(
        "SELECT ill, COUNT(*) AS n, COUNT(x) AS there, MIN(x) AS least FROM t WHERE word IS NOT NULL AND n < 3"
        " GROUP BY ill ORDER BY ill",
        t=frame,
    )
    quantiles, largest, median = icm.reveal(frame["x"].quantile([0.1, 0.9]), frame["n"].max(), frame["n"].median())
    same(quantiles, plain["x"].quantile([0.1, 0.9]))
    assert largest == plain["n"].max()
    assert median == pytest.approx(plain["n"].median())
    chosen = plain[plain["word"].notna() & (plain["n"] < 3)].groupby("ill", as_index=False)
    same(ask.reveal(), chosen.agg(n=("n", "size"), there=("x", "count"), least=("x", "min")))
    frame.forget()


@given(one=rows, other=rows)
@few
def test_merged_rows(carrier, one, other):
    frame, plain = held(carrier, one, other)
    frame, plain = frame.assign(key=frame["word"].fillna("")), plain.assign(key=plain["word"].fillna(""))
    right = pd.DataFrame({"key": ["a", "zebra", "none"], "y": [1.5, None, 4.0]})
    merged = an.merge(frame, an.from_pandas(carrier, {"bob": right}), on="key", how="left")
    expected = plain.merge(right, on="key", how="left")
    found = icm.reveal(merged.count_rows(), merged["y"].count(), merged["y"].sum(), merged["x"].mean())
    assert found[:2] == (len(expected), expected["y"].count())
    assert found[2:] == pytest.approx((expected["y"].sum(), expected["x"].mean()), rel=1e-9, abs=1e-9)


@given(one=rows, other=rows)
@few
@pytest.mark.slow
def test_groups_and_joins_of_merged_rows(carrier, one, other):
    frame, plain = held(carrier, one, other)
    right = pd.DataFrame({"word": ["a", "zebra", "a"], "y": [1.5, None, 4.0], "z": ["p", "q", "q"]})
    more = an.from_pandas(carrier, {"bob": right})
    # pandas' sums of int64 wrap, and these are exact
    chosen = frame.assign(word=frame["word"].fillna(""), m=frame["n"] % 1000)
    there = plain.assign(word=plain["word"].fillna(""), m=plain["n"] % 1000)
    merged = an.merge(chosen, more[more["z"] == "q"], on="word")
    expected = there.merge(right[right["z"] == "q"], on="word")
    both, meant = merged[(merged["n"] > 0) | (merged["y"] > 2)], expected[(expected["n"] > 0) | (expected["y"] > 2)]
    public, private, joined = icm.reveal(
        both.groupby("ill")["x"].agg(["count", "sum", "max"]),
        both.groupby("z")["m"].agg(["count", "sum"]),
        an.sql(
            "SELECT ill, COUNT(*) AS n, SUM(m.y) AS s, MIN(t.x) AS least FROM t LEFT JOIN more m USING (word) "
            "WHERE y < 3 OR n > 0 GROUP BY ill ORDER BY ill",
            t=frame,
            more=more,
        ),
    )
    same(public, meant.groupby("ill")["x"].agg(["count", "sum", "max"]))
    same(private, meant.groupby("z")["m"].agg(["count", "sum"]))
    every = plain.merge(right, on="word", how="left")
    by_ill = every[(every["y"] < 3) | (every["n"] > 0)].groupby("ill", as_index=False)
    same(joined, by_ill.agg(n=("n", "size"), s=("y", lambda y: y.sum(min_count=1)), least=("x", "min")))
    frame.forget()


@given(one=rows, other=rows)
@few
def test_shared_rows_are_filtered_and_grouped(carrier, one, other):
    small = [(x if x is None else x % 100, n % 7, word, ill) for x, n, word, ill in [*one, *other]]
    frame, plain = held(carrier, small[: len(one)], small[len(one) :])
    shared = frame.share(domain={"word": WORDS})
    chosen = shared[(shared["n"] > 0) & shared["x"].notna()]
    expected = plain[(plain["n"] > 0) & plain["x"].notna()]
    groups, total = icm.reveal(
        chosen.groupby("word", domain=WORDS)["n"].agg(["count", "sum", "max"]), chosen["n"].sum()
    )
    same(groups, expected.groupby("word")["n"].agg(["count", "sum", "max"]))
    assert total == expected["n"].sum()
    shared.forget()


@pytest.mark.slow
def test_policies_hold(carrier):
    """What is too small is withheld, what is not allowed refused, and a merge of unequal keys ends alone."""
    plain = pd.DataFrame({"x": np.arange(40.0), "ward": [*"ab"] * 14 + [*"cd"] * 6})
    policy = icm.Policy(min_rows=10, operations=("count", "mean", "sum"))
    frame = an.from_pandas(carrier, {"alice": plain[:20], "carol": plain[20:]}, policy=policy)
    groups = frame.groupby("ward")["x"].agg(["count", "mean"]).reveal()
    assert groups.index.tolist() == ["a", "b"], "c and d have 6 rows"
    assert isinstance(frame[frame["x"] < 5]["x"].sum().reveal(), Withheld)
    with pytest.raises(PolicyError, match="max"):
        frame["x"].max().reveal()
    twice = an.from_pandas(carrier, {"bob": pd.DataFrame({"ward": ["a", "a"], "y": [1, 2]})})
    left = an.from_pandas(carrier, {"alice": plain[:20], "carol": plain[20:]})
    with pytest.raises(BoundExceeded, match="more than one row on the right side"):
        an.merge(left, twice, on="ward")["y"].sum().reveal()
    assert left["x"].sum().reveal() == plain["x"].sum()


def priced(drawn):
    made = table(drawn)
    prices = pd.Series([Decimal(number % 1000) / 100 for number in made["n"].tolist()], dtype=object)
    return made.assign(price=prices.astype(pd.ArrowDtype(pa.decimal128(9, 2))))


@given(one=rows, other=rows)
@few
def test_concatenated_rows_are_described_sorted_and_summed(carrier, one, other):
    firsts = [(1.5, 1, "a", True)], [(0.25, 0, "zebra", True)], [(-2.0, 2, "bé", False), (None, 2, None, True)]
    parts = [priced(drawn) for drawn in ([*firsts[0], *one], [*firsts[1], *other], firsts[2])]
    owners = ("alice", "carol", "bob")
    frame = an.concat([an.from_pandas(carrier, {owner: part}) for owner, part in zip(owners, parts, strict=True)])
    plain = pd.concat(parts, ignore_index=True)
    described, first, last, total, most, medians = icm.reveal(
        frame.assign(m=frame["n"] % 7)[["x", "m"]].describe(),
        frame.sort_values(["word", "x"])[["word", "x"]].head(3),
        frame.sort_values("n", ascending=False)["n"].tail(2),
        frame["price"].sum(),
        frame["price"].max(),
        frame.groupby("word", domain=WORDS)["x"].median(),
    )
    same(described, plain.assign(m=plain["n"] % 7)[["x", "m"]].describe())
    same(first, plain.sort_values(["word", "x"], ignore_index=True)[["word", "x"]].head(3))
    assert last.tolist() == sorted(plain["n"], reverse=True)[-2:]
    assert (total, most) == (sum(plain["price"]), max(plain["price"]))
    same(medians, plain.groupby("word")["x"].median())


def test_what_one_lane_answered_the_other_knows(carrier, tmp_path):
    """... though the driver describes the file otherwise to it, and says nothing of what was asked before."""
    path = tmp_path / "visits.parquet"
    table([(float(row), row, "a", False) for row in range(60)]).to_parquet(path)
    frame = an.read_parquet(carrier, {"alice": str(path)}, policy=icm.Policy())
    (held_in,) = frame._dataset.facts.tables
    other = 1 - held_in.lanes[0]
    moved = twin(frame, tables=(msgspec.structs.replace(held_in, lanes=(other,)),))
    assert frame[frame["n"] >= 20]["x"].sum().reveal() == sum(range(20, 60))
    with pytest.raises(PolicyError, match="otherwise than this party's ledger"):
        moved[moved["n"] >= 21]["x"].sum().reveal()
    ones = {name: {f"from {name}": np.ones(4, np.uint64)} for name in ("alice", "bob")}
    program = programs.pooled_sum(carrier, "bob", 4, ("alice", "bob"))  # what was refused is not judged again with it
    assert carrier.execute([LaneJob(other, program, given=ones)])[0].results["total"].tolist() == [8]
