"""What an owner sees of earlier questions before deciding on a request: as the own ledger, log and requests have it."""

from __future__ import annotations

import json
from types import MappingProxyType, SimpleNamespace

import pytest
from typer.testing import CliRunner

import icm_ray as icm
from cluster.cli.main import app
from icm_ray.instance import asked_before as module
from icm_ray.instance.asked_before import asked_before
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.offer import offer
from icm_ray.instance.prediction_form import AskedPrediction, form_of
from icm_ray.instance.requests import Requests
from tests.instance.asked import requested
from tests.instance.conftest import rows

LATER = 4e9


def shown(home, number, *more):
    result = CliRunner().invoke(app, ["show", "--home", str(home), str(number), *more], env={"COLUMNS": "200"})
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


@pytest.fixture(scope="module")
def frame(organisations, alice):
    """A dataset of Bob's that Alice may request questions of."""
    folder, bob = organisations["bob"]
    rows(7).to_parquet(folder.parent / "before.parquet")
    offer(bob.catalogue, "before", [str(folder.parent / "before.parquet")], icm.Policy(min_rows=5), (), ("alice",))
    yield alice.peer("bob")["before"]
    bob.catalogue.remove("before")


@pytest.mark.slow
def test_earlier_questions_are_told_by_whom_and_for_what(frame, organisations):
    home, bob = organisations["bob"]

    def request(query):
        handle = query.request(reason="study")
        return handle, next(one.number for one in bob.requests.all if one.job == handle.id)

    handle, first = request(frame[frame["age"] >= 65]["cost"].mean())
    assert "before: no questions before" in shown(home, first)
    assert "rows that it tells of, new: age >= 65" in shown(home, first)
    bob.requests.approve(first, 3, LATER)
    handle.result()
    _, second = request(frame[frame["age"] >= 65].groupby("ward", domain=["A", "B"])["cost"].sum())
    told = shown(home, second)
    for line in (
        "before: 1 question before (alice 1)",
        " alice: mean of cost (age >= 65)",
        "rows that it tells of, new: age >= 65, by ward",
        "1 of 64 filters, groupings and histograms are taken, 63 are left",
    ):
        assert line in told
    assert "other requests of alice's here:" in told
    _, third = request(frame[frame["age"] >= 65]["cost"].mean())
    told = shown(home, third)
    assert "rows that it tells of, asked for before: age >= 65" in told
    assert f"the same question, request {first} of alice's: approved, 1 of 3 uses are taken" in told
    before = json.loads(shown(home, third, "--json"))["before"]
    assert before["sources"][0]["by"] == {"alice": 1}
    assert (before["sources"][0]["taken"], before["sources"][0]["most"], before["fault"]) == (1, 64, "")


def predicted(folder, part):
    asked = AskedPrediction("alice", "bob", "4f" * 16, "label", 10)
    form = form_of("alice", part, ("skin", "1"), asked.graph, asked, "bob", ("alice", "bob"))
    return Requests(folder).add("bob", f"{len(part):016x}", form, "second opinion")


def test_earlier_predictions_are_counted_by_images_and_the_quota_is_told(tmp_path, monkeypatch):
    log = AuditLog(tmp_path)
    for who, what, key, count in (
        ("bob", "predicted", "model", 8),
        ("dave", "predicted", "model", 5),
        ("bob", "predicted", "model", 4),
        ("bob", "shared", "pictures", 3),
    ):
        log.add(who, what, **{key: "skin"}, images=str(count))
    log.add("bob", "predicted", model="other", images="100")
    held = SimpleNamespace(quotas={"bob": 20})
    shelf = SimpleNamespace(models={"skin": held}, used=lambda _: MappingProxyType({"bob": 12}))
    monkeypatch.setattr(module, "ModelShelf", lambda _: shelf)
    found = asked_before(tmp_path, "alice", predicted(tmp_path, "model"), ())
    assert found.lines == [
        "skin: 17 images before (bob 12, dave 5)",
        "  12 of 20 of its quota of images are taken, 8 are left",
    ]
    found = asked_before(tmp_path, "alice", predicted(tmp_path, "pictures"), ())
    assert found.lines == ["skin: 3 images before (bob 3)"]


def test_what_cannot_be_told_is_said(tmp_path):
    one = requested(tmp_path, 1, "")
    assert asked_before(tmp_path, "alice", one, ()).lines[0] == "visits: no questions before"
    (tmp_path / "audit.jsonl").write_text("{}\n")
    (line,) = asked_before(tmp_path, "alice", one, ()).lines
    assert line.startswith("what was asked before cannot be told: ")
    assert line.endswith("[E305]")
    (tmp_path / "audit.jsonl").unlink()
    ledger = tmp_path / "ledger" / "alice.visits"
    ledger.mkdir(parents=True)
    (ledger / "alice.jsonl").write_text("{}\n")
    (line,) = asked_before(tmp_path, "alice", one, ()).lines
    assert "the ledger is broken" in line


def test_other_requests_are_counted(tmp_path):
    kept = Requests(tmp_path)
    one, two, three = (requested(tmp_path, number, "", age) for number, age in ((1, 65), (2, 65), (3, 40)))
    kept.deny(one.number, "no")
    kept.approve(three.number, 2, LATER)
    assert asked_before(tmp_path, "alice", two, kept.all).decided == (
        "the same question, request 1 of bob's: denied",
        "other requests of bob's here: 1 denied, 1 approved",
    )


def test_a_session_is_of_whom_named_it_first(tmp_path, monkeypatch):
    log, one = AuditLog(tmp_path), requested(tmp_path, 1, "")
    for who in ("bob", "mallory"):
        log.add(who, "worker", session="5" * 16, lane="0")
    heard = []
    monkeypatch.setattr(module, "_answered", lambda *facts: heard.append(facts[-1]("5" * 16)))
    asked_before(tmp_path, "alice", one, ())
    assert heard == ["bob"]
