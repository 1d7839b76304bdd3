"""The benchmark of owners' rows, on few of them: every question is asked, and answered as pandas does."""

import importlib
from pathlib import Path

import pytest

from icm_ray.config import EngineConfig
from tests.analytics.conftest import Recording

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("owner_rows")


def test_every_question_is_answered_as_by_pandas(script, tmp_path):
    script.write(tmp_path, 9000)
    with Recording(("alice", "bob"), config=EngineConfig()) as engine:
        records = [script.measured(engine, tmp_path, name, 1) for name in script.QUESTIONS]
    assert [record["question"] for record in records] == list(script.QUESTIONS)
    assert all(record["seconds"] > 0 for record in records)
