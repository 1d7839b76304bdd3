"""The commands of an instance, as two people type them, with one of them served here."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

import icm_ray as icm
from cluster.cli.main import app
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.instance import Instance
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.tickets import Ticket
from icm_ray.query.question import Question
from icm_ray.query.statistics.mean import Mean
from icm_ray.runtime.worker.answer_ledger import AnswerLedger


@pytest.fixture
def typed(tmp_path):
    def run(who: str, *words: str) -> str:
        given = CliRunner().invoke(app, [words[0], "--home", str(tmp_path / who), *words[1:]], env={"COLUMNS": "200"})
        if given.exception is not None and not isinstance(given.exception, SystemExit):
            raise given.exception
        assert given.exit_code == 0, given.output
        return given.output

    return run


def test_two_organisations_meet_and_offer(typed, tmp_path):
    assert "icm serve" in typed("alice", "init", "alice", "--listen", "127.0.0.1:0")
    typed("bob", "init", "bob", "--dial-only")
    settings = (tmp_path / "alice" / "icm.toml").read_text()
    assert 'name = "alice"' in settings
    with Instance(tmp_path / "alice") as alice:
        file = tmp_path / "alice" / "icm.toml"
        file.write_text(settings.replace('"127.0.0.1:0"', f'"127.0.0.1:{alice.port}"'))
        ticket = typed("alice", "invite", "bob").strip()
        joined = typed("bob", "join", ticket, "--yes")
        words = joined.splitlines()[0].partition(": ")[2]
        assert words in typed("alice", "peers")
        with pytest.raises(icm.InstanceError):  # it was used
            typed("bob", "join", ticket, "--yes")
        assert "approved" in typed("alice", "peers", "--approve", "bob")
        pd.DataFrame({"x": [1, 2, 3]}).to_parquet(tmp_path / "x.parquet")
        (tmp_path / "rules.toml").write_text("min_rows = 3\n")
        path, rules = str(tmp_path / "x.parquet"), str(tmp_path / "rules.toml")
        assert "bob" in typed("alice", "data", "numbers", path, "--policy", rules, "--standing", "bob")
        assert "numbers" in typed("alice", "data")
        (peer,) = json.loads(typed("alice", "peers", "--json"))
        assert (peer["name"], peer["state"], peer["reached_at"]) == ("bob", "approved", [])
        assert peer["six_words"] == words
        (offered,) = json.loads(typed("alice", "data", "--json"))
        assert (offered["name"], offered["rows"], offered["columns"]) == ("numbers", 3, 1)
        assert (offered["answered_at_once"], offered["may_request"]) == (["bob"], [])
        assert "numbers" not in typed("alice", "data", "numbers", "--remove")
        said = typed("alice", "audit")
        assert "joined" in said
        assert "approved" in [entry["what"] for entry in json.loads(typed("alice", "audit", "--json"))]
        assert "approved" in said
        assert "revoked" in typed("alice", "peers", "--revoke", "bob")


def test_what_cannot_be_is_said(typed, tmp_path):
    with pytest.raises(icm.InstanceError, match="icm init makes one"):
        typed("nobody", "peers")
    typed("carol", "init", "carol", "--dealer")
    with pytest.raises(icm.InstanceError, match="already"):
        typed("carol", "init", "carol")
    with pytest.raises(icm.InputError, match="owns no data"):
        typed("carol", "data", "x", "x.parquet")
    with pytest.raises(icm.InputError, match="hours"):
        typed("carol", "invite", "bob", "--hours", "0")
    with pytest.raises(icm.InstanceError, match="no ticket"):
        typed("carol", "join", "hello")
    with pytest.raises(icm.OwnerError):
        typed("other", "init", "no name")
    for address in ("nonsense", ":7800", "127.0.0.1:99999"):
        with pytest.raises(icm.InstanceError, match="host:port"):
            typed("other", "init", "other", "--listen", address)
    assert not (tmp_path / "other").exists()
    for words in (("show", "1"), ("serve",)):
        with pytest.raises(icm.InstanceError, match="icm init makes one"):
            typed("other", *words)


def test_what_peers_say_commands_no_terminal(typed, tmp_path):
    """... nor turns what is written."""
    evil = "\x1b]0;mine\x07\x1b[2J\u202e\x9b1m[bold]"
    typed("alice", "init", "alice")
    AuditLog(tmp_path / "alice").add("bob", "worker", session=evil)
    said = typed("alice", "audit")
    assert not set(evil) & set("\x1b\x07\u202e\x9b") & set(said)
    assert r"\x1b]0;mine\x07\x1b[2J\u202e\x9b1m[bold]" in said


@pytest.mark.parametrize("name", ["alice", "dealer", "driver", "a/b", "\x1b[2J", "instance/x", ""])
@pytest.mark.few(3)
def test_nobody_is_met_under_a_name_that_is_taken_or_none(typed, tmp_path, name):
    typed("alice", "init", "alice")
    with pytest.raises(icm.OwnerError):
        typed("alice", "invite", name)
    ticket = Ticket.made(name, "alice", (("127.0.0.1", 1),), b"certificate", 4e9)
    with pytest.raises(icm.OwnerError):
        typed("alice", "join", ticket.as_text(), "--yes")


def test_names_of_peers_are_held_against_the_roster(typed, tmp_path):
    typed("alice", "init", "alice")
    Roster(tmp_path / "alice").add(Peer("bob", b"certificate", state="joined"))
    Roster(tmp_path / "alice").add(Peer("dave", b"other", state="revoked"))
    path = str(tmp_path / "x.parquet")
    pd.DataFrame({"x": [1, 2, 3]}).to_parquet(path)
    for option in ("--standing", "--request"):
        for name in ("bobb", "dave"):
            with pytest.raises(icm.InputError, match=f"{option} {name}: not a peer .the roster has bob."):
                typed("alice", "data", "numbers", path, option, name)
    assert json.loads(typed("alice", "data", "--json")) == []
    assert "bob" in typed("alice", "data", "numbers", path, "--standing", "bob")
    for option, name in (("--standing", "bobb"), ("--request", "dave"), ("--quota", "bobb=10")):
        with pytest.raises(icm.InputError, match="not a peer"):
            typed("alice", "model", "skin", path, option, name)


def test_what_is_removed_and_invented_is_said(typed, tmp_path):
    typed("alice", "init", "alice")
    for command in ("data", "model"):
        with pytest.raises(icm.InputError, match="which"):
            typed("alice", command, "--remove")
    with pytest.raises(icm.InputError, match="--mock -3: 0"):
        typed("alice", "data", "x", "x.parquet", "--mock", "-3")


def test_the_word_add_may_be_said(typed, tmp_path):
    typed("alice", "init", "alice")
    path, home = str(tmp_path / "x.parquet"), ("--home", str(tmp_path / "alice"))
    pd.DataFrame({"x": [1, 2, 3]}).to_parquet(path)
    given = CliRunner().invoke(app, ["data", "add", "numbers", path, *home, "--json"])
    assert [one["name"] for one in json.loads(given.output)] == ["numbers"]
    given = CliRunner().invoke(app, ["model", "add", "skin", *home])
    assert isinstance(given.exception, icm.InputError)
    assert "icm model skin: which file" in str(given.exception)


def test_an_organisation_does_not_serve_as_a_dealer(typed):
    typed("alice", "init", "alice")
    with pytest.raises(icm.InstanceError, match="no dealer"):
        typed("alice", "serve", "--dealer")


@pytest.fixture
def asked(typed, tmp_path):
    """The ledger of Alice's numbers, in which one question is."""
    typed("alice", "init", "alice")
    folder = tmp_path / "alice" / "ledger" / "alice.numbers"
    AnswerLedger("alice.numbers", folder, "alice", "s").record(
        b"d" * 32, Question((Mean("alice.numbers", "x"),), "bob"), 3, ()
    )
    return folder / "alice.jsonl"


def test_what_was_asked_of_an_own_dataset(typed, asked):
    for name in ("numbers", "alice.numbers"):
        assert "what was asked of alice.numbers" in typed("alice", "audit", name)
        (one,) = json.loads(typed("alice", "audit", name, "--json"))
        assert (one["ledgers"], one["rows"], one["digest"]) == (["alice"], 3, "64646464")


def test_ledgers_are_verified_with_the_log(typed, asked, tmp_path):
    typed_verify = ["audit", "--home", str(tmp_path / "alice"), "verify", "--json"]
    given = CliRunner().invoke(app, typed_verify)
    first = json.loads(given.output)[0]
    assert (first["what"], first["outcome"]) == ("ledger of alice.numbers", "ok")
    assert given.exit_code == 0
    asked.write_bytes(asked.read_bytes().replace(b'"rows":3', b'"rows":4'))
    given = CliRunner().invoke(app, typed_verify)
    assert json.loads(given.output)[0]["outcome"] == "failed"
    assert given.exit_code == 1


def test_only_a_peers_heads_are_forgotten(typed):
    typed("alice", "init", "alice")
    with pytest.raises(icm.InputError, match="--forget nobody"):
        typed("alice", "audit", "verify", "--forget", "nobody")
    with pytest.raises(icm.InputError, match="--forget is of icm audit verify"):
        typed("alice", "audit", "--forget", "bob")


def test_what_was_done_is_said_to_machines(typed, tmp_path):
    made = json.loads(typed("alice", "init", "alice", "--listen", "127.0.0.1:0", "--json"))
    assert (made["name"], made["kind"], len(made["fingerprint"])) == ("alice", "organisation", 64)
    typed("bob", "init", "bob", "--dial-only")
    with Instance(tmp_path / "alice") as alice:
        file = tmp_path / "alice" / "icm.toml"
        file.write_text(file.read_text().replace('"127.0.0.1:0"', f'"127.0.0.1:{alice.port}"'))
        out = json.loads(typed("alice", "invite", "bob", "--json"))
        joined = json.loads(typed("bob", "join", out["ticket"], "--json"))
        assert out["guest"] == "bob"
        assert (joined["name"], joined["state"]) == ("alice", "joined")
        assert joined["six_words"] in typed("alice", "peers")


@pytest.mark.parametrize(
    "words", ["demo", "bench", "predict", "policy check", "init", "serve", "audit", "data", "approve"]
)
def test_help_has_an_example(words):
    given = CliRunner().invoke(app, [*words.split(), "--help"], env={"COLUMNS": "200"})
    assert f"Example: icm {words}" in given.output
