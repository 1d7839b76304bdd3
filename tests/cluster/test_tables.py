"""Tables: what is copied of them is in one piece, however narrow the terminal is."""

from __future__ import annotations

import json

import pytest

from cluster.cli.tables import table

ID, DIGEST = "90aa51c2f0d7be13", "4f1c" * 16
HEADS = ("id", "what", "state", "owners", "since (UTC)")
ROW = (ID, "mean of cost " * 9, "used up", ["bob: used up"], "2026-11-28 07:00:00")


@pytest.mark.parametrize("width", [30, 50, 80, 200])
@pytest.mark.parametrize("cell", ["", f"graph {DIGEST}, and more"])
def test_ids_and_digests_are_whole(monkeypatch, capsys, width, cell):
    monkeypatch.setenv("COLUMNS", str(width))
    table("jobs", (*HEADS, "facts"), [(*ROW, cell), (*ROW, cell)])
    lines = capsys.readouterr().out.splitlines()
    assert sum(ID in line for line in lines) == 2
    assert sum(DIGEST in line for line in lines) == (2 if cell else 0)
    if width == 200 or (width == 80 and not cell):
        assert lines[1].startswith("┏")
        assert len({len(line) for line in lines[1:]}) == 1


def test_machines_are_told_the_same(capsys):
    table("jobs", HEADS, [ROW], json=True)
    assert json.loads(capsys.readouterr().out)[0]["id"] == ID


def test_nothing_is_a_table_too(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    table("jobs", HEADS, [])
    assert "since (UTC)" in capsys.readouterr().out
