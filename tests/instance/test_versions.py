"""What an instance keeps states the version of its form: without one it is of the first, newer ones are refused."""

from __future__ import annotations

import hashlib
import json

import pytest
from typer.testing import CliRunner

import icm_ray as icm
from cluster.cli.main import app
from icm_ray.instance.audit import AuditLog, chained
from icm_ray.instance.doctor import examine
from icm_ray.instance.found import found
from icm_ray.instance.roster import Roster
from icm_ray.instance.settings import Settings, read_settings
from icm_ray.query.question import Question
from icm_ray.query.statistics.mean import Mean
from icm_ray.runtime.worker.answer_ledger import AnswerLedger, read_entries

NEWER = r"newer icm-ray \(version 2, this one reads 1\): update icm-ray here"


@pytest.fixture
def home(tmp_path):
    found(tmp_path, Settings("alice"))
    return tmp_path


def restated(path, version, hashed, **more):
    """Put the last line's entry as of a version, None: of before there were any; its hash is right."""
    *others, last = path.read_bytes().splitlines(keepends=True)
    entry = {**json.loads(last)["entry"], **more}
    assert entry.pop("version") == 1
    if version is not None:
        entry["version"] = version
    payload = json.dumps(entry, separators=(",", ":")).encode()
    line = b'{"entry":' + payload + b',"hash":"' + hashed(entry["previous"], payload).encode() + b'"}\n'
    path.write_bytes(b"".join([*others, line]))


def of_log(previous, payload):
    return chained(previous, hashlib.sha256(payload).digest())


def of_ledger(previous, payload):
    return hashlib.sha256(payload).hexdigest()


def test_settings_state_theirs(home):
    path = home / "icm.toml"
    text = path.read_text()
    assert "\nversion = 1\n" in text
    path.write_text(text.replace("version = 1\n", ""))
    assert read_settings(home).name == "alice"
    path.write_text(text.replace("version = 1\n", "version = 2\nneed = true\n"))
    with pytest.raises(icm.InstanceError, match=NEWER):
        read_settings(home)
    for none in ("0", "true", '"1"'):
        path.write_text(text.replace("version = 1\n", f"version = {none}\n"))
        with pytest.raises(icm.InstanceError, match=r"version = .*: it is 1"):
            read_settings(home)


def test_the_log_goes_on_from_entries_without_one(home):
    log, path = AuditLog(home), home / "audit.jsonl"
    for number in range(3):
        log.add("alice", "serving")
        if number < 2:
            restated(path, None, of_log)
    assert ["version" in json.loads(line)["entry"] for line in path.read_text().splitlines()] == [False, False, True]
    assert [entry.version for entry in log.entries()] == [1, 1, 1]
    path.write_bytes(path.read_bytes().replace(b',"version":1', b""))
    with pytest.raises(icm.InstanceError, match="line 3 was changed"):  # the chain covers it
        log.entries()


@pytest.mark.parametrize("more", [{}, {"station": "north"}])
def test_a_newer_log_is_refused_in_words(home, more):
    log, path = AuditLog(home), home / "audit.jsonl"
    log.add("alice", "serving")
    log.add("alice", "serving")
    restated(path, 2, of_log, **more)
    before = path.read_bytes()
    for act in (log.entries, log.head, lambda: log.add("alice", "serving")):
        with pytest.raises(icm.InstanceError, match=f"line.*: written by a {NEWER}"):
            act()
    assert path.read_bytes() == before
    (said,) = [one for one in examine(home, True) if one.what == "audit log"]
    assert (said.outcome, said.remedy) == ("failed", "update icm-ray here")


def test_the_roster_states_its(home):
    (home / "roster.json").write_text('{"kind":"roster","version":2,"body":{}}')
    with pytest.raises(icm.InstanceError, match="version 2"):
        _ = Roster(home).peers
    (said,) = [one for one in examine(home, True) if one.what == "roster and catalogue"]
    assert said.remedy == "update icm-ray here"


@pytest.mark.parametrize("more", [{}, {"station": "north"}])
def test_ledgers_state_theirs(home, more):
    folder = home / "ledger" / "alice.visits"
    question, path = Question((Mean("visits", "age"),), "bob"), folder / "alice.jsonl"
    AnswerLedger("visits", folder, "alice", "one").record(b"one", question, 100, ())
    restated(path, None, of_ledger)
    AnswerLedger("visits", folder, "alice", "two").record(b"two", question, 100, ())
    assert [(entry.number, entry.version) for entry in read_entries(path)[0]] == [(0, 1), (1, 1)]
    restated(path, 2, of_ledger, **more)
    for act in (lambda: AnswerLedger("visits", folder, "alice"), lambda: read_entries(path)):
        with pytest.raises(icm.SessionError, match=f"line 2: written by a {NEWER}"):
            act()
    invoked = CliRunner().invoke(app, ["audit", "verify", "--home", str(home), "--json"], env={"ICM_LEDGER": None})
    (said,) = [one for one in json.loads(invoked.stdout.splitlines()[0]) if one["what"].startswith("ledger")]
    assert (said["outcome"], said["remedy"]) == ("failed", "update icm-ray here")
