"""The replay of lanes: in proportion to their number, up to where the one driver is busy all the time."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = [0.5, 1.0, 1.5]


@pytest.fixture
def replay(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("lanes").replay


@pytest.mark.parametrize("lanes", [1, 2, 7])
def test_lanes_do_not_wait_for_a_driver_that_takes_no_time(replay, lanes):
    assert replay(PARTS, 0.0, lanes) == pytest.approx(lanes, rel=0.15)


def test_one_driver_serves_one_part_after_the_other(replay):
    assert replay(PARTS, 0.01, 1) == pytest.approx(1.0, rel=0.05)
    assert replay(PARTS, 0.01, 50) == pytest.approx(50, rel=0.15)
    assert replay(PARTS, 0.01, 1000) == pytest.approx(100, rel=0.05)
