"""Merged rows in groups, chosen by conditions of one frame or of both, and with computed columns: as pandas has it."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundExceeded, ColumnError, InputError, PolicyError
from icm_ray.query.expressions.tree import apply
from icm_ray.query.merge_terms import terms_of
from tests.analytics.test_merge import same

WORDS, KINDS, SEGMENTS = ("a", "b", "bé", "a longer name"), ("p", "q", "r"), ("u", "v", "w")

numbers = st.one_of(st.none(), st.integers(-5, 5).map(float))
left_rows = st.lists(
    st.tuples(
        st.sampled_from(WORDS), st.integers(0, 1), st.sampled_from((*KINDS, "other")), numbers, st.integers(-3, 3)
    ),
    max_size=14,
)
right_rows = st.lists(
    st.tuples(st.sampled_from(WORDS), st.integers(0, 1), st.sampled_from((*SEGMENTS, "other")), numbers), max_size=8
)

CONDITIONS = (
    lambda m: m["n"] > 0,
    lambda m: m["y"] > 0,
    lambda m: (m["n"] > 0) & (m["y"] > 0),
    lambda m: (m["n"] > 0) | (m["y"] > 0),
    lambda m: ~((m["n"] > 0) & ((m["y"] > 0) | (m["x"] < 2))),
    lambda m: (m["y"] != 1) | (m["segment"].isin(["u"]) & (m["n"] == 0)),
)
EVERYTHING = {
    "rows": ("n", "size"),
    "n": ("n", "sum"),
    "xs": ("x", "count"),
    "x": ("x", "sum"),
    "mean": ("x", "mean"),
    "ys": ("y", "count"),
    "y": ("y", "sum"),
    "std": ("y", "std"),
    "low": ("x", "min"),
    "high": ("n", "max"),
    "most": ("y", "max"),
}


def pooled(rows, columns):
    """A DataFrame of drawn rows."""
    kinds = {"word": "object", "small": "int64", "x": "float64", "y": "float64", "n": "int64"}
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({name: kinds.get(name, "object") for name in columns})


def both(engine, one, other, on, how):
    """The merged frame, and pandas' one: left rows of two owners, one of them perhaps without any."""
    one, other = [("nowhere", 0, "p", 1.0, 1), *one], [("elsewhere", 0, "u", 1.0), *other]
    left, right = pooled(one, ["word", "small", "kind", "x", "n"]), pooled(other, ["word", "small", "segment", "y"])
    right = right.drop_duplicates(on).reset_index(drop=True)
    first, *_, last = engine.everyone
    held = an.from_pandas(engine, {first: left[:-1], last: left[-1:]})
    merged = an.merge(held, an.from_pandas(engine, {last: right}), on=on, how=how, suffixes=("", "_r"))
    return merged, left.merge(right, on=on, how=how, suffixes=("", "_r"))


@pytest.mark.parametrize("how", ["inner", "left"])
@given(
    one=left_rows,
    other=right_rows,
    condition=st.sampled_from(CONDITIONS),
    on=st.sampled_from([["word"], ["word", "small"]]),
    by=st.sampled_from([["kind"], ["segment"], ["segment", "kind"]]),
)
@settings(max_examples=3, phases=(Phase.explicit, Phase.generate, Phase.shrink))
@pytest.mark.few(1)
def test_groups_and_conditions(engine, how, one, other, condition, on, by):
    merged, plain = both(engine, one, other, on, how)
    chosen, meant = merged[condition(merged)], plain[condition(plain)]
    domains = {"kind": KINDS, "segment": SEGMENTS}
    groups = chosen.groupby(by, domain={name: domains[name] for name in by}).agg(**EVERYTHING)
    found, rows, x, low, high = icm.reveal(
        groups, chosen.count_rows(), chosen["x"].sum(), chosen["y"].min(), (chosen["n"] * 2 + 1).max()
    )
    assert rows == len(meant)
    wanted = (meant["x"].sum(), meant["y"].min(), (meant["n"] * 2 + 1).max())
    assert all(same(float(got), float(want)) for got, want in zip((x, low, high), wanted, strict=True))
    inside = meant[np.logical_and.reduce([meant[name].isin(domains[name]) for name in by])]
    expected = inside.groupby(by).agg(**EVERYTHING)
    assert list(found.index) == list(expected.index)
    assert same(found.to_numpy(float), expected.to_numpy(float))


@pytest.mark.parametrize("validate", ["m:1", "m:m"])
def test_each_extreme_of_chosen_rows_by_itself(fresh, validate):
    """Asked together with others it would find what these have owners bring."""
    one, other, left, right = small(fresh)
    merged, plain = an.merge(one, other, on="k", validate=validate), left.merge(right, on="k")
    for choose in (lambda m: m["y"] > 1, lambda m: (m["y"] > 1) | (m["x"] > 7)):
        chosen, meant = merged[choose(merged)], plain[choose(plain)]
        for name in ("x", "y"):
            assert chosen[name].max().reveal() == meant[name].max()
            assert chosen[name].min().reveal() == meant[name].min()


def small(engine, **stated):
    left = pd.DataFrame({"k": np.arange(12) % 4, "x": np.arange(12) * 1.5, "kind": ["p", "q", "q"] * 4})
    right = pd.DataFrame({"k": [0, 1, 7, 8], "y": [1, 2, 4, 8], "segment": list("uvuv")})
    return an.from_pandas(engine, {"alice": left}, **stated), an.from_pandas(engine, {"bob": right}), left, right


def test_a_grouped_sum_is_a_series_of_pandas(fresh):
    one, other, left, right = small(fresh)
    merged, plain = an.merge(one, other, on="k"), left.merge(right, on="k")
    found = merged.groupby("segment", domain=["u", "v"])["x"].sum().reveal()
    pd.testing.assert_series_equal(found, plain.groupby("segment")["x"].sum(), check_index_type=False)
    wide = merged.assign(double=lambda frame: frame["x"] * 2)
    assert (
        wide.query("double > 6 and y < 2")["double"].sum().reveal() == (plain.query("x > 3 and y < 2")["x"] * 2).sum()
    )
    text = merged.groupby("segment", domain=["u", "v"])["x"].sum().explain()
    assert "groups: segment, 2 public values" in text
    assert "which rows match is secret" in text


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    one, other, *_ = small(fresh)
    merged, outer = an.merge(one, other, on="k"), an.merge(one, other, on="k", how="left")
    before = len(fresh.jobs)
    for refused, error, says in (
        (lambda: merged[merged["x"] > merged["y"]], ColumnError, "columns of both frames"),
        ((merged["x"] + merged["y"]).sum, ColumnError, "columns of both frames"),
        (lambda: merged.assign(z=merged["x"] * merged["y"]), ColumnError, "columns of both frames"),
        (lambda: merged[merged["x"]], ColumnError, "not by float"),
        (lambda: merged["x"] + one["x"], InputError, "not aligned"),
        (lambda: merged[one["x"] > 1], InputError, "columns of the same frame"),
        (lambda: merged.groupby("kind"), InputError, "are of the right frame; swap the frames, or state"),
        (merged.groupby("segment")["x"].median, InputError, "merged rows have count"),
        (merged.groupby("y")["x"].median, InputError, "median of x: merged rows have count, sum"),
        (lambda: merged.groupby("segment", domain=range(3)), ColumnError, "it is string"),
        (lambda: merged.groupby("k", domain=range(300)), InputError, "255 can be asked for"),
        (lambda: merged.groupby("kind", domain=["p"])["x"].median().reveal(), InputError, "merged rows have count"),
        ((outer["y"] + 1).sum, ColumnError, "of a left merge"),
        (lambda: merged.query("x >"), InputError, "no condition"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert len(fresh.jobs) == before


@pytest.mark.parametrize("how", ["inner", "left"])
@given(one=left_rows, other=right_rows, on=st.sampled_from([["word"], ["word", "small"]]))
@settings(max_examples=2)
@pytest.mark.few(1)
def test_groups_of_private_values(pair, how, one, other, on):
    """Of the right frame's columns, missing ones in none."""
    merged, plain = both(pair, one, other, on, how)
    merged, plain = merged[merged["n"] > -3], plain[plain["n"] > -3]
    asked = {"rows": ("n", "size"), "n": ("n", "sum"), "xs": ("x", "count"), "mean": ("y", "mean"), "std": ("x", "std")}
    by_text, by_both = icm.reveal(
        merged.groupby("segment").agg(**asked), merged.groupby([merged["y"] > 0, "segment"])["n"].sum()
    )
    expected = plain.groupby("segment").agg(**asked)
    assert list(by_text.index) == list(expected.index)
    assert same(by_text.to_numpy(float), expected.to_numpy(float))
    expected = plain[plain["segment"].notna()].groupby([plain["y"] > 0, "segment"])["n"].sum()
    assert by_both.to_dict() == expected.to_dict()


def test_private_values_are_not_grouped_by_where_there_is_a_policy(fresh):
    policy = icm.Policy(min_rows=3, operations=("count", "sum", "merge"), largest=100, two_largest=100)
    one, other, *_ = small(fresh, policy=policy)
    with pytest.raises(PolicyError, match="by stated values alone: domain="):
        an.merge(one, other, on="k").groupby("segment")["x"].sum()
    with pytest.raises(PolicyError, match="one row for each key on the right side alone"):
        an.merge(one, other, on="k", validate="many_to_many")


def test_a_key_that_is_twice_ends_a_grouped_merge(fresh):
    one, *_ = small(fresh)
    twice = an.from_pandas(fresh, {"bob": pd.DataFrame({"k": [1, 1], "segment": ["u", "v"]})})
    with pytest.raises(BoundExceeded, match="more than one row on the right side"):
        an.merge(one, twice, on="k").groupby("segment", domain=["u", "v"])["x"].sum().reveal()


def test_small_groups_are_withheld(fresh):
    policy = icm.Policy(min_rows=3, residual_df=1, operations=("count", "sum", "merge"), largest=100, two_largest=100)
    left = pd.DataFrame({"k": [0] * 9 + [1] * 2 + [2] * 4, "x": 1.0})
    right = pd.DataFrame({"k": range(3), "segment": ["u", "v", "w"]})
    one, other = an.from_pandas(fresh, {"alice": left}, policy=policy), an.from_pandas(fresh, {"bob": right})
    merged = an.merge(one, other, on="k")
    found = merged.groupby("segment", domain=["u", "v", "w"])["x"].sum().reveal()
    assert found[["v", "w"]].isna().all(), "w since the others and the total would tell v"
    assert found["u"] == 9
    assert any("fewer than 3" in reason for reason in found.attrs["withheld"])
    with pytest.raises(PolicyError, match="max"):
        merged.groupby("segment", domain=["u", "v", "w"])["x"].max().reveal()
    policy = icm.Policy(min_rows=3, operations=("count", "max", "merge"))
    one, other = an.from_pandas(fresh, {"alice": left}, policy=policy), an.from_pandas(fresh, {"bob": right})
    most = an.merge(one, other, on="k").groupby("segment", domain=["u", "v", "w"])["x"].max().reveal()
    assert most.isna().tolist() == [False, True, False], "2 rows of v"
    with pytest.raises(PolicyError, match="chosen rows"):
        merged[merged["x"] > 0]["x"].sum().reveal()
    for chosen in ((merged["x"] > 3).sum(), merged.groupby(merged["x"] > 3).size()):
        with pytest.raises(PolicyError, match="compute with merged columns"):
            chosen.reveal()


def test_one_grouping_is_answered_and_no_conditions_are_summed(fresh):
    policy = icm.Policy(min_rows=3, residual_df=1, operations=("count", "sum", "merge"), largest=100, two_largest=100)
    left = pd.DataFrame({"k": [0, 1, 2, 3] * 5, "x": 1.0, "sex": ["f", "m"] * 10, "ill": [True] + [False] * 19})
    right = pd.DataFrame({"k": range(4), "segment": ["u", "v"] * 2})
    one, other = an.from_pandas(fresh, {"alice": left}, policy=policy), an.from_pandas(fresh, {"bob": right})
    merged = an.merge(one, other, on="k")
    assert merged.groupby("segment", domain=["u", "v"])["x"].sum().reveal().to_dict() == {"u": 10, "v": 10}
    assert merged["x"].sum().reveal() == 20
    with pytest.raises(PolicyError, match="one grouping of it"):
        merged.groupby(["segment", "sex"], domain={"segment": ["u", "v"], "sex": ["f", "m"]})["x"].sum().reveal()
    with pytest.raises(PolicyError, match="sum conditions of merged rows"):
        merged["ill"].sum().reveal()


def test_terms_exclude_one_another_and_are_the_condition():
    """Every truth value of every condition of up to two columns a side, the missing one among them."""

    def value(of, row):
        if of is None:
            return True
        stack = []
        for node in of.nodes if hasattr(of, "nodes") else ():
            if type(node).__name__ == "Column":
                stack.append(row[node.name])
            elif type(node).__name__ == "Literal":
                stack.append(node.value)
            else:
                stack.append(kleene(node.function, [stack[place] for place in node.arguments]))
        return stack[-1] if stack else row[of]

    def kleene(function, values):
        if function == "fill":
            return values[1] if values[0] is None else values[0]
        if function == "not":
            return None if values[0] is None else not values[0]
        decisive = function == "or"
        if decisive in values:
            return decisive
        return None if None in values else not decisive

    def either(*parts):
        return apply("or", parts)

    def every(*parts):
        return apply("and", parts)

    conditions = (
        either("a", "c"),
        every("a", "c"),
        either(every("a", "c"), every("b", "d")),
        apply("not", (either(every("a", "d"), apply("not", (every("b", "c"),))),)),
        every("a", "b"),
        "d",
    )
    for where in conditions:
        terms = terms_of(where, lambda name: name in "cd")
        for values in itertools.product((True, False, None), repeat=4):
            row = dict(zip("abcd", values, strict=True))
            true = [bool(value(term.left, row)) and bool(value(term.right, row)) for term in terms]
            assert sum(true) == (value(where, row) is True)
    with pytest.raises(ColumnError, match="cases"):
        terms_of(every(*(either(f"a{n}", f"c{n}") for n in range(9))), lambda name: name.startswith("c"))
