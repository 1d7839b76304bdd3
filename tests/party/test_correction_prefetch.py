"""A party that waits for a peer takes in what the dealer sends, and only then."""

import threading

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.names import DRIVER
from icm_ray.ops.linear import AssumeWidth, Input, Reveal, Sum
from icm_ray.ops.products import Epilogue, Relu, Truncate
from icm_ray.ops.values import ValueType
from icm_ray.party.correction_prefetch import CorrectionPrefetch
from icm_ray.program.build import Builder
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.driver.engine import LaneJob


def test_a_wait_that_lasts_takes_in():
    taken = threading.Event()

    def take_in():
        taken.set()
        return 1

    with CorrectionPrefetch(take_in) as prefetch, prefetch.waiting():
        assert taken.wait(20)


def test_who_does_not_wait_takes_nothing_in():
    calls = []
    with CorrectionPrefetch(lambda: calls.append(1) or 1) as prefetch:
        with prefetch.waiting():
            pass
        before = len(calls)
        threading.Event().wait(0.05)  # ten looks
        assert len(calls) == before


def test_the_thread_ends_with_the_run():
    with pytest.raises(KeyError), CorrectionPrefetch(lambda: 0):
        raise KeyError
    assert not [thread for thread in threading.enumerate() if thread.name == "icm-prefetch"]


@pytest.mark.parametrize("in_flight", [0, pytest.param(1 << 40, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_chain_and_one_beside_it_get_through_bounded_lines(in_flight):
    rows = 500_000
    builder, kind = Builder(("alice", "bob")), ValueType(shape=(rows,), width=40)
    x, y = (builder.add(Input(owner, name, kind)) for owner, name in (("alice", "x"), ("bob", "y")))
    for _ in range(3):
        x = builder.add(Relu(Epilogue(relu=True)), x)
    for name, value in (("x", x), ("y", builder.add(Relu(Epilogue(relu=True)), y))):
        builder.add(Reveal(DRIVER, name), builder.add(Sum(), value))
    words = np.arange(rows, dtype=np.uint64)
    with ProcessEngine(
        config=EngineConfig(in_flight=in_flight, tls=False, job_timeout=30, free_programs=True)
    ) as engine:
        (done,) = engine.execute([LaneJob(0, builder.build(), given={"alice": {"x": words}, "bob": {"y": words}})])
    assert [int(done.results[name][0]) for name in "xy"] == [int(words.sum())] * 2


@pytest.mark.slow
def test_parties_and_dealer_do_not_wait_for_each_other_in_a_circle():
    """Two operations side by side, the later one's corrections for bob behind more of alice's than a line holds."""
    rows = 6_000_000
    with ProcessEngine(config=EngineConfig(in_flight=1 << 40, tls=False, job_timeout=60, free_programs=True)) as engine:
        builder, kind = Builder(engine.parties), ValueType(shape=(rows,), width=60)
        x, y = (builder.add(Input("alice", name, kind)) for name in "xy")
        later = builder.add(AssumeWidth(60), builder.add(Truncate(Epilogue(shift=1)), y))
        for name, value in (("x", x), ("y", later)):
            above = builder.add(AssumeWidth(40), builder.add(Relu(Epilogue(relu=True)), value))
            builder.add(Reveal(DRIVER, f"sum of {name}"), builder.add(Sum(), above))
        values = np.arange(rows, dtype=np.int64) - rows // 2
        given = {"alice": {"x": values.view(np.uint64), "y": values.view(np.uint64)}}
        (done,) = engine.execute([LaneJob(0, builder.build(), given=given)])
    assert int(done.results["sum of x"][0]) == np.maximum(values, 0).sum()
    assert abs(int(done.results["sum of y"][0]) - np.maximum(values, 0).sum() / 2) <= rows
