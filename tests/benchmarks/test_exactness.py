"""The table of how exact statistics are: no result is further off than is stated."""

import importlib
from pathlib import Path

from icm_ray.runtime.carriers.threads import ThreadEngine

ROOT = Path(__file__).resolve().parents[2]


def test_a_row_for_each_statistic(monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = importlib.import_module("exactness")
    with ThreadEngine(("alice", "bob")) as engine:
        rows = script.measured(engine, 40)
    assert [row[0] for row in rows] == [f"`{name}()`" for name in script.STATISTICS]
    assert script.table(rows).count("\n") == 2 + len(rows)
