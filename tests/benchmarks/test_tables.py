"""Group-by and join of the bench, on few rows: what is computed on shares is what numpy finds."""

import importlib
from pathlib import Path

import pytest

from cluster.bench import tables
from cluster.bench.run import measure
from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.threads import ThreadEngine
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def engine():
    with ThreadEngine(config=EngineConfig(free_programs=True)) as running:
        yield running


@pytest.fixture
def few(monkeypatch):
    for name, size in (("_ROWS", 300), ("_KEYS", 40), ("_LEFT", 180), ("_RIGHT", 120)):
        monkeypatch.setattr(tables, name, size)


def test_groups(few, engine):
    work = tables.groupby_100k()
    found = work.plain(work.inputs)
    used = found[:, 2] > 0
    assert used.sum() == 40
    assert found[used, 2].sum() == 300
    assert found[used, 1].sum() == work.inputs["value"].sum()
    assert not found[~used].any()
    assert measure(engine, work, 1, tls=False).max_abs_error == 0


def test_joined_rows(few, engine):
    work = tables.join_100k()
    owned = dict(zip(work.inputs["right key"], work.inputs["right value"], strict=True))
    found = work.plain(work.inputs)
    matched = [(key, value, owned[key]) for key, value in zip(
        work.inputs["left key"], work.inputs["left value"], strict=True
    ) if key in owned]  # fmt: skip
    assert 60 < len(matched) < 180
    assert sorted(map(tuple, found[found[:, 0] > 0])) == sorted(matched)
    assert measure(engine, work, 1, tls=False).max_abs_error == 0


def test_the_page_has_published_figures(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(ROOT) / "benchmarks"))
    text = importlib.import_module("published").section()
    assert (
        "| Comorbidity: 5 million rows of half a million keys, grouped and sorted | 136.5 | 110.8 | 127.9 | 73 |"
        in text
    )
    assert "| seconds | 1483 | 887 | 491 | 369 | 284 | 278 |" in text
    assert text.strip() in (Path(ROOT) / "docs" / "performance.md").read_text()
