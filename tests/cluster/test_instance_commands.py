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
from icm_ray.instance.tickets import Ticket


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
    assert not (tmp_path / "other").exists()


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
