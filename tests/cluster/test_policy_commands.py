"""`icm policy check` and `icm audit`: what stands in a file, and what is wrong with it."""

import pytest

from icm_ray.policy import Policy
from icm_ray.query.expressions.tree import apply, literal
from icm_ray.query.question import Question
from icm_ray.query.row_set import RowSet
from icm_ray.query.statistics.mean import Mean
from icm_ray.runtime.worker.answer_ledger import AnswerLedger
from tests.cluster.test_cli import called

OLD = RowSet(apply("greater_equal", ("age", literal(65))))


def test_a_policy_in_words(monkeypatch, capsys, tmp_path):
    path = tmp_path / "visits.toml"
    path.write_text('name = "visits"\nmin_rows = 20\n')
    assert called(monkeypatch, "policy", "check", str(path)) == 0
    said = " ".join(capsys.readouterr().out.split())
    for rule in Policy(name="visits", min_rows=20).in_words():
        assert rule.split(",")[0][:40] in said


def test_a_fault_in_a_policy_is_one_line_that_names_its_own(monkeypatch, capsys, tmp_path):
    path = tmp_path / "visits.toml"
    path.write_text('name = "visits"\nmin_rows = 2\n')
    assert called(monkeypatch, "policy", "check", str(path)) == 2
    said = capsys.readouterr().err
    assert said == f"icm: {path}, line 2: min_rows is 2; it has to be a whole number from 3 on, 2^40 at most [E100]\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    ledger = AnswerLedger("visits", tmp_path / "visits", "alice")
    for digest, to in ((b"\x07", "bob"), (b"\x08", "driver")):
        ledger.record(digest * 16, Question((Mean("visits", "cost"),), to), 90, (OLD,))
    other = AnswerLedger("visits", tmp_path / "visits", "bob")
    other.record(b"\x07" * 16, Question((Mean("visits", "cost"),), "bob"), 90, (OLD,))
    monkeypatch.setenv("ICM_LEDGER", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_what_was_answered(monkeypatch, capsys, folder):
    assert called(monkeypatch, "audit", "visits") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "mean of cost" in line]
    assert len(lines) == 2
    assert all(word in lines[0] for word in ("alice, bob", "90", "age >= 65", "07070707"))
    assert "driver" in lines[1]
    assert "bob" not in lines[1]
    assert all(line.split("│")[1].count(":") == 2 for line in lines), "the whole time"
    assert "age >= 65" not in lines[1], "the row set was asked for before"


def test_chains(monkeypatch, capsys, folder):
    assert called(monkeypatch, "audit", "verify") == 0
    assert "visits/alice.jsonl: 2 entries, the chain holds\nvisits/bob.jsonl: 1 entry," in capsys.readouterr().out
    path = folder / "visits" / "alice.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"rows":90', b'"rows":91', 1))
    assert called(monkeypatch, "audit", "verify") == 2
    said = capsys.readouterr()
    assert said.out == "visits/alice.jsonl: the chain is broken\nvisits/bob.jsonl: 1 entry, the chain holds\n"
    assert "alice.jsonl, line 1: the ledger is broken: the entry was changed" in said.err


def test_no_ledger(monkeypatch, capsys, folder):
    assert called(monkeypatch, "audit", "labs") == 2
    assert "there is no ledger of 'labs'; there are those of visits" in capsys.readouterr().err
    for name in ("visits", "verify"):
        assert called(monkeypatch, "audit", name, "--ledger", str(folder / "nowhere")) == 2
        assert "nowhere: there is no such folder" in capsys.readouterr().err


def test_what_was_asked_is_shown_as_it_stands(monkeypatch, capsys, tmp_path):
    """... also where a column's name looks like markup."""
    ledger = AnswerLedger("visits", tmp_path / "visits", "alice")
    ledger.record(b"\x07" * 16, Question((Mean("visits", "weight [kg] [/b]"),), "bob"), 90, ())
    monkeypatch.setenv("ICM_LEDGER", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    assert called(monkeypatch, "audit", "visits") == 0
    assert "mean of weight [kg] [/b]" in capsys.readouterr().out
