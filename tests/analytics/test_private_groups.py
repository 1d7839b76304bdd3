"""Groups by private keys: what pandas finds on the pooled rows, and nothing of which keys met."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundError, ColumnError, InputError
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lower
from icm_ray.query.question import decode_asked
from icm_ray.transport import Transcript
from tests.analytics.conftest import variance
from tests.analytics.keyed_rows import opened_words, same, table
from tests.security.test_transcripts import outline
from tests.thread_lane import ThreadLane

STATISTICS = ["count", "sum", "mean", "var", "std", "min", "max"]
TEXTS = ("a", "b", "bé", "a longer name", "", "zebra")
KEYS = ["big", "word", "near", ["word", "ill"], ["near", "big", "ill"]]

row = st.tuples(
    st.one_of(st.none(), st.floats(-(2.0**40), 2.0**40)),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from((-(2**63), -(2**32), -1, 0, 1, 2**32 - 1, 2**32, 2**63 - 1)),
    st.integers(-3, 3),
    st.sampled_from((*TEXTS, None)),
    st.booleans(),
)
some = st.lists(row, max_size=12)


def held(engine, one, other, **stated):
    parts = [table([(1.5, 1, 0, 0, "a", True), *one]), table(other)]
    frame = an.from_pandas(engine, dict(zip(engine.everyone[-2:], parts, strict=True)), **stated)
    return frame, pd.concat(parts, ignore_index=True)


def exactly(groups):
    """pandas' table of `STATISTICS`, without its rounding of partial sums, which shows where values cancel."""
    numbers = groups.agg(lambda values: tuple(map(Fraction, values.dropna())))
    table = groups.agg(STATISTICS)
    table["sum"] = numbers.map(lambda values: float(sum(values)))
    table["mean"] = numbers.map(lambda values: float(sum(values) / len(values)) if values else math.nan)
    table["var"] = numbers.map(lambda values: float(variance(values, 1)))
    table["std"] = table["var"] ** 0.5
    return table


def hold(engine, keys, one, other):
    frame, plain = held(engine, one, other, bounds={"near": 3})
    groups, expected = frame.groupby(keys), plain.groupby(keys)
    floats, sizes = icm.reveal(groups["x"].agg(STATISTICS), groups.size())
    same(floats, exactly(expected["x"]))
    pd.testing.assert_series_equal(sizes, expected.size(), check_index_type=False)


@pytest.mark.parametrize("keys", KEYS, ids=str)
@given(one=some, other=some)
@settings(max_examples=4)
@pytest.mark.few(3)
def test_groups_are_those_of_pandas(pair, keys, one, other):
    hold(pair, keys, one, other)


@given(keys=st.sampled_from(KEYS), one=some, other=some)
@settings(max_examples=5)
@pytest.mark.few(1)
def test_groups_of_more_owners_and_lanes(engine, keys, one, other):
    hold(engine, keys, one, other)


@given(one=some, other=some)
@settings(max_examples=5)
def test_sums_of_integers_are_exact(engine, one, other):
    frame, plain = held(engine, one, other)
    chosen, expected = frame[frame["near"] > 0], plain[plain["near"] > 0]
    found = chosen.groupby("word")["n"].agg(["sum", "min", "max"]).reveal()
    exactly = expected.astype({"n": object}).groupby("word")["n"].agg(["sum", "min", "max"])
    assert found.index.tolist() == exactly.index.tolist()
    for name in exactly.columns:
        assert [int(value) for value in found[name]] == [int(value) for value in exactly[name]]


def test_variances_of_tiny_and_of_distant_values_stay_within_their_bound(fresh):
    values = [2.0**-70, 2.0**40, 2.0**40 + 2.0**-12, 2.0**40 + 2.0**-11, 1e-20, 3e-20]
    plain = pd.DataFrame({"k": [0, 1, 1, 1, 2, 2], "x": values})
    frame = an.from_pandas(fresh, {"alice": plain[::2], "bob": plain[1::2]})
    found = frame.groupby("k")["x"].agg(["var", "sum"]).reveal()
    assert np.isnan(found["var"][0])
    centred = np.array(values[1:4]) - 2.0**40
    assert found["var"][1] == pytest.approx(centred.var(ddof=1), abs=2.0**-60)
    assert found["sum"].tolist() == pytest.approx(plain.groupby("k")["x"].sum().tolist(), rel=1e-15, abs=2.0**-62)


def test_three_owners_and_two_lanes_merge_one_key(engine):
    rows = [(1.0, number, 7, 1, "a", False) for number in range(8)]
    parts = {owner: table(rows[: 3 + place]) for place, owner in enumerate(engine.everyone)}
    frame, plain = an.from_pandas(engine, parts), pd.concat(parts.values())
    found = frame.groupby("big").agg(total=("n", "sum"), most=("n", "max"), rows=("x", "count")).reveal()
    expected = plain.groupby("big").agg(total=("n", "sum"), most=("n", "max"), rows=("x", "count"))
    same(found, expected)


POLICY = icm.Policy(min_rows=5, residual_df=1, operations=("count", "sum", "mean", "std", "min", "max"))


def test_groups_that_are_too_small_are_not_there(fresh):
    """... nor those that leave few rows out."""
    first = table([(1.0, 1, 0, 1, "a", True)] * 4 + [(2.0, 2, 0, 2, "b", True)] * 4 + [(None, 2, 0, 2, "c", True)] * 4)
    second = table([(3.0, 1, 0, 1, "a", True)] * 2 + [(4.0, 2, 0, 2, "c", True)] * 4 + [(2.0, 2, 0, 2, "d", True)] * 4)
    both = pd.concat([second, table([(None, 2, 0, 2, "f", True)] * 4 + [(4.0, 2, 0, 2, "f", True)] * 4)])
    frame = an.from_pandas(fresh, {"alice": first, "bob": both}, policy=POLICY)
    groups = frame.groupby("word")
    found, sizes, most = icm.reveal(groups["x"].agg(["sum", "max", "std"]), groups.size(), frame.groupby("ill").size())
    assert found.index.tolist() == sizes.index.tolist() == ["a", "c", "f"], "b and d have 4 rows"
    assert sizes.tolist() == [6, 8, 8]
    assert found.loc["a", ["sum", "max"]].tolist() == [10.0, 3.0]
    assert found.loc[["c", "f"]].isna().all(axis=None), "4 values are behind each"
    assert len(found.withheld) == 6
    assert len(found.attrs["withheld"]) == 3
    assert most.tolist() == [30], "all rows"
    alone = an.from_pandas(fresh, {"alice": first, "bob": second[:6]}, policy=POLICY).groupby("word").size().reveal()
    assert alone.to_dict() == {"c": 8}, "b has 4 rows, which are the rest of 18 without those of a and c"
    rest = an.from_pandas(fresh, {"alice": pd.concat([first[:4]] * 3), "bob": first[4:8]}, policy=POLICY)
    assert rest.groupby("near").size().reveal().empty, "12 rows of 1, and 4 of 2, which are the others"


@pytest.mark.slow
def test_no_number_of_a_group_that_is_too_small_is_opened(fresh, monkeypatch):
    """... and none of a place without a group."""
    first, second = table([(7.0, 7, 7, 1, "b", True)] * 3), table([(7.0, 7, 7, 2, "c", True)] * 4)
    frame = an.from_pandas(fresh, {"alice": first, "bob": second}, policy=POLICY)
    opened = opened_words(fresh, monkeypatch)
    found = frame.groupby("word")[["x", "n", "big"]].agg(["sum", "mean", "std", "min", "max", "count"]).reveal()
    assert found.empty
    assert opened
    for words in opened:
        assert not words.any()


def test_what_cannot_be_is_refused(fresh):
    frame, _ = held(fresh, [(1.0, 5, number, 1, "a", True) for number in range(6)], [(2.0, 1, 9, 1, "b", True)])
    for refused, error, says in (
        (lambda: frame.groupby("x"), ColumnError, "not by float"),
        (lambda: frame.groupby("big", max_groups=0), InputError, "max_groups=0"),
        (lambda: frame.groupby("big", max_groups=np.int64(0)), InputError, "max_groups=0"),
        (lambda: frame.groupby("big", max_groups=2**21), InputError, "max_groups="),
        (lambda: frame.groupby("word", max_bytes=65), InputError, "max_bytes=65"),
        (lambda: frame.groupby("word", max_bytes=0), InputError, "max_bytes=0"),
        (lambda: frame.groupby("word", domain={"word": ["a"]}, max_groups=3), InputError, "private keys"),
        (lambda: frame.groupby(["word", "big"], domain={"word": ["a"]}), InputError, "not public; state those"),
        (lambda: frame.groupby("nothing"), ColumnError, "nothing"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not [job for job in fresh.jobs if any("Reveal" in type(node.op).__name__ for node in job.program.nodes)]


def test_an_owner_refuses_what_there_is_no_room_for(fresh):
    one = [(1.0, 5, number, number, word, True) for number, word in enumerate(("a", "x" * 30, "nul\0l", "d"))]
    frame, _ = held(fresh, one, [], bounds={"near": 1})
    for refused, error, says in (
        (lambda: frame.groupby("big", max_groups=3), InputError, "more groups than the 3"),
        (lambda: frame.groupby("word"), BoundError, "more than 20 bytes"),
        (lambda: frame[frame["big"] != 1].groupby("word"), ColumnError, "NUL"),
        (lambda: frame.groupby("near"), BoundError, "beyond the declared bound"),
    ):
        with pytest.raises(error, match=says):
            refused().size().reveal()
    large = an.from_pandas(fresh, {"bob": pd.DataFrame({"k": [1], "x": [1e60]})})
    with pytest.raises(BoundError, match="scale them down"):
        large.groupby("k")["x"].agg("sum").reveal()
    unsigned = an.from_pandas(fresh, {"bob": pd.DataFrame({"k": np.array([2**63], np.uint64)})})
    with pytest.raises(BoundError, match="beyond 64 bits"):
        unsigned.groupby("k").size().reveal()


def asked_of(engine, frame):
    engine.jobs.clear()
    frame.groupby(["word", "big"])["x"].agg(["sum", "max", "count"]).reveal()
    (job,) = engine.jobs
    return job


@pytest.mark.parametrize("parties", [("alice", "bob"), ("alice", "bob", "carol")])
def test_nothing_that_a_party_sees_depends_on_which_keys_meet(fresh, parties):
    """Sizes, order and number of all frames, for groups that are all one, all different, none, or met by both."""
    frame, _ = held(fresh, [(1.0, 1, 1, 1, "a", True)] * 7, [(1.0, 1, 1, 1, "a", True)] * 8)
    asked = decode_asked(asked_of(fresh, frame).origin.asked)
    facts = asked.facts[0]
    tables = tuple(
        type(held_by)(held_by.name, owner, held_by.rows, held_by.lanes)
        for held_by, owner in zip(facts.tables, parties[:2], strict=True)
    )
    named = type(facts)(facts.name, facts.columns, tables, facts.log2_bounds, facts.policy)
    lowered = lower(type(asked)(asked.what, (named,)), Members(parties))
    program = lowered.last.program
    sizes = {
        owner: {name: (task.most, 5 + 2 + 1 + 3 + 1 + 2) for name, task in tasks.items()}
        for owner, tasks in lowered.last.tasks.items()
    }
    rng = np.random.default_rng(5)
    seen = set()
    for draw in (
        lambda shape: np.zeros(shape, np.uint64),
        lambda shape: np.full(shape, 1 << 31, np.uint64),
        lambda shape: rng.integers(0, 2, shape).astype(np.uint64),
        lambda shape: rng.integers(0, 1 << 31, shape).astype(np.uint64),
    ):
        transcript = Transcript()
        brought = {name: {} for name in parties}
        for owner, inputs in sizes.items():
            for name, (most, _) in inputs.items():
                kind = next(node.op.type for node in program.nodes if getattr(node.op, "name", "") == name)
                assert kind.shape[0] == most
                brought[owner][name] = draw(kind.shape)
        with ThreadLane(parties, transcript=transcript) as lane:
            lane.run(program, brought)
        seen.add(str(outline(transcript, (*parties, "dealer"))))
    assert len(seen) == 1
