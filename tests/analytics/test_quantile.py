"""Medians and quantiles: pandas' of the pooled rows, for every interpolation, exactly; what each step may know."""

import math
from fractions import Fraction

import msgspec
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analytics as an
import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.errors import ColumnError, InputError, PolicyError, ProgramError
from icm_ray.query.disclosure import check_disclosure
from icm_ray.query.lane_build import Members
from icm_ray.query.lower import lower
from icm_ray.query.question import Asked, Question
from icm_ray.query.statistics.quantile import Quantile
from icm_ray.query.statistics.ranks import fraction_of
from icm_ray.query.tasks import ColumnInfo
from icm_ray.query.withheld import Withheld
from tests.analytics.conftest import Recording, split
from tests.query.facts import MEMBERS, ONE_LANE, VISITS

INTERPOLATIONS = ("linear", "lower", "higher", "nearest", "midpoint")
few = st.integers(-3, 3)
integers = st.lists(few | st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20).map(
    lambda v: np.array(v, np.int64)
)
unsigned = st.lists(st.integers(0, 3) | st.integers(0, 2**64 - 1), min_size=1, max_size=20).map(
    lambda v: np.array(v, np.uint64)
)
finite = st.floats(allow_nan=False, allow_infinity=False)
doubles = st.lists(few.map(float) | st.just(-0.0) | finite, min_size=1, max_size=20).map(np.array)
booleans = st.lists(st.booleans(), min_size=1, max_size=9).map(np.array)
columns = st.one_of(integers, unsigned, doubles, booleans)
missing = st.lists(st.none() | few.map(float) | finite, min_size=1, max_size=20).map(
    lambda v: np.array([math.nan if x is None else x for x in v])
)
places = st.sampled_from([0.0, 0.1, 0.25, 1 / 3, 0.5, 0.57, 0.9, 1.0]) | st.integers(0, 40).map(lambda n: n / 40)


def plain(values, q, interpolation):
    """numpy's meaning, in exact numbers."""
    ordered = sorted(Fraction(value) for value in values.tolist() if not math.isnan(value))
    if not ordered:
        return math.nan
    place = Fraction(q).limit_denominator(1000) * (len(ordered) - 1)
    low, high = ordered[math.floor(place)], ordered[math.ceil(place)]
    found = {
        "linear": low + (high - low) * (place - math.floor(place)),
        "lower": low,
        "higher": high,
        "nearest": ordered[round(place)],
        "midpoint": (low + high) / 2,
    }[interpolation]
    return float(found) if interpolation in {"linear", "midpoint"} or values.dtype.kind == "f" else int(found)


def same(found, expected):
    assert found == expected or (math.isnan(found) and math.isnan(expected)), (found, expected)
    assert isinstance(found, int) == isinstance(expected, int)


@given(columns, places, st.sampled_from(INTERPOLATIONS))
@settings(max_examples=8)
@pytest.mark.few(1)
def test_of_all_rows(engine, values, q, interpolation):
    column = split(engine, values)["x"]
    median, quantile = icm.reveal(column.median(), column.quantile(q, interpolation))
    same(median, plain(values, 0.5, "linear"))
    same(quantile, plain(values, q, interpolation))


@given(missing, places, st.sampled_from(INTERPOLATIONS))
@settings(max_examples=8)
def test_of_rows_with_missing_values(engine, values, q, interpolation):
    values = np.append(values, 2.0)  # a column without any has no kind
    column = split(engine, values)["x"]
    median, quantile = icm.reveal(column.median(), column.quantile(q, interpolation))
    same(median, plain(values, 0.5, "linear"))
    same(quantile, plain(values, q, interpolation))


@given(integers, st.integers(-4, 4), places, st.sampled_from(INTERPOLATIONS))
@settings(max_examples=6)
def test_of_chosen_rows(engine, values, least, q, interpolation):
    frame = split(engine, values)
    same(
        frame[frame["x"] > least]["x"].quantile(q, interpolation).reveal(),
        plain(values[values > least], q, interpolation),
    )


quarters = st.lists(st.none() | st.integers(-16, 16).map(lambda n: n / 4), min_size=1, max_size=12)


@given(quarters, st.integers(-4, 4), places, st.sampled_from(INTERPOLATIONS), st.sampled_from((float, int)))
@settings(max_examples=5)
def test_of_shared_rows_that_are_chosen_or_lack_values(engine, drawn, least, q, interpolation, kind):
    values = np.array([math.nan if x is None else x for x in drawn] + [2.0])
    values = values if kind is float else np.nan_to_num(values).astype(np.int64)
    frame = split(engine, values).share()
    chosen, expected = frame[frame["x"] > least]["x"], values[values > least]
    column, plain_column = frame["x"], pd.Series(values).dropna()
    found, of_chosen, largest, smallest = icm.reveal(
        column.quantile(q, interpolation), chosen.quantile(q, interpolation), chosen.nlargest(3), column.nsmallest(3)
    )
    same(found, plain(values, q, interpolation))
    same(of_chosen, plain(expected, q, interpolation))
    assert largest.tolist() == pd.Series(expected).nlargest(3).tolist()
    assert smallest.tolist() == plain_column.nsmallest(3).tolist()


@pytest.fixture(scope="module")
def quick():
    with Recording(("alice", "bob"), config=EngineConfig()) as running:
        yield running


@pytest.mark.parametrize("count", [1, 2, 3, 5, 8])
@pytest.mark.few(1)
def test_every_place_of_few_values_is_that_of_pandas(quick, count):
    """Missing values make their number secret; where it is public ranks are plain numbers."""
    values, wanted = np.arange(10.0) ** 2, [0, 0.1, 0.125, 0.25, 0.5, 0.75, 1]
    missing = pd.Series(np.where(np.arange(10) < count, values, math.nan))
    for shown in (missing, pd.Series(values[:count].astype(int))):
        column = split(quick, shown)["x"]
        found = icm.reveal(*(column.quantile(wanted, interpolation) for interpolation in INTERPOLATIONS))
        for each, interpolation in zip(found, INTERPOLATIONS, strict=True):
            expected = shown.quantile(wanted, interpolation).rename("x")
            pd.testing.assert_series_equal(each, expected, rtol=1e-15)


def test_groups(engine):
    numbers = np.random.default_rng(3).normal(size=60)
    rows = pd.DataFrame({"x": numbers, "ward": [*"abc"] * 20, "n": (numbers * 1000).astype(int)})
    rows.loc[[3, 6, 7], "x"] = math.nan
    held = an.from_pandas(engine, {"alice": rows[:25], "bob": rows[25:]})
    found = held.groupby("ward", domain={"ward": [*"cab"]})[["x", "n"]].agg("median").reveal()
    pd.testing.assert_frame_equal(found, rows.groupby("ward")[["x", "n"]].median(), check_index_type=False)


@given(st.lists(st.integers(-99, 99), min_size=1, max_size=30), places, st.sampled_from(INTERPOLATIONS))
@settings(max_examples=10)
def test_of_shared_rows(engine, values, q, interpolation):
    for column in (np.array(values), np.array(values) / 4):
        shared = split(engine, column).share()
        same(shared["x"].quantile(q, interpolation).reveal(), plain(column, q, interpolation))
        assert shared["x"].nlargest(3).reveal().tolist() == sorted(column.tolist())[::-1][:3]
        shared.forget()


def test_shared_rows_are_sorted_once_and_who_receives_the_result_alone_learns_it(fresh):
    shares = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": [3.0, 1.5, 2.0]})}).share()
    assert "all owners and parties learn it" not in shares["x"].median().explain()
    fresh.jobs.clear()
    assert shares["x"].quantile([0.5, 1.0]).reveal(to="alice").tolist() == [2.0, 3.0]
    assert {to for to, _ in fresh.revealed()} == {"alice"}
    (job,) = fresh.jobs
    assert [type(node.op).__name__ for node in job.program.nodes].count("Sort") == 1


def test_steps_are_few_and_open_digits_alone(fresh):
    column = split(fresh, np.arange(9.0))["x"]
    fresh.jobs.clear()
    assert icm.reveal(column.median(), column.sum()) == (4.0, 36.0)
    assert len(fresh.jobs) == 5
    names = {name.split(": ")[1] for _, name in fresh.revealed()}
    assert names == {"digits (median of x)", "sum (sum of x)"}
    assert [name for _, name in fresh.revealed()].count("1: sum (sum of x)") == 1, "asked once, with the first step"


def test_explained(fresh):
    frame = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": [1.0, None]}), "bob": pd.DataFrame({"x": [2.0]})})
    text = frame["x"].median().explain(to="bob")
    for said in (
        "opened: the value at 0.5 of the sorted values and the value above it, digit by digit, and the place",
        "to: bob alone; all owners and parties learn it",
        "5 questions, of which this is the first, find 13 bits",
    ):
        assert said in text, said
    assert frame["x"].median().reveal(to="bob") == 1.5


def test_few_values_on_either_side_are_withheld(fresh):
    rows = pd.DataFrame({"x": np.arange(60.0), "ward": ["a"] * 40 + ["b"] * 20})
    held = an.from_pandas(fresh, {"alice": rows[:20], "bob": rows[20:]}, policy=icm.Policy(min_rows=5))
    assert held["x"].quantile(0.9).reveal() == rows["x"].quantile(0.9)
    for q in (0.0, 0.05, 0.95, 1.0):
        fresh.jobs.clear()
        with pytest.raises(PolicyError, match="5 on either side"):
            held["x"].quantile(q).reveal()
        assert not fresh.jobs
    chosen = held[held["ward"] == "b"]["x"]
    assert chosen.median().reveal() == 49.5
    fresh.jobs.clear()
    assert isinstance(chosen.quantile(0.2).reveal(), Withheld)
    assert len(fresh.jobs) == 1, "nothing more is asked"
    found = chosen.quantile([0.2, 0.5]).reveal()
    assert found.isna().tolist() == [True, False]
    assert len(found.attrs["withheld"]) == 1
    groups = held[held["x"] < 44].groupby("ward", domain={"ward": ["a", "b"]})["x"].agg("median").reveal()
    assert groups["a"] == 19.5
    assert math.isnan(groups["b"])
    assert "digits (median of x)" in {name.split(": ")[1] for _, name in fresh.revealed()}


def test_few_shared_values_on_either_side_are_withheld(fresh):
    rows = pd.DataFrame({"x": np.arange(60.0), "ward": ["a"] * 40 + ["b"] * 20})
    held = an.from_pandas(fresh, {"alice": rows[:20], "bob": rows[20:]}, policy=icm.Policy(min_rows=5))
    shares = held.share(domain={"ward": ["a", "b"]})
    chosen = shares[shares["ward"] == "b"]["x"]
    assert chosen.median().reveal() == 49.5
    assert isinstance(chosen.quantile(0.2).reveal(), Withheld)
    with pytest.raises(PolicyError, match="5 on either side"):
        shares["x"].quantile(0.05).reveal()


def test_who_may_not_receive_it_may_not_learn_it(fresh):
    held = an.from_pandas(
        fresh, {"alice": pd.DataFrame({"x": np.arange(99.0)})}, policy=icm.Policy(recipients=("alice", "driver"))
    )
    with pytest.raises(PolicyError, match=r"bob may not receive it, but alice, driver.*every member learns it"):
        held["x"].median().reveal(to="alice")
    assert not fresh.jobs


def test_what_cannot_be_is_refused_before_anything_is_asked(fresh):
    frame = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": [1.0], "ward": ["a"]})})
    for refused, error, says in (
        (lambda: frame["x"].quantile(1.5), InputError, "from 0 to 1, not at 1.5"),
        (lambda: frame["x"].quantile(math.nan), InputError, "not at nan"),
        (lambda: frame["x"].quantile(True), InputError, "not at True"),
        (lambda: frame["x"].quantile("half"), InputError, "not at 'h'"),
        (lambda: frame["x"].quantile(None), InputError, "a list of them, not None"),
        (lambda: frame["x"].quantile([]), InputError, "1 to 128 quantiles"),
        (lambda: frame["x"].quantile([0.5] * 129), InputError, "1 to 128 quantiles"),
        (lambda: frame["x"].quantile(0.5, "cubic"), InputError, "linear, lower, higher, nearest, midpoint"),
        (frame["ward"].median, ColumnError, "holds string, and no numbers"),
    ):
        with pytest.raises(error, match=says):
            refused()
    assert not fresh.jobs


STEP = Quantile("labs", "x", 0.5, "lower", digits=1, prefixes=((7,),))


@pytest.mark.parametrize(
    "step",
    [
        msgspec.structs.replace(STEP, digits=0),
        msgspec.structs.replace(STEP, digits=-1),
        msgspec.structs.replace(STEP, digits=5),
        msgspec.structs.replace(STEP, prefixes=()),
        msgspec.structs.replace(STEP, prefixes=((7,), (7,))),
        msgspec.structs.replace(STEP, prefixes=((7, 7),)),
        msgspec.structs.replace(STEP, prefixes=((-1,),)),
        msgspec.structs.replace(STEP, prefixes=((1 << 13,),)),
        msgspec.structs.replace(STEP, q=1.5),
        msgspec.structs.replace(STEP, q=math.nan),
    ],
)
def test_a_step_that_does_not_follow_from_the_question_is_refused(step):
    assert lower(Asked(Question((STEP,), "bob"), (ONE_LANE,)), MEMBERS).last is not None
    with pytest.raises(ProgramError):
        lower(Asked(Question((step,), "bob"), (ONE_LANE,)), MEMBERS)


def test_a_step_that_claims_other_digits_tells_no_more_than_the_result():
    """The digit of a search that went elsewhere says whether the result is below, or above: nothing of other values."""
    values = np.array([3.0, 5.0, 8.0, 1000.0])
    told = {}
    with Recording(("alice", "bob"), config=EngineConfig()) as engine:
        for others in (values, np.array([-4.0, 5.0, 1e300, 1e301])):  # the lower median is the same
            frame = split(engine, others)
            facts = frame._dataset.facts
            members = Members(engine.parties, engine.owners)
            for prefix in range(0, 1 << 13, 511):
                step = Quantile(facts.name, "x", 0.5, "lower", digits=1, prefixes=((prefix,),))
                digit = _digit(engine, Asked(Question((step,), "driver"), (facts,)), members)
                assert told.setdefault(prefix, digit) == digit


def _digit(engine, asked, members):
    from analytics.sharing import NOTHING, jobs_of
    from icm_ray.query.answer import answers

    lowered = lower(asked, members)
    (job,) = jobs_of(asked, lowered, NOTHING)
    (execution,) = engine.execute([job])
    return answers(asked, lowered, execution.results)[0].digits


@given(st.floats(0, 1))
def test_a_quantile_stands_for_a_fraction_that_rounds_to_it(q):
    assert float(fraction_of(q)) == q


def test_where_a_quantile_does_not_fit_the_ring():
    many = msgspec.structs.replace(
        ONE_LANE,
        columns=(ColumnInfo("x", "float"),),
        tables=(msgspec.structs.replace(ONE_LANE.tables[0], rows=(2**40,)),),
    )
    with pytest.raises(icm.BoundError, match="take a q of smaller terms"):
        lower(Asked(Question((Quantile("labs", "x", 0.123456789123),), "bob"), (many,)), MEMBERS)


def test_a_policy_is_kept_by_every_step():
    step = Quantile("visits", "age", 0.05, "linear", digits=1, prefixes=((7,),))
    with pytest.raises(PolicyError, match="3 on either side"):
        check_disclosure(Asked(Question((step,), "bob"), (VISITS,)), MEMBERS)
    check_disclosure(Asked(Question((msgspec.structs.replace(step, q=0.25),), "bob"), (VISITS,)), MEMBERS)
