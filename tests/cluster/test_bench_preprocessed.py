"""`icm bench --preprocessed`: the online phase alone, and no run that was dealt live unnoticed."""

import json

import numpy as np
import pytest

from cluster.bench.run import measure, workload
from cluster.bench.workloads import normal, one
from cluster.cli.bench import bench
from icm_ray.config import EngineConfig
from icm_ray.errors import StockMismatch
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.runtime.carriers.threads import ThreadEngine


def small():
    return one(
        "relu",
        "relu of 100 numbers",
        normal(100),
        64,
        lambda builder, x: builder.add(Relu(Epilogue(shift=0, relu=True, width=64)), x),
        lambda x: np.maximum(x, 0),
    )


@pytest.mark.parametrize("preprocessed", [False, True])
def test_every_run_is_as_it_says(preprocessed):
    with ThreadEngine(config=EngineConfig(free_programs=True)) as engine:
        record = measure(engine, small(), 2, False, preprocessed=preprocessed)
    assert record.preprocessed is preprocessed
    assert record.max_abs_error == 0


@pytest.mark.slow
def test_what_a_network_keeps_is_checked_too():
    """Its output is made of weights, whose labels it bears."""
    with ThreadEngine(config=EngineConfig(free_programs=True)) as engine:
        record = measure(engine, workload("minionn_cifar_b8"), 1, False)
    assert 0 < record.max_abs_error < 1e-3


class Forgetful(ThreadEngine):
    def preprocess(self, program, partitions):
        super().preprocess(program, partitions - 1)


def test_a_run_that_fell_back_fails():
    with (
        Forgetful(config=EngineConfig(free_programs=True)) as engine,
        pytest.raises(StockMismatch, match="run 2 of relu was dealt live"),
    ):
        measure(engine, small(), 2, False, preprocessed=True)


@pytest.mark.slow
def test_the_command_says_so_in_its_report(tmp_path):
    bench(["mean_1m"], repeats=1, preprocessed=True, json=tmp_path / "records.json")
    (record,) = json.loads((tmp_path / "records.json").read_text())
    assert record["preprocessed"] is True
    assert record["workload"] == "mean_1m"
