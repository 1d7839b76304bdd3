"""The benchmarks that ask pandas the same, on few rows: every question is asked, and answered as pandas does."""

import importlib
from pathlib import Path

import pytest

import analytics as an
from icm_ray.config import EngineConfig
from tests.analytics.conftest import Recording

pytestmark = pytest.mark.usefixtures("derived_once")

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module


@pytest.fixture
def engine():
    with Recording(("alice", "bob"), config=EngineConfig()) as running:
        yield running


def all_asked(script, once, capsys):
    records = importlib.import_module("beside_pandas").asked(script.QUESTIONS, 1, once)
    assert [record["question"] for record in records] == list(script.QUESTIONS)
    assert all(record["seconds"] > 0 and record["ratio"] > 0 for record in records)
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(records)


@pytest.mark.slow
def test_of_owners_rows(script, engine, tmp_path, capsys):
    owner_rows = script("owner_rows")
    owner_rows.write(tmp_path, 9000)
    all_asked(owner_rows, lambda name: owner_rows.once(engine, tmp_path, name), capsys)


@pytest.mark.slow
def test_of_merged_rows(script, engine, tmp_path, capsys):
    merged_rows = script("merged_rows")
    merged_rows.write(tmp_path, 400, 200)
    all_asked(merged_rows, lambda name: merged_rows.once(engine, tmp_path, name), capsys)


@pytest.mark.slow
def test_of_shared_rows(script, engine, capsys):
    shared_rows = script("shared_rows")
    pooled = shared_rows.columns(2000)
    parts = {"alice": pooled[:900], "bob": pooled[900:].reset_index(drop=True)}
    shared = an.from_pandas(engine, parts, bounds=shared_rows.BOUNDS).share(domain={"site": shared_rows.SITES})
    all_asked(shared_rows, lambda name: shared_rows.once(shared, pooled, name), capsys)
