"""What the file system refuses: a typed refusal that names path and cause, and the session goes on."""

import re

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import StockError
from icm_ray.runtime.carriers.processes import ProcessEngine, ProcessHandle
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.driver.lane_engine import LaneEngine
from tests.runtime import programs

ROWS = 600
X = np.arange(ROWS, dtype=np.uint64)
PARTIES = ("alice", "bob")


def engine_with_limit(config, who, most):
    """One lane; no file of `who` may become larger than `most` bytes: its disk is full."""

    def start(name):
        return ProcessHandle(name, config, launcher=("prlimit", f"--fsize={most}") if name == who else ())

    return LaneEngine(PARTIES, (), 1, config, start)


def compared(engine):
    job = LaneJob(0, programs.compared(engine, ROWS, "alice", 2), given={"bob": {"x": X}})
    (done,) = engine.execute([job])
    assert done.results["count"].tolist() == [2 * ROWS - 1]
    return done.preprocessed


@pytest.mark.slow
def test_a_full_disk_refuses_a_preparation_and_nothing_else(tmp_path):
    stock, who = tmp_path / "stock", "alice"  # who gets the corrections
    with engine_with_limit(EngineConfig(stock=str(stock), free_programs=True), who, 16 << 10) as engine:
        program = programs.compared(engine, ROWS, "alice", 2)
        with pytest.raises(StockError, match=rf"{who}: the stock in {re.escape(str(stock))}.*File too large") as caught:
            engine.preprocess(program, 3)
        assert caught.value.where["cause"] == "File too large"
        assert list(stock.rglob("*.slot")) == []
        assert compared(engine) is False
        with pytest.raises(StockError):
            engine.preprocess(program, 1)
        assert compared(engine) is False


@pytest.mark.parametrize("kind", [ThreadEngine, pytest.param(ProcessEngine, marks=pytest.mark.slow)])
def test_a_stock_that_cannot_be_there_is_named_at_the_start(kind):
    with pytest.raises(StockError, match=r"the stock in /proc/nowhere cannot be written or opened: No such file"):
        kind(config=EngineConfig(stock="/proc/nowhere"))
