"""The profile of a workload, and the tables made of it."""

import msgspec
import numpy as np
import pytest

from cluster.bench.profile import HEADS, Profile, markdown, profile, rows
from cluster.bench.run import Record, measure
from cluster.bench.workloads import one
from icm_ray.config import EngineConfig
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.profile import Part
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import Execution

SOME = Profile(0.1, {"party": {"kernels": 0.06, "python": 0.02}, "dealer": {"prg": 0.03, "python": 0.01}})


def test_the_slower_party_stands_for_all():
    spent = {"alice": {"prg": 1e-6}, "bob": {"prg": 3e-6, "python": 1e-6}, "carol": {}, "dealer": {"prg": 2e-6}}
    found = profile(lambda: Execution({}, spent=spent), 1)
    assert found.spent == {"party": spent["bob"], "dealer": spent["dealer"]}


@pytest.mark.parametrize("repeats", [1, 2, 5])
def test_one_of_all_runs_is_kept(repeats):
    runs = [Execution({}, spent={"alice": {"prg": float(run)}, "dealer": {}}) for run in range(repeats)]
    left = iter(runs)
    found = profile(lambda: next(left), repeats)
    assert found.spent["party"] in [dict(run.spent["alice"]) for run in runs]
    assert next(left, None) is None


def test_orders_are_what_no_party_accounts_for():
    assert SOME.orders() == pytest.approx(0.02)


def test_rows():
    party, dealer = rows({"relu_1m": SOME})
    found = dict(zip(HEADS, party, strict=True))
    assert (found["workload"], found["member"], found["ms"]) == ("relu_1m", "party", "100.00")
    assert (found["kernels"], found["python"], found["orders"]) == ("60.00 (60%)", "20.00 (20%)", "20.00 (20%)")
    found = dict(zip(HEADS, dealer, strict=True))
    assert (found["member"], found["ms"], found["prg"], found["orders"]) == ("dealer", "40.00", "30.00 (75%)", "")


def test_markdown():
    lines = markdown({"relu_1m": SOME, "mul_1m": SOME}).splitlines()
    assert lines[0] == f"| {' | '.join(HEADS)} |"
    assert len(lines) == 2 + 4
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2].startswith("| relu_1m | party | 100.00 |")


def test_a_profiled_measurement():
    work = one(
        "tiny",
        "ReLU of 100 values",
        np.linspace(-1, 1, 100),
        64,
        lambda builder, x: builder.add(Relu(Epilogue(relu=True)), x),
        lambda x: np.maximum(x, 0),
    )
    with ThreadEngine(config=EngineConfig(free_programs=True)) as engine:
        plain, profiled = (measure(engine, work, 1, False, profiled=asked) for asked in (False, True))
    assert plain.profile is None
    assert profiled.profile is not None
    assert list(profiled.profile.spent) == ["party", "dealer"]
    assert all(list(parts) == list(Part) for parts in profiled.profile.spent.values())
    assert msgspec.json.decode(msgspec.json.encode(profiled), type=Record) == profiled
