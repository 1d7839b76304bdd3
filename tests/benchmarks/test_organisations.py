"""The benchmark of organisations apart, on few rows: every question is asked of both sides, and answered alike."""

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_of_few_rows(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    records = importlib.import_module("organisations").beside(5000, 1, tmp_path)
    assert len([record for record in records if record.get("ratio", 0) > 0]) == 5
    assert all(record["seconds"] > 0 for record in records)
