"""What is particular to rows that are shares: how they are shared, what is refused, what error is stated."""

from fractions import Fraction

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.errors import BoundError, ColumnError, InputError, NullError, PolicyError, ProgramError
from icm_ray.ops.groups import GroupTable
from icm_ray.query.expressions.catalogue import FUNCTIONS
from icm_ray.query.expressions.tree import apply
from icm_ray.query.secret_expressions.catalogue import LOWERINGS
from icm_ray.query.withheld import Withheld
from tests.analytics.conftest import engine_of

FRAME = pd.DataFrame(
    {
        "x": [1.5, None, -2.25, 3.0, 0.5, None],
        "n": [4, -1, 0, 7, 2, 5],
        "ward": ["a", "b", None, "b", "a", "c"],
        "ill": [True, False, True, True, False, False],
    }
)
WARDS = {"ward": ["a", "b", "c"]}


@pytest.fixture
def frame(fresh):
    return an.from_pandas(fresh, {"alice": FRAME[:4], "carol": FRAME[4:]})


def test_chosen_rows_and_computed_columns_are_shared(frame):
    def computed(rows):
        return rows[rows["n"] * 2 >= 0].assign(twice=rows["n"] * 2, both=rows["x"] + rows["n"])

    shared, plain = computed(frame).share(domain=WARDS), computed(FRAME)
    assert shared.shared
    assert shared.columns == tuple(plain.columns)
    assert shared.share() is shared
    for name in ("x", "n", "twice", "both", "ill"):
        for verb in ("count", "sum", "mean", "min", "max"):
            assert getattr(shared[name], verb)().reveal() == getattr(plain[name], verb)(), (name, verb)
    assert shared.count_rows().reveal() == len(plain)
    assert shared[shared["both"] > 2]["n"].sum().reveal() == plain[plain["both"] > 2]["n"].sum()
    found = shared.groupby("ward", domain=WARDS)["twice"].agg(["count", "sum", "std"]).reveal()
    pd.testing.assert_frame_equal(found, plain.groupby("ward")["twice"].agg(["count", "sum", "std"]), check_dtype=False)
    with pytest.raises(TypeError, match="count_rows"):
        len(shared)


def test_a_row_set_never_shortens_what_is_shared(fresh, frame):
    def shapes(rows):
        fresh.jobs.clear()
        rows.share()
        return [
            (job.lane, [node.op.type.shape for node in job.program.nodes if type(node.op).__name__ == "Input"])
            for job in fresh.jobs
        ]

    numbers = frame[["x", "n"]]
    assert shapes(numbers[numbers["n"] > 3]) == shapes(numbers[numbers["n"] > 100])
    assert all(shape in {(4,), (2,)} for _, inputs in shapes(numbers[numbers["n"] > 100]) for shape in inputs)


def test_values_of_rows_that_are_not_meant_need_fit_no_bound(fresh):
    frame = an.from_pandas(fresh, {"bob": pd.DataFrame({"x": [1.0, 2.0**40, 2.0], "n": [1, 2, 3]})})
    with pytest.raises(BoundError, match="x"):
        frame.share()
    assert frame[frame["x"] < 10].share()["x"].max().reveal() == 2.0


def test_nothing_is_nothing(frame):
    none = frame[["x", "n"]].share()
    none = none[none["n"] > 100]
    assert none["n"].count().reveal() == none["n"].sum().reveal() == 0
    for verb in ("mean", "var", "min", "max"):
        assert np.isnan(getattr(none["x"], verb)().reveal())
    assert none["x"].histogram([0, 1]).reveal()[0].tolist() == [0]


@pytest.mark.parametrize("edges", [[-3, 0, 1.5, 3], [-(2**21), 2**21], [-(2**62), -3, 2**62]])
def test_histograms_count_what_is_there_and_meant(frame, edges):
    shared = frame.share(domain=WARDS)
    some, plain = shared[shared["n"] != 4], FRAME[FRAME["n"] != 4]
    for rows, expected in ((shared, FRAME), (some, plain)):
        counts = rows["x"].histogram(edges).reveal()[0]
        assert counts.tolist() == np.histogram(expected["x"].dropna(), edges)[0].tolist()


def test_small_cells_of_shares_are_withheld(fresh):
    source = pd.DataFrame({"x": np.arange(20.0), "ward": ["a"] * 10 + ["b"] * 7 + ["c"] * 3})
    held = an.from_pandas(fresh, {"alice": source[:10], "bob": source[10:]}, policy=icm.Policy(min_rows=5))
    found = held.share(domain=WARDS).groupby("ward", domain=WARDS)["x"].agg("sum").reveal()
    assert found["a"] == 45.0
    assert found[["b", "c"]].isna().all(), "c by itself, b since the others and the total would tell it"
    with pytest.raises(PolicyError, match="chosen or computed before they were shared"):
        held[held["x"] > 16].share(domain=WARDS)["x"].mean().reveal()
    held = an.from_pandas(fresh, {"alice": source[:10], "bob": source[10:]}, policy=icm.Policy(min_rows=5))
    assert isinstance(held[held["x"] > 16].share(domain=WARDS)["x"].mean().reveal(), Withheld)


def test_a_driver_cannot_deny_that_rows_are_chosen(fresh, frame):
    shared = frame[frame["n"] > 3][["n"]].share()
    dataset = shared._dataset
    for change in (
        {"chosen": None},
        {"columns": tuple(msgspec.structs.replace(c, nullable=True) for c in dataset.facts.columns)},
    ):
        lies = msgspec.structs.replace(dataset.facts, **change)
        twin = type(dataset)(dataset.engine, lies, holders=dataset.holders)
        column = type(shared)(type(shared._meant)(twin), {"n": "n"})["n"]
        with pytest.raises(ProgramError, match=r"refuses|keeps nothing"):
            column.sum().reveal()


def test_what_cannot_be_shared_or_asked_of_shares_is_refused(fresh, frame):
    shared = frame.share(domain=WARDS)
    fresh.jobs.clear()
    for refused, error, says in (
        (frame.share, ColumnError, r"'ward' \(string\).*domain="),
        (lambda: frame.share(domain={"ward": "abc"}), InputError, "list of texts"),
        (lambda: frame.share(domain={"wrd": ["a"]}), ColumnError, "did you mean 'ward'"),
        (lambda: frame.share(domain={**WARDS, "n": ["1"]}), InputError, "stated of text, not of int"),
        (lambda: (1 / shared["n"]).sum().reveal(), ColumnError, r"1 / n.*before .share\(\)"),
        (lambda: (shared["n"] / 0).sum().reveal(), ColumnError, "division by 0"),
        (lambda: (shared["n"] * shared["n"]).sum().reveal(), BoundError, r"n \* n.*smaller bound"),
        (lambda: (shared["ward"].fillna("none") == "a").sum().reveal(), ColumnError, "beside the stated values"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs
    with pytest.raises(ColumnError, match="none of the stated values"):
        frame.share(domain={"ward": ["a", "b"]})
    with pytest.raises(NullError, match="infinite"):
        frame.assign(y=1 / frame["n"])[["y"]].share()


_DAY, _ZONE = (1, "day"), ("UTC", "raise")
_OPTIONS = {
    "power": (2,),
    "round": (1,),
    "text_order": (0,),
    "part": ("day",),
    "floor": _DAY,
    "ceil": _DAY,
    "round_time": _DAY,
    "convert": _ZONE,
    "localize": _ZONE,
}


@pytest.mark.parametrize("name", sorted(FUNCTIONS.keys() - LOWERINGS.keys()))
@pytest.mark.few(10)
def test_functions_that_shares_lack_say_so(frame, name):
    of = apply(name, ("n",) * FUNCTIONS[name].arguments, _OPTIONS.get(name, ()))
    with pytest.raises(ColumnError, match=r"not computed on shares: do that before .share\(\)"):
        frame[["n"]].share()._dataset.facts.type_of(of)


def test_every_lowering_is_of_a_function():
    assert LOWERINGS.keys() <= FUNCTIONS.keys()


ROUNDED = {
    "a third": lambda x, n: x / 3,
    "a multiple": lambda x, n: x * 0.1,
    "a sum": lambda x, n: x + 0.3,
    "a product": lambda x, n: x * n,
    "a clipped one": lambda x, n: x.clip(-0.7, 0.9),
    "a choice": lambda x, n: x.where(n > 2, 0.1),
    "an integer's part": lambda x, n: n / 7,
    "a square": lambda x, n: (x - 1) * (x + 0.25),
}
few = st.lists(st.tuples(st.floats(-100, 100), st.integers(-9, 9)), min_size=1, max_size=8)


@pytest.mark.parametrize("name", ROUNDED)
@given(rows=few)
@settings(max_examples=4)
@pytest.mark.few(4)
def test_results_are_within_the_stated_error(calm, name, rows):
    plain = pd.DataFrame(rows, columns=["x", "n"])
    shared = an.from_pandas(calm, {"alice": plain}, bounds={"x": 100, "n": 10}).share()
    made, expected = ROUNDED[name](shared["x"], shared["n"]), ROUNDED[name](plain["x"], plain["n"])
    for query, exact in ((made.sum(), expected.sum()), (made.max(), expected.max()), (made.mean(), expected.mean())):
        found = query.reveal()
        slack = Fraction(1e-12) * abs(Fraction(exact)) + Fraction(1e-12)  # pandas' own rounding
        assert abs(Fraction(found) - Fraction(exact)) <= Fraction(query.error.at(found)) + slack
        assert query.error.at(found) < 0.05


@pytest.fixture(scope="module")
def calm():
    with engine_of("two parties") as running:
        yield running


def test_sums_by_many_groups_are_one_table(fresh):
    sites = [f"s{number}" for number in range(40)]
    random = np.random.default_rng(5)
    plain = pd.DataFrame({"n": random.integers(-9, 9, 300), "x": random.integers(0, 99, 300) / 4})
    plain["site"] = np.array(sites, dtype=object)[random.integers(0, 39, 300)]  # one has no rows
    plain.loc[::7, "x"] = None
    parts = {"alice": plain[:200], "bob": plain[200:].reset_index(drop=True)}
    shared = an.from_pandas(fresh, parts).share(domain={"site": sites})
    named = {
        "n": ("n", "sum"),
        "mean": ("x", "mean"),
        "of": ("x", "count"),
        "rows": ("n", "count"),
        "std": ("x", "std"),
    }
    fresh.jobs.clear()
    found = shared[shared["n"] > -5].groupby("site", domain={"site": sites}).agg(**named).reveal()
    wanted = plain[plain["n"] > -5].groupby("site").agg(**named).reindex(found.index)
    pd.testing.assert_frame_equal(found[wanted["rows"].notna()], wanted.dropna(subset=["rows"]), check_dtype=False)
    tables = [node for job in fresh.jobs for node in job.program.nodes if isinstance(node.op, GroupTable)]
    assert [(node.op.size, node.op.counts, len(set(node.inputs))) for node in tables] == [
        (41, True, 7)
    ] * 2  # the key, n, x, where x is, and three columns of squares
