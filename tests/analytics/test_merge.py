"""Merges on private keys: statistics are pandas' of the merged rows, and nothing depends on which rows match."""

import itertools
import math
from functools import partial

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundExceeded, ColumnError, InputError, PolicyError
from icm_ray.owner import key_words
from icm_ray.query import merge_layout
from icm_ray.query.lower import lower
from icm_ray.query.merge import JoinedColumn, Merge, MergedRows
from icm_ray.query.merge_layout import layout as layout_of
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.private_keys import PrivateKeys
from icm_ray.query.selection import SelectedRows, Selection
from icm_ray.query.statistics.count import Count
from icm_ray.query.statistics.group_keys import GroupKeys
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.statistics.sum import Sum
from icm_ray.query.tasks import ColumnInfo, GroupKey, PrivateKey
from icm_ray.query.withheld import Withheld
from icm_ray.transport import Transcript
from tests.analytics.conftest import variance
from tests.query.facts import MEMBERS, QUESTIONS
from tests.security.test_transcripts import outline
from tests.thread_lane import ThreadLane

KEYS = {"big": ["big"], "word": ["word"], "several": ["word", "small"]}
BIG = (-(2**63), -1, 0, 5, 2**40, 2**63 - 1)
WORDS = ("a", "b", "bé", "a longer name", "")

left_rows = st.lists(
    st.tuples(
        st.sampled_from(BIG),
        st.sampled_from(WORDS),
        st.integers(0, 2),
        st.one_of(st.none(), st.floats(-(2.0**40), 2.0**40)),
        st.integers(-(2**63), 2**63 - 1),
    ),
    min_size=2,
    max_size=14,
)
right_rows = st.lists(
    st.tuples(
        st.sampled_from(BIG),
        st.sampled_from(WORDS),
        st.integers(0, 2),
        st.one_of(st.none(), st.floats(-(2.0**40), 2.0**40)),
        st.integers(-(2**31), 2**31),
    ),
    min_size=1,
    max_size=10,
)


def table(rows, names):
    columns = list(zip(*rows, strict=True))
    kinds = ("int64", "object", "int64", "float64", "int64")
    return pd.DataFrame(
        {name: pd.Series(column, dtype=kind) for name, column, kind in zip(names, columns, kinds, strict=True)}
    )


def same(found, expected):
    return found == pytest.approx(expected, rel=1e-11, abs=1e-9, nan_ok=True)


def hold(engine, on, how, one, other):
    left, right = table(one, ("big", "word", "small", "x", "n")), table(other, ("big", "word", "small", "y", "n"))
    right = right.drop_duplicates(KEYS[on]).reset_index(drop=True)
    first, *_, last = engine.everyone
    held = an.from_pandas(engine, {first: left[: len(left) // 2], last: left[len(left) // 2 :]})
    merged = an.merge(held, an.from_pandas(engine, {last: right}), on=KEYS[on], how=how)
    plain = left.merge(right, on=KEYS[on], how=how)
    assert merged.columns == tuple(plain.columns)
    columns = ("x", "y", "n_x", "n_y")
    statistics = ("count", "sum", "mean", "std")
    found = icm.reveal(
        merged.count_rows(), *(getattr(merged[column], name)() for column in columns for name in statistics)
    )
    assert found[0] == len(plain)
    total = sum(plain["n_x"].astype(object))  # where pandas' sums leave 64 bits, or its means cancel
    exact = {("n_x", "sum"): total, ("n_x", "mean"): total / max(len(plain), 1) if len(plain) else math.nan}
    exact |= {(column, "std"): math.sqrt(variance(plain[column].dropna(), 1)) for column in columns}
    wanted = [
        exact[column, name] if (column, name) in exact else getattr(plain[column], name)()
        for column in columns
        for name in statistics
    ]
    for got, want in zip(found[1:], wanted, strict=True):
        assert same(got, want)


@pytest.mark.parametrize("how", ["inner", "left"])
@pytest.mark.parametrize("on", KEYS)
@given(one=left_rows, other=right_rows)
@settings(max_examples=3)
@pytest.mark.few(3)
def test_statistics_are_those_of_pandas(pair, on, how, one, other):
    hold(pair, on, how, one, other)


@given(on=st.sampled_from(sorted(KEYS)), how=st.sampled_from(["inner", "left"]), one=left_rows, other=right_rows)
@settings(max_examples=4)
@pytest.mark.few(1)
def test_statistics_of_more_owners_and_lanes(engine, on, how, one, other):
    hold(engine, on, how, one, other)


def frames(engine, many=12, **stated):
    left = pd.DataFrame({"k": np.arange(many) % 4, "x": np.arange(many) * 1.5, "n": np.arange(many)})
    right = pd.DataFrame({"k": [0, 1, 7, 8], "y": [1, 2, 4, 8]})
    return an.from_pandas(engine, {"alice": left}, **stated), an.from_pandas(engine, {"bob": right}), left, right


def test_chosen_rows_are_merged(fresh):
    one, other, left, right = frames(fresh)
    merged = an.merge(one[one["n"] > 3], other[other["y"] < 3].assign(twice=lambda frame: frame["y"] * 2), on="k")
    plain = left[left["n"] > 3].merge(right[right["y"] < 3].assign(twice=lambda frame: frame["y"] * 2), on="k")
    assert merged["x"].sum().reveal() == plain["x"].sum()
    assert merged["twice"].mean().reveal() == plain["twice"].mean()
    assert "which rows match is secret" in merged["x"].sum().explain()
    none = an.merge(one[one["n"] > 99], other, on="k")
    found = icm.reveal(none.count_rows(), none["y"].sum(), none["y"].mean())
    assert found[:2] == (0, 0)
    assert math.isnan(found[2])


@pytest.mark.parametrize("owners", [("bob",), ("bob", "carol")])
def test_a_key_that_is_twice_on_the_right_side_ends_the_merge(fresh, owners):
    one, *_ = frames(fresh)
    parts = [pd.DataFrame({"k": [1, 2], "y": [1, 2]}), pd.DataFrame({"k": [5, 2], "y": [3, 4]})]
    twice = {owners[0]: pd.concat(parts)} if len(owners) == 1 else dict(zip(owners, parts, strict=True))
    merged = an.merge(one, an.from_pandas(fresh, twice), on="k")
    with pytest.raises(BoundExceeded, match="more than one row on the right side"):
        merged["y"].sum().reveal()


@pytest.mark.parametrize("left", [("b", "a"), ("a", "b"), ("b", "b"), ("a", "a")])
def test_two_keys_of_one_hash_end_the_merge(fresh, monkeypatch, left):
    """Whatever rows are before and behind those of the other key; keys that are equal have one hash, too."""
    hashed, (first, *_) = key_words._hash, key_words._SEEDS
    monkeypatch.setattr(key_words, "_hash", lambda words, seed: hashed(words, seed) * np.uint64(seed != first))
    held = {owner: pd.DataFrame({"k": [key], "x": [1]}) for owner, key in zip(("alice", "bob"), left, strict=True)}
    other = an.from_pandas(fresh, {"carol": pd.DataFrame({"k": ["a"], "y": [4]})})
    total = an.merge(an.from_pandas(fresh, held), other, on="k")["y"].sum()
    if left == ("a", "a"):
        assert total.reveal() == 8
    else:
        with pytest.raises(BoundExceeded, match="two keys of a merge that have one hash"):
            total.reveal()


@pytest.mark.parametrize("left", ["a", "ab"])
def test_two_keys_of_one_hash_end_a_merge_with_several_right_rows(fresh, monkeypatch, left):
    """What rows of either key are off by adds up to nothing: it is counted, not summed."""
    hashed, (first, *_) = key_words._hash, key_words._SEEDS
    monkeypatch.setattr(key_words, "_hash", lambda words, seed: hashed(words, seed) * np.uint64(seed != first))
    held = {owner: pd.DataFrame({"k": [key], "x": [1]}) for owner, key in zip(("alice", "bob"), left, strict=False)}
    for keys in (("a", "b"), ("b", "a"), ("b", "b", "a")):
        other = {
            owner: pd.DataFrame({"k": [key], "y": [4]})
            for owner, key in zip(("carol", "alice", "bob"), keys, strict=False)
        }
        frames = (an.from_pandas(fresh, parts) for parts in (held, other))
        total = an.merge(*frames, on="k", validate="many_to_many")["y"].sum()
        with pytest.raises(BoundExceeded, match="two keys of a merge that have one hash"):
            total.reveal()


@pytest.mark.parametrize("how", ["inner", "left"])
@given(on=st.sampled_from(sorted(KEYS)), one=left_rows, other=right_rows)
@settings(max_examples=2, phases=(Phase.explicit, Phase.generate))
@pytest.mark.few(1)
def test_several_rows_of_a_key_on_either_side(pair, how, on, one, other):
    one, other = [(5, "a", 0, 1.5, 1), *one], [(2**40, "b", 1, 0.5, 1), *other]  # columns of numbers
    left, right = table(one, ("big", "word", "small", "x", "n")), table(other, ("big", "word", "small", "y", "m"))
    left["side"] = np.arange(len(left)) % 2
    first, *_, last = pair.everyone
    held = an.from_pandas(pair, {first: left[: len(left) // 2], last: left[len(left) // 2 :]})
    more = an.from_pandas(pair, {last: right[: len(right) // 2], first: right[len(right) // 2 :]})
    names = {"left_on": KEYS[on], "right_on": KEYS[on]}
    merged = an.merge(held, more, how=how, validate="many_to_many", **names)
    plain = left.merge(right, on=KEYS[on], how=how)
    chosen, meant = merged[(merged["x"] > 0) | (merged["y"] > 0)], plain[(plain["x"] > 0) | (plain["y"] > 0)]
    columns = ["x", "y", "n", "m"]
    aggregates = ["count", "sum", "max", "min"]
    groups, rows, *found = icm.reveal(
        merged.groupby("side", domain=[0, 1])[columns].agg(aggregates),
        chosen.count_rows(),
        *(getattr(chosen[column], name)() for column in ("x", "y") for name in aggregates),
    )
    assert rows == len(meant)
    for got, want in zip(found, (getattr(meant[c], name)() for c in ("x", "y") for name in aggregates), strict=True):
        assert same(float(got), float(want))
    expected = plain.astype({"n": object}).groupby("side")[columns].agg(aggregates)
    assert same(groups.to_numpy(float), expected.to_numpy(float))


def test_rows_are_sorted_by_two_words_where_one_has_no_room(fresh, monkeypatch):
    """Keys that one word would not tell apart are told apart, and one hash of all of it is found."""
    monkeypatch.setattr(merge_layout, "_CHANCE", 60)
    hashed, (first, _, upper) = key_words._hash, key_words._SEEDS
    left = pd.DataFrame({"k": list("abcb"), "g": [1, 2, 1, 2], "x": [1, 2, 4, 8]})
    right = pd.DataFrame({"k": ["b", "c", "z"], "y": [10, 20, 40]})
    one = an.from_pandas(fresh, {"alice": left[:2], "bob": left[2:]})
    merged = an.merge(one, an.from_pandas(fresh, {"carol": right}), on="k", how="left")
    for seeds in ((), (first,), (first, upper)):
        spoilt = partial(lambda seeds, words, seed: hashed(words, seed) * np.uint64(seed not in seeds), seeds)
        monkeypatch.setattr(key_words, "_hash", spoilt)
        if len(seeds) == 2:
            with pytest.raises(BoundExceeded, match="a key has more than one row"):
                merged["y"].sum().reveal()
            continue
        total = icm.reveal(merged["y"].sum(), merged["x"].sum(), merged.groupby("g", domain=[1, 2])["y"].max())
        assert total[:2] == (40, 15)
        assert total[2].to_dict() == {1: 20, 2: 10}


def test_two_keys_have_one_hash_once_in_a_million_merges():
    """Whatever the tables and groups, of a million rows on each side."""
    for rows, lanes, groups in itertools.product((1000, 1 << 18, 1 << 20), (1, 4), (0, 255)):
        keys = PrivateKeys((PrivateKey("ward", "string", 8),), most=rows)
        columns = (ColumnInfo("ward", "string", nullable=False), ColumnInfo("beds", "int"))
        tables = tuple(OwnerTable(f"t-{lane}", "bob", (rows // lanes,), (lane,)) for lane in range(lanes))
        facts = [OwnerRows(name, columns, tables) for name in ("left", "right")]
        by = (GroupKey("beds", tuple(range(groups))),) if groups else ()
        merge = Merge(
            Selection("left", private=keys),
            Selection("right", private=keys),
            "inner",
            (JoinedColumn("beds", "beds"),),
            by=by,
        )
        sides = (SelectedRows(side, of) for side, of in zip((merge.left, merge.right), facts, strict=True))
        order = layout_of(MergedRows(merge, *sides).sides, ()).order
        pairs = rows * rows + rows * (rows - 1) // 2  # of left and right ones, and of right ones
        assert pairs < 2 ** (order.bits + order.upper - 20)
        assert order.check + 20 <= 62


def test_policies_of_both_sides_count(fresh):
    every = {"largest": 100, "two_largest": 100}
    policy = icm.Policy(min_rows=4, residual_df=1, operations=("count", "sum", "merge"), **every)
    one, other, left, _ = frames(fresh, 16, policy=policy)
    merged = an.merge(one, other, on="k")
    assert merged["x"].sum().reveal() == left[left["k"] < 2]["x"].sum()
    assert isinstance(merged["y"].sum().reveal(), Withheld), "2 right rows are met"
    one, *_ = frames(fresh, 16, policy=policy)
    met = an.from_pandas(fresh, {"bob": pd.DataFrame({"k": [50], "y": [1]})})
    assert isinstance(an.merge(one, met, on="k").count_rows().reveal(), int), "none is no small number"
    assert isinstance(an.merge(one, met, on="k")["x"].sum().reveal(), Withheld)
    with pytest.raises(PolicyError, match="merge whole frames"):
        an.merge(one[one["n"] < 4], other, on="k").count_rows().reveal()
    plain, *_ = frames(fresh, 16, policy=icm.Policy(min_rows=4))
    with pytest.raises(PolicyError, match="has to name it"):
        an.merge(plain, other, on="k").count_rows().reveal()
    nearly = pd.DataFrame({"k": [0, 1, 2, 3, 4], "y": range(5)})
    left = pd.DataFrame({"k": [0, 1, 2, 3] * 4 + [9] * 3, "x": 1.0})
    close = an.merge(
        an.from_pandas(fresh, {"alice": left}), an.from_pandas(fresh, {"bob": nearly}, policy=policy), on="k"
    )
    assert "1 to 3 are left out" in close["x"].sum().reveal().reason, "3 rows are"
    assert isinstance(close["y"].sum().reveal(), Withheld), "1 right row is not met"
    strict = an.from_pandas(
        fresh,
        {"bob": nearly},
        policy=icm.Policy(min_rows=3, operations=("sum", "count", "merge"), recipients=("bob",), **every),
    )
    one, *_ = frames(fresh, 16, policy=policy)
    assert isinstance(an.merge(one, strict, on="k").count_rows().reveal(to="bob"), int | Withheld)
    with pytest.raises(PolicyError, match="may not receive"):
        an.merge(one, strict, on="k")["x"].sum().reveal()
    few = icm.Policy(min_rows=4, operations=("count", "sum", "merge"))
    one, other, *_ = frames(fresh, 16, policy=few)
    assert isinstance(an.merge(one, other, on="k").count_rows().reveal(), int)
    with pytest.raises(PolicyError, match="what single rows contribute to a sum is not known of merged rows"):
        an.merge(one, other, on="k")["x"].sum().reveal()


def test_groups_without_values_are_no_second_cell(fresh):
    """Of group b 2 values are counted: a group that is told to have none does not hide how many these are."""
    policy = icm.Policy(min_rows=3, operations=("count", "merge"))
    groups = ["a"] * 5 + ["b"] * 5 + ["c"] * 6 + ["d"] * 8
    values = [None] * 5 + [1.0, 2.0] + [None] * 3 + [1.0] * 14
    left = an.from_pandas(fresh, {"alice": pd.DataFrame({"k": range(24), "g": groups})}, policy=policy)
    right = an.from_pandas(fresh, {"bob": pd.DataFrame({"k": range(24), "y": values})}, policy=policy)
    by = an.merge(left, right, on="k").groupby("g", domain={"g": ["a", "b", "c", "d"]})
    found = by["y"].agg("count").reveal()
    assert found.isna().tolist() == [False, True, True, False]
    assert (found["a"], found["d"]) == (0, 8)


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    one, other, *_ = frames(fresh)
    gaps = an.from_pandas(fresh, {"bob": pd.DataFrame({"k": [1.0, None], "j": ["a", None], "i": [1, 2]})})
    before = len(fresh.jobs)
    for refused, error, says in (
        (lambda: an.merge(one, other, on="none"), ColumnError, "none"),
        (lambda: an.merge(one, other, on="k", how="outer"), InputError, "'inner' or 'left'"),
        (lambda: an.merge(one, other, on=3), InputError, "name of a column"),
        (lambda: an.merge(one, other, on=["k", 3]), InputError, "name of a column"),
        (lambda: an.merge(one, other), InputError, "on= takes the name of a column or several, not None"),
        (lambda: an.merge(one, other, "k", left_on="k", right_on="k"), InputError, "on=, or left_on= and right_on="),
        (lambda: an.merge(one, other, left_on="k", right_on=["k", "y"]), InputError, "1 columns, and right_on= 2"),
        (lambda: an.merge(one, other, on="k", validate="1:1"), InputError, "'many_to_one' or "),
        (lambda: an.merge(one, other["k"], on="k"), InputError, "frames are merged, not SecureColumn"),
        (lambda: an.merge(one, other, on="k")["x"].std(ddof=-1), InputError, "ddof"),
        (lambda: an.merge(one, other, on="k")["x"].var(ddof="1"), InputError, "ddof"),
        (lambda: an.merge(one, other, on=[]), InputError, "1 to 8 private keys"),
        (lambda: an.merge(one, gaps, on="k"), ColumnError, "not by float"),
        (lambda: an.merge(gaps, gaps, on="j"), InputError, "may not be missing"),
        (lambda: an.merge(one, other, on="k")["z"], ColumnError, "no column 'z'"),
        (lambda: bool(an.merge(one, other, on="k")), TypeError, "neither true nor false"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert len(fresh.jobs) == before
    with pytest.raises(ColumnError, match="share both before, or none"):
        an.merge(one, other.share(), on="k")


def in_one_lane(facts):
    tables = (msgspec.structs.replace(held, lanes=(0,) * len(held.lanes)) for held in facts.tables)
    return msgspec.structs.replace(facts, tables=tuple(tables))


def ordered(layout, right, keys, rows):
    """The word by which each row is sorted."""
    order, key = layout.order, keys.astype(np.uint64)
    return (key << np.uint64(order.key)) | (np.uint64(not right) << np.uint64(order.slot)) * np.ones(rows, np.uint64)


SEEN = {
    "merged rows": {(1,), (2, 1)},
    "left merge": {(1,), (2, 1)},
    "groups of merged rows": {(2,), (2, 2)},
    "several rows of a key": {(2,), (2, 2)},
    "merged rows by private values": {(5,)},
}
"""By question the shapes of what is opened: numbers, two words of extremes, both of groups; one for each right row."""


@pytest.mark.parametrize(
    ("name", "sorted_by"), [*((name, "one word") for name in SEEN), ("groups of merged rows", "two words")]
)
@pytest.mark.few(1)
def test_nothing_that_is_seen_depends_on_which_rows_match(name, sorted_by, monkeypatch):
    """Sizes, order and number of all frames, where all match, none, or some; and no numbers by key are opened."""
    monkeypatch.setattr(merge_layout, "_CHANCE", 20 if sorted_by == "one word" else 60)
    asked = QUESTIONS[name]
    some = tuple(item for item in asked.what.statistics if isinstance(item, Count | Sum | MinMax | GroupKeys))
    what = msgspec.structs.replace(asked.what, statistics=some)
    asked = msgspec.structs.replace(asked, what=what, facts=tuple(map(in_one_lane, asked.facts)))
    program = lower(asked, MEMBERS).last.program
    (merge,) = asked.what.merges
    layout = layout_of(asked.rows(merge.name).sides, ())
    assert bool(layout.order.upper) == (sorted_by == "two words")
    rng, seen = np.random.default_rng(3), set()
    for left_key in (lambda rows: rows % 4, lambda rows: rows + 100, lambda rows: rows):
        transcript = Transcript()
        brought = {name: {} for name in (*MEMBERS.parties, *MEMBERS.owners)}
        for node in program.nodes:
            if type(node.op).__name__ != "Input":
                continue
            words = rng.integers(0, 2, node.op.type.shape).astype(np.uint64)
            rows, right = np.arange(len(words)), node.op.name.startswith("right")
            words[:, 0] = ordered(layout, right, rows if right else left_key(rows), len(rows))
            if not right:  # rows of two tables
                words[:, 0] |= np.uint64(node.op.name.endswith("#2"))
            words[:, 1 : layout.first + 2 + len(layout.private)] = 1  # the rest of the key, a group, one row
            brought[node.op.owner][node.op.name] = words
        with ThreadLane(MEMBERS.parties, MEMBERS.owners, transcript=transcript) as lane:
            lane.run(program, brought)
        seen.add(str(outline(transcript, (*MEMBERS.parties, *MEMBERS.owners, "dealer"))))
    assert len(seen) == 1
    kinds = [(type(node.op).__name__, kind.shape) for node, kind in zip(program.nodes, program.types(), strict=True)]
    assert [kind for kind, _ in kinds].count("CheckFlag") == 2 - merge.many
    assert {shape for kind, shape in kinds if kind == "Reveal"} == SEEN[name]
