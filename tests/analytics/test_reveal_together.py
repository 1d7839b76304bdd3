import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.errors import FaultError, InputError
from icm_ray.program.stamped import Stamped
from tests.analytics.conftest import both, engine_of, split


@pytest.mark.few(1)
def test_results_in_order_in_shared_rounds(engine):
    values = np.arange(-10, 50)
    for column in both(engine, values):
        queries = [column.sum(), column.std(0), column.count(), column.min(), column.histogram(3, range=(-10, 50))]
        engine.jobs.clear()
        total, std, count, least, (counts, _) = an.Query.reveal_together(queries)
        together = Stamped(engine.jobs[-1].program, engine.settings).cost().rounds
        assert (total, count, least, counts.tolist()) == (values.sum(), 60, -10, [20, 20, 20])
        assert std == pytest.approx(values.std(), rel=1e-14)
        engine.jobs.clear()
        for query in queries:
            query.reveal()
        assert together < sum(Stamped(job.program, engine.settings).cost().rounds for job in engine.jobs)


def test_what_serves_several_is_shared_once(fresh):
    column = split(fresh, [1.0, 2.0, 4.0])["x"]
    fresh.jobs.clear()
    mean, std, total, again = type(column.mean()).reveal_together(
        [column.mean(), column.std(), column.sum(), column.mean()], "carol"
    )
    assert (mean, total, again) == (7 / 3, 7.0, 7 / 3)
    assert std == pytest.approx(np.std([1, 2, 4], ddof=1))
    inputs = [node.op.name for node in fresh.jobs[0].program.nodes if type(node.op).__name__ == "Input"]
    assert len(inputs) == 6, "three owners' sums and squares"


def test_frames_of_one_session(fresh):
    a, b = split(fresh, [1, 2]), split(fresh, [10, 20, 30])
    assert an.Query.reveal_together([a["x"].sum(), b["x"].sum(), b.share()["x"].max()]) == (3, 60, 30)
    assert "shared: alice's sum of x (1)" in an.Query.explain_together([a["x"].sum(), b["x"].sum()])


def test_other_sessions_and_other_things(fresh):
    column = split(fresh, [1, 2])["x"]
    with engine_of("two parties") as other, pytest.raises(InputError, match="different sessions"):
        an.Query.reveal_together([column.sum(), split(other, [1, 2])["x"].sum()])
    with pytest.raises(InputError, match="not float"):
        an.Query.reveal_together([column.sum(), 3.0])
    with pytest.raises(InputError, match="nothing to reveal"):
        an.Query.reveal_together([])


def test_partials_are_forgotten():
    with engine_of("three parties, an owner outside, two lanes") as engine:
        frame = an.from_pandas(engine, {"alice": pd.DataFrame({"x": np.arange(100)})})
        frame["x"].var().reveal()
        assert not engine.kept()


def test_partials_are_forgotten_after_a_fault():
    with engine_of("two parties, two lanes") as engine:
        frame = an.from_pandas(engine, {"alice": pd.DataFrame({"x": np.arange(100)})})

        def lost(*_):
            raise FaultError("bob is gone", party="bob")

        engine.gather = lost
        with pytest.raises(FaultError, match="bob is gone"):
            frame["x"].sum().reveal()
        assert not engine.kept()
