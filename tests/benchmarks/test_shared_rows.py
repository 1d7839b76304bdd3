"""The benchmark of shared rows, on few of them: every question is asked, and answered as pandas does."""

import importlib
from pathlib import Path

import pytest

import analytics as an
from icm_ray.config import EngineConfig
from tests.analytics.conftest import Recording

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("shared_rows")


def test_every_question_is_answered_as_by_pandas(script):
    pooled = script.columns(2000)
    parts = {"alice": pooled[:900], "bob": pooled[900:].reset_index(drop=True)}
    with Recording(("alice", "bob"), config=EngineConfig()) as engine:
        shared = an.from_pandas(engine, parts).share(domain={"site": script.SITES})
        records = [script.measured(shared, pooled, name, 1) for name in script.QUESTIONS]
    assert [record["question"] for record in records] == list(script.QUESTIONS)
    assert all(record["seconds"] > 0 for record in records)
