"""Groups: pandas' results on the pooled rows, with its index, names and dtypes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import ColumnError, InputError, UnsupportedError

WARDS = ("a", "b", "c")
DOMAIN = {"ward": [*reversed(WARDS), "none has it"], "n": range(-3, 4)}
KINDS = {"x": "float64", "n": "int64", "m": "int64", "ward": "object", "ill": "bool"}
AGGREGATES = ("count", "sum", "mean", "var", "std", "sem", "min", "max")

rows = st.tuples(
    st.one_of(st.none(), st.floats(-1e6, 1e6)),
    st.integers(-3, 3),
    st.integers(-(2**40), 2**40),
    st.sampled_from((*WARDS, None)),
    st.booleans(),
)
some = st.lists(rows, max_size=14)


def frames(given_rows):
    columns = list(zip(*given_rows, strict=True)) or [()] * len(KINDS)
    made = {name: pd.Series(list(c), dtype=kind) for (name, kind), c in zip(KINDS.items(), columns, strict=True)}
    return pd.DataFrame(made).astype({"ward": "str"})


def two(engine, one, other):
    first, second = frames([(1.5, 1, 7, "a", True), (2.5, 0, -7, "b", False), *one]), frames(other)
    held = an.from_pandas(engine, dict(zip(engine.everyone, (first, second), strict=False)))
    return held, pd.concat([first, second], ignore_index=True)


def same(found, expected):
    check = pd.testing.assert_series_equal if isinstance(expected, pd.Series) else pd.testing.assert_frame_equal
    assert type(found) is type(expected)
    check(found, expected, rtol=1e-11, atol=1e-9)


KEYS = {
    "text": lambda frame: "ward",
    "integers": lambda frame: "n",
    "booleans": lambda frame: ["ill"],
    "several": lambda frame: ["ward", "ill", "n"],
    "a condition": lambda frame: frame["x"] > 0,
    "a condition and a column": lambda frame: [frame["n"] >= 1, "ward"],
    "of two columns": lambda frame: frame["n"] > frame["x"],
    "a column itself": lambda frame: frame["ward"],
}
FORMS = {
    "sum": lambda groups: groups[["x", "m"]].sum(),
    "of one column": lambda groups: groups["m"].sum(),
    "count": lambda groups: groups[["x", "m"]].count(),
    "mean": lambda groups: groups["x"].mean(),
    "var": lambda groups: groups[["x", "m"]].var(ddof=0),
    "std": lambda groups: groups["x"].std(),
    "sem": lambda groups: groups[["m", "x"]].sem(),
    "min": lambda groups: groups[["x", "m"]].min(),
    "max": lambda groups: groups["m"].max(),
    "size": lambda groups: groups[["x"]].size(),
    "a name": lambda groups: groups[["m"]].agg("max"),
    "names": lambda groups: groups[["x", "m"]].agg(list(AGGREGATES)),
    "names of one column": lambda groups: groups["m"].agg(["size", "sum", "min"]),
    "by column": lambda groups: groups.agg({"x": "mean", "m": "sum"}),
    "by column several": lambda groups: groups.agg({"x": ["mean", "count"], "m": "min"}),
    "named": lambda groups: groups.agg(least=("m", "min"), rows=("x", "size"), values=("x", "count")),
    "named of one column": lambda groups: groups["m"].agg(least="min", most="max"),
}


def domain(key):
    names = [name for name in (key if isinstance(key, list) else [key]) if isinstance(name, str)]
    return {name: DOMAIN[name] for name in names if name in DOMAIN}


def hold(engine, key, one, other):
    held, plain = two(engine, one, other)
    by = KEYS[key](held)
    stated = domain(by) if key != "a column itself" else DOMAIN["ward"]
    groups, expected = held.groupby(by, domain=stated), plain.groupby(KEYS[key](plain))
    for form, found in zip(FORMS, icm.reveal(*(ask(groups) for ask in FORMS.values())), strict=True):
        same(found, FORMS[form](expected))


@pytest.mark.parametrize("key", KEYS)
@given(one=some, other=some)
@settings(max_examples=3)
@pytest.mark.few(2)
def test_every_form_by_every_key(pair, key, one, other):
    hold(pair, key, one, other)


@given(key=st.sampled_from(sorted(KEYS)), one=some, other=some)
@settings(max_examples=3)
@pytest.mark.few(1)
def test_every_form_of_more_owners_and_lanes(engine, key, one, other):
    hold(engine, key, one, other)


def test_all_columns_with_numbers_are_taken_but_keys(engine):
    held, plain = two(engine, [], [(None, 2, 5, "c", True)])
    groups, expected = held.groupby(["ward", "ill"], domain=domain(["ward"])), plain.groupby(["ward", "ill"])
    same(groups.count().reveal(), expected.count())
    same(groups.sum().reveal(), expected.sum())
    same(held.groupby("ill").agg("count").reveal(), plain.groupby("ill").agg("count"))
    booleans = held.groupby("ward", domain=DOMAIN["ward"])["ill"]
    for name in ("sum", "min", "max", "mean"):
        same(booleans.agg(name).reveal(), plain.groupby("ward")["ill"].agg(name))


def test_a_column_like_the_key_is_aggregated(fresh):
    plain = pd.DataFrame({"k": [1, 2, 2], "x": [0.5, 1.5, 2.5]})
    held = an.from_pandas(fresh, {"alice": plain[:1], "bob": plain[1:]}).assign(twin=lambda rows: rows["k"])
    found = held.groupby("k", domain={"k": [1, 2]}).sum().reveal()
    same(found, plain.assign(twin=plain["k"]).groupby("k").sum())


def test_integers_that_lack_values_are_floats_and_large_ones_stay_exact(fresh):
    frame = pd.DataFrame({"n": pd.array([2**62, None, 2**62, 3], "Int64"), "ward": ["a", "b", "a", "c"]})
    held = an.from_pandas(fresh, {"alice": frame[:2], "bob": frame[2:]})
    groups = held.groupby("ward", domain=list(WARDS))["n"]
    assert groups.sum().reveal().tolist() == [2**63, 0, 3]
    least = groups.min().reveal()
    assert least.dtype == "float64"
    assert np.isnan(least["b"])
    assert groups.min().reveal()["c"] == 3.0


def test_no_group_has_rows(fresh):
    held, plain = two(fresh, [], [])
    nobody = held[held["n"] > 10].groupby("n", domain=range(3))
    expected = plain[plain["n"] > 10].groupby("n")
    same(nobody.size().reveal(), expected.size())
    same(nobody[["x", "m"]].agg(["sum", "mean", "count"]).reveal(), expected[["x", "m"]].agg(["sum", "mean", "count"]))


def test_groups_by_the_ten_thousand(fresh):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"n": rng.integers(0, 20_000, 30_000), "m": rng.integers(-(2**50), 2**50, 30_000)})
    held = an.from_pandas(fresh, {"alice": frame[:10_000], "bob": frame[10_000:]})
    groups, expected = held.groupby("n", domain=range(20_000))["m"], frame.groupby("n")["m"]
    for found, want in zip(icm.reveal(groups.count(), groups.sum(), held.groupby("n", domain=range(20_000)).size()),
                           (expected.count(), expected.sum(), frame.groupby("n").size()), strict=True):  # fmt: skip
        same(found, want)


def test_results_of_one_question_share_what_serves_them(fresh):
    held, _ = two(fresh, [], [])
    fresh.jobs.clear()
    held.groupby("ill")["m"].agg(["size", "sum", "mean"]).reveal()
    inputs = [node.op.name for job in fresh.jobs for node in job.program.nodes if type(node.op).__name__ == "Input"]
    assert len(inputs) == 3 * 1 + 0, inputs


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    held, _ = two(fresh, [], [])
    other, _ = two(fresh, [], [])
    fresh.jobs.clear()
    for refused, error, says in (
        (lambda: held.groupby([]), InputError, "one column or more"),
        (lambda: held.groupby(3), ColumnError, "by columns"),
        (lambda: held.groupby(["ward", "n"], domain={"n": [1]}), InputError, "not public"),
        (lambda: held.groupby("ward", domain="abc"), InputError, "are a list"),
        (lambda: held.groupby("ward", domain=[1]), ColumnError, "it is string, and 1 is not"),
        (lambda: held.groupby("ward", domain=[]), InputError, "no values"),
        (lambda: held.groupby(["ward", "n"], domain=["a"]), InputError, "by name"),
        (lambda: held.groupby("ward", domain={"n": [1]}), InputError, "which are no key"),
        (lambda: held.groupby(other["x"] > 0), InputError, "of the same rows"),
        (lambda: held.groupby("n", domain=range(70_000)), InputError, "groups"),
        (lambda: held.groupby("ill").agg(), InputError, "name an aggregate"),
        (lambda: held.groupby("ill").agg("size", rows=("x", "size")), InputError, "not both"),
        (lambda: held.groupby("ill").agg(rows=3), InputError, "takes .column, aggregate."),
        (held.groupby("ill")["ward"].sum, ColumnError, "no numbers"),
        (lambda: held.groupby("ill")["z"], ColumnError, "no column"),
        (lambda: held.groupby("ill").var(ddof=-1), InputError, "ddof"),
        (lambda: held.head, UnsupportedError, "stay with their owners"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs


def test_many_groups_are_asked_in_parts(fresh, monkeypatch):
    """What would take more memory than a worker should is asked one after the other; the answers are the same."""
    rows = pd.DataFrame({"k": np.arange(40) % 20, **{name: np.arange(40.0) ** 2 for name in "xyz"}})
    held = an.from_pandas(fresh, {"alice": rows[:20], "bob": rows[20:]})
    asked, jobs = held.groupby("k", domain=range(20))[["x", "y", "z"]].agg(["sum", "mean"]), []
    whole = asked.reveal()
    for most in (1 << 24, 2000, 1):
        fresh.jobs.clear()
        monkeypatch.setattr("analytics.batches._MOST_WORDS", most)
        pd.testing.assert_frame_equal(asked.reveal(), whole)
        jobs.append(len(fresh.jobs))
    assert jobs[0] == 1 < jobs[1] < jobs[2]
