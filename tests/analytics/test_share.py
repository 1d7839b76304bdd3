import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.errors import BoundError, ColumnError
from tests.analytics.conftest import Recording, engine_of

FRAME = pd.DataFrame({"age": [3, -5, 7, 8], "cost": [1.5, -2.25, 3.0, 16000.0], "ok": [True, False, True, True]})


def test_same_verbs(engine):
    frame = an.from_pandas(engine, dict.fromkeys(engine.everyone, FRAME))
    shared = frame.share()
    assert shared.shared
    assert (shared.columns, shared.dtypes, shared.shape) == (frame.columns, frame.dtypes, frame.shape)
    assert shared.owners == frame.owners
    for name in FRAME:
        for verb in ("count", "sum", "mean", "min", "max"):
            assert getattr(shared[name], verb)().reveal() == getattr(frame[name], verb)().reveal()
    assert shared.share() is shared


def test_only_picked_columns_are_shared(fresh):
    an.from_pandas(fresh, {"alice": FRAME})[["age"]].share()
    inputs = [node.op.name for job in fresh.jobs for node in job.program.nodes if type(node.op).__name__ == "Input"]
    assert inputs == ["age"]


def test_every_partition_goes_to_its_lane():
    with engine_of("two parties, two lanes", partition_bytes=400) as engine:
        an.from_pandas(engine, {"alice": pd.DataFrame({"x": np.arange(500)})}).share()
        assert [(job.lane, job.partition) for job in engine.jobs] == [(part % 2, part) for part in range(10)]
        assert not engine.revealed()


def test_text_is_not_shared(fresh):
    with pytest.raises(ColumnError, match="'who'"):
        an.from_pandas(fresh, {"alice": FRAME.assign(who="x")}).share()
    assert not fresh.jobs


@pytest.mark.parametrize(
    ("bound", "fits", "beyond"),
    [(16000, 16384.0, 16384.1), (2**14, 16384.0, 16385), (0.75, 1.0, 1.01), (0.5, 0.5, 0.51)],
)
def test_bounds_are_rounded_up_to_a_power_of_two(fresh, bound, fits, beyond):
    good = an.from_pandas(fresh, {"alice": pd.DataFrame({"cost": [-fits, fits]})}, bounds={"cost": bound})
    shared = good.share()
    assert shared["cost"].max().reveal() == fits
    bad = an.from_pandas(fresh, {"alice": pd.DataFrame({"cost": [0.0, beyond]})}, bounds={"cost": bound})
    kept = fresh.kept()
    with pytest.raises(BoundError, match="cost"):
        bad.share()
    assert fresh.kept() == kept


def test_default_bounds(fresh):
    for name, values in (("age", [2**31 + 1]), ("cost", [2.0**20 + 1])):
        frame = an.from_pandas(fresh, {"alice": pd.DataFrame({name: values})})
        with pytest.raises(BoundError, match=name):
            frame.share()


@pytest.mark.parametrize("bound", [2**44, 2**52])
def test_every_statistic_fits_what_may_be_shared(fresh, bound):
    values = np.array([bound, -bound, bound - 1, 3], np.int64)
    column = an.from_pandas(fresh, {"bob": pd.DataFrame({"x": values})}, bounds={"x": bound}).share()["x"]
    assert column.sum().reveal() == bound + 2
    assert column.min().reveal() == -bound
    total, squares = sum(values.tolist()), sum(value**2 for value in values.tolist())
    assert column.var(0).reveal() == pytest.approx((4 * squares - total**2) / 16, rel=1e-15)
    assert column.histogram([-bound, 0, bound]).reveal()[0].tolist() == [1, 3]


def test_a_small_bound_buys_fractional_bits(engine):
    values = np.array([1e-7, 3e-7, 2e-7, 5e-7] * len(engine.everyone))
    frames = {
        owner: pd.DataFrame({"x": values[at :: len(engine.everyone)]}) for at, owner in enumerate(engine.everyone)
    }
    column = an.from_pandas(engine, frames, bounds={"x": 1e-6}).share()["x"]
    assert column.std().reveal() == pytest.approx(values.std(ddof=1), rel=1e-8)
    for query, exact in ((column.std(), values.std(ddof=1)), (column.mean(), values.mean()), (column.max(), 5e-7)):
        assert abs(query.reveal() - exact) <= query.error.at(exact) <= 1e-8 * exact
    assert column.histogram(4, range=(0, 1e-6)).reveal()[0].sum() == len(values)


@pytest.mark.parametrize("bound", [1e-30, 1e-130, 1.0, 0.001])
def test_bounds_of_any_smallness(fresh, bound):
    values = np.array([0.5, -0.25, 0.125, 0.9]) * bound
    column = an.from_pandas(fresh, {"alice": pd.DataFrame({"x": values})}, bounds={"x": bound}).share()["x"]
    for verb in ("sum", "mean", "std", "min", "max"):
        assert getattr(column, verb)().reveal() == pytest.approx(getattr(pd.Series(values), verb)(), rel=1e-4)


@pytest.mark.parametrize("bound", [2.0**30, 2.0**44, 1e-150])
def test_digits_that_do_not_fit_are_told(bound):
    with engine_of("two parties", partition_bytes=8 * 2**20) as engine:
        frame = an.from_pandas(engine, {"alice": pd.DataFrame({"x": np.zeros(2**16)})}, bounds={"x": bound})
        with pytest.warns(UserWarning, match=r"column .x.: with magnitudes to 2\^.* multiples of 2\^-"):
            shared = frame.share()
        assert "error at most" in shared["x"].mean().explain()


@pytest.mark.parametrize("lanes", ["two parties", "two parties, two lanes"])
@pytest.mark.parametrize("sizes", [(5, 5), (17, 1), (33, 40)])
@pytest.mark.parametrize("bound", [2**52, 2**53, 2**54])
@pytest.mark.few(8)
def test_sums_that_no_word_holds(lanes, sizes, bound):
    """At the bound, in partitions of 16 rows: 60 bits of f, bound and a partition's rows are what may be shared."""
    with engine_of(lanes, partition_bytes=128) as engine:
        parts = {owner: np.full(rows, bound) for owner, rows in zip(engine.parties, sizes, strict=True)}
        frames = {owner: pd.DataFrame({"x": part}) for owner, part in parts.items()}
        column = an.from_pandas(engine, frames, bounds={"x": bound}).share()["x"]
        assert column.sum().reveal() == bound * sum(sizes)
        assert column.mean().reveal() == bound
        assert column.std().reveal() == 0


def test_five_owners_of_large_numbers():
    names = ("alice", "bob", "carol", "dora", "emil")
    with Recording(names[:2], names[2:], config=EngineConfig()) as engine:
        parts = {owner: np.full(2**17 + 1, 2**40 - at) for at, owner in enumerate(names)}
        frames = {owner: pd.DataFrame({"x": part}) for owner, part in parts.items()}
        column = an.from_pandas(engine, frames, bounds={"x": 2**40}).share()["x"]
        assert column.sum().reveal() == sum(int(part.sum()) for part in parts.values())
