import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.errors import BoundError, ColumnError
from tests.analytics.conftest import engine_of

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
    assert good.share()["cost"].max().reveal() == fits
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
