"""Status, check and doctor: what is right is said to be, and what is wrong is said with its remedy."""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass
from importlib.metadata import version
from threading import Thread
from time import time

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

import icm_ray as icm
from cluster.cli.main import app
from icm_ray.instance import doctor
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.canonical import Canonical
from icm_ray.instance.check import check_peer, judge_clock, judge_versions
from icm_ray.instance.doctor import examine
from icm_ray.instance.doorkeeper import USER
from icm_ray.instance.found import found
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.messages import Ping, Pong
from icm_ray.instance.models import ModelShelf, OfferedModel
from icm_ray.instance.requests import Requests
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.settings import Settings
from icm_ray.instance.status import Taken
from icm_ray.runtime.orders.house import PredictionFacts, UseModel
from icm_ray.transport import Identity


@dataclass
class Said:
    code: int
    found: object


@pytest.fixture
def typed(organisations):
    def run(who, *words):
        folder = organisations[who][0]
        given = CliRunner().invoke(app, [words[0], "--home", str(folder), *words[1:]], env={"COLUMNS": "200"})
        if given.exception is not None and not isinstance(given.exception, SystemExit):
            raise given.exception
        return Said(given.exit_code, msgspec.json.decode(given.output) if "--json" in words else given.output)

    return run


def by_what(findings):
    return {one.what: one for one in findings}


# --- status -------------------------------------------------------------------------------------------------------


def test_status_of_one_that_serves(typed, alice):
    assert alice.peer("bob")["visits"]["cost"].count().reveal() == 400  # a lane stands
    said = typed("bob", "status", "--json")
    assert said.code == 0
    found = said.found
    assert (found["name"], found["kind"], found["release"]) == ("bob", "organisation", version("icm-ray"))
    assert 0 < time() - found["since"] < 3600
    peers = {peer["name"]: peer for peer in found["peers"]}
    alices = peers["alice"]
    assert (alices["kind"], alices["state"], alices["linked"]) == ("organisation", "approved", True)
    assert alices["hours"] > 0
    assert 1 <= alices["taken"]["questions"] <= 1000
    assert 0 <= alices["taken"]["calls"] <= 50
    assert 1 <= alices["taken"]["log_entries"] <= found["limits"]["log_entries"]
    assert alices["taken"]["refusals"] == 0
    assert peers["alice"]["workers"] == len([lane for lane in found["lanes"] if lane["asker"] == "alice"]) > 0
    assert {"name": "visits", "rows": 400, "standing": ["alice"]} in found["datasets"]
    assert found["limits"]["workers"] == 8
    shown = typed("bob", "status").found
    assert all(word in shown for word in ("serves at", "alice", "of 8", "visits", "workers in lanes"))
    assert all(word in shown for word in ("what they take", "of 96", "of 50", "of 1000"))


def test_status_says_what_is_used_of_quotas_and_who_waits(tmp_path):
    found(tmp_path, Settings("alice"))
    Roster(tmp_path).add(Peer("bob", Identity.create("bob").certificate, state="approved"))
    shelf = ModelShelf(tmp_path)
    held = shelf.offer(OfferedModel("skin", b"", error=0.1), b"weights", {"bob": 100}, ("bob",))
    shelf.use(held, UseModel("skin", held.weights, PredictionFacts("alice", "bob", "label", 30)), "alice")
    Requests(tmp_path).add("bob", "1" * 16, Canonical((), ("alice", "bob"), ()), "")
    given = CliRunner().invoke(app, ["status", "--home", str(tmp_path), "--json"])
    (bob,) = msgspec.json.decode(given.output)["peers"]
    assert bob["quotas"] == [{"model": "skin", "used": 30, "quota": 100}]
    assert bob["waiting"] == 1
    shown = CliRunner().invoke(app, ["status", "--home", str(tmp_path)], env={"COLUMNS": "200"}).output
    assert "skin 30 of 100" in shown


def test_what_a_peer_takes_of_a_conversation_is_counted(organisations):
    alice, bob = (organisations[name][1] for name in ("alice", "bob"))
    for _ in range(5):
        bob.ask("alice", Ping(), 10.0)
    assert 1 <= alice._taken("bob").calls <= 50
    assert alice._taken("bob").working == 0
    assert alice._taken("nobody") == Taken()


def test_links_of_this_user_do_not_share_what_peers_may_take(organisations, alice):
    """... so that a peer who does not answer one process keeps no other one waiting."""
    serving = organisations["alice"][1]
    assert USER in serving._conversations
    assert USER not in serving._rates
    assert "bob" in serving._rates


def test_status_of_one_that_does_not_serve(organisations, tmp_path):
    folder = tmp_path / "bob"
    shutil.copytree(organisations["bob"][0], folder)
    (folder / "serving.json").unlink()
    given = CliRunner().invoke(app, ["status", "--home", str(folder)], env={"COLUMNS": "200"})
    assert given.exit_code == 1
    assert "does not serve" in given.output
    assert "visits" in given.output


# --- check --------------------------------------------------------------------------------------------------------

ALL = ["roster", "name", "TCP", "TLS", "round trip", "versions", "clock", "message sizes", "bandwidth"]


def test_the_way_to_a_peer_that_listens(typed):
    said = typed("bob", "check", "alice", "--json")
    assert [one["what"] for one in said.found] == ALL
    assert said.code == 0, said.found
    assert all(one["outcome"] in {"ok", "warning"} for one in said.found)
    assert typed("bob", "status", "--json").code == 0


def test_the_way_to_a_peer_that_dials(typed):
    said = typed("alice", "check", "bob")
    assert said.code == 0, said.found
    assert "bob keeps a link open" in said.found
    assert "bandwidth" in said.found


def test_who_is_no_peer(typed):
    with pytest.raises(icm.InstanceError, match="not in the roster"):
        typed("alice", "check", "mallory")


@pytest.fixture
def checked(organisations):
    """What `bob` finds of an alice that he knows otherwise than she is."""
    instance = organisations["bob"][1]
    known = instance.roster.peers["alice"]

    def run(through=None, **changed):
        return by_what(check_peer(instance.settings, instance.key, replace(known, **changed), through))

    return run


@pytest.fixture
def closed():
    """A port at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_wrong_port(checked, closed):
    found = checked(addresses=(("127.0.0.1", closed),))
    assert found["TCP"].outcome == "failed"
    assert "nothing listens there" in found["TCP"].said
    assert "icm serve there" in found["TCP"].remedy
    assert "TLS" not in found


def test_a_port_of_something_else(checked):
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(10)

        def hang_up():
            for _ in range(2):
                other.accept()[0].close()

        thread = Thread(target=hang_up)
        thread.start()
        found = checked(addresses=(("127.0.0.1", other.getsockname()[1]),))
        thread.join()
    assert found["TLS"].outcome == "failed"
    assert "somebody else is at this address" in found["TLS"].remedy


def test_a_name_that_nobody_has(checked):
    found = checked(addresses=(("no such host", 7800),))
    assert found["name"].outcome == "failed"
    assert "advertise" in found["name"].remedy


def test_another_certificate_than_is_pinned(checked):
    found = checked(certificate=Identity.create("alice").certificate)
    assert found["TLS"].outcome == "failed"
    assert "compare the six words" in found["TLS"].remedy
    assert "round trip" not in found


def test_one_who_is_not_approved_there(organisations, tmp_path):
    bob = organisations["bob"][1]
    key = InstanceKey.create("mallory", tmp_path)
    alice = bob.roster.peers["alice"]
    found = by_what(check_peer(replace(bob.settings, name="mallory"), key, alice, None))
    assert found["TLS"].outcome == "failed"
    assert "icm peers --approve mallory there" in found["TLS"].remedy


@pytest.mark.parametrize(("state", "remedy"), [("joined", "six words"), ("revoked", "icm invite alice")])
def test_one_who_is_not_approved_here(checked, state, remedy):
    found = checked(state=state)
    assert list(found) == ["roster"]
    assert found["roster"].outcome == "failed"
    assert remedy in found["roster"].remedy


def test_nobody_can_dial(checked):
    assert checked(addresses=())["own instance"].remedy == "icm serve"

    def away(_, __):
        raise icm.PeerLost("alice is not connected", party="alice")

    assert "has to run icm serve" in checked(away, addresses=())["link"].remedy


def test_what_a_peer_answers_is_judged(checked):
    """... whatever it says."""

    def answering(**changed):
        def through(call, _):
            assert isinstance(call, Ping)
            said = {"clock": time(), "padding": call.padding, "release": version("icm-ray"), "version": 1} | changed
            return Pong("alice", **said)

        return checked(through, addresses=())

    assert answering()["clock"].outcome == "ok"
    late = answering(clock=time() - 4000)["clock"]
    assert (late.outcome, late.remedy) == ("failed", "set both clocks by NTP: timedatectl set-ntp true")
    assert "behind" in late.said
    assert answering(padding=b"other")["message sizes"].outcome == "failed"
    assert answering(release="99.0.0")["versions"].remedy.endswith("update icm-ray on this side")
    assert answering(version=2)["versions"].outcome == "failed"


def test_large_messages_that_do_not_pass(checked):
    def through(call, _):
        if len(call.padding) > 1500:
            raise icm.PeerSilent("nothing came", party="alice")
        return Pong("alice", 1, version("icm-ray"), time(), call.padding)

    found = checked(through, addresses=())["message sizes"]
    assert found.outcome == "failed"
    assert "MTU" in found.remedy


def test_verdicts():
    assert [judge_clock("bob", apart).outcome for apart in (0, -20, 400)] == ["ok", "warning", "failed"]
    assert judge_versions("bob", "0.0.1", 1).remedy.endswith("on bob")
    assert judge_versions("bob", "strange", 1).outcome == "warning"


# --- doctor -------------------------------------------------------------------------------------------------------


def test_doctor_of_one_that_serves(typed):
    said = typed("alice", "doctor", "--json")
    found = {one["what"]: one for one in said.found}
    assert said.code == 0, [one for one in said.found if one["outcome"] == "failed"]
    assert found["port"]["said"].startswith("icm serve has")
    for what in ("folder", "file modes", "key", "certificate dates", "audit log", "disk", "clock", "numba", "Ray"):
        assert what in found
    assert "0600" in typed("alice", "doctor").found


@pytest.fixture
def copy(organisations, tmp_path):
    """The folder of alice's, not served."""
    folder = tmp_path / "alice"
    shutil.copytree(organisations["alice"][0], folder)
    folder.chmod(0o700)
    return folder


def test_files_that_others_may_read(copy):
    (copy / "roster.json").chmod(0o640)
    found = by_what(examine(copy, False))
    assert found["file modes"].outcome == "failed"
    assert "roster.json" in found["file modes"].said
    assert found["file modes"].remedy.startswith("chmod -R go=")
    assert "key" not in found["file modes"].remedy
    (copy / "key.pem").chmod(0o644)
    copy.chmod(0o755)
    found = by_what(examine(copy, False))
    assert "do not rotate" in found["file modes"].remedy
    assert "--revoke" in found["file modes"].remedy
    assert "do not rotate" in found["key"].said
    assert found["folder"].outcome == "failed"
    assert found["key"].outcome == "failed"


def test_files_that_are_damaged_or_gone(copy):
    (copy / "catalogue.json").write_text("{")
    path = copy / "audit.jsonl"
    path.write_bytes(path.read_bytes().replace(b"serving", b"sleeping", 1))
    (copy / "certificate.der").write_bytes(b"none")
    found = by_what(examine(copy, False))
    assert {what for what, one in found.items() if one.outcome == "failed"} == {
        "roster and catalogue",
        "audit log",
        "key",
    }


def test_rows_that_are_gone(copy, organisations):
    held = organisations["alice"][1].catalogue.datasets["visits"]
    catalogue = (copy / "catalogue.json").read_text()
    (copy / "catalogue.json").write_text(catalogue.replace(held.source.paths[0], "/nowhere.parquet"))
    assert "visits" in by_what(examine(copy, False))["datasets' files"].said


def test_ports_that_are_taken(copy):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        settings = (copy / "icm.toml").read_text().replace('"127.0.0.1:0"', f'"127.0.0.1:{port}"')
        (copy / "icm.toml").write_text(settings.replace("worker_ports = [0,0]", f"worker_ports = [{port},{port}]"))
        found = by_what(examine(copy, False))
    assert found["port"].outcome == found["workers' ports"].outcome == "failed"
    assert "it is taken" in found["port"].said
    assert found["workers' ports"].said.startswith("0 of 1")


def test_a_clock_that_is_behind_its_own_log(copy, monkeypatch):
    from icm_ray.instance import audit

    class Later(audit.datetime):
        @classmethod
        def now(cls, tz=None):
            return audit.datetime(2999, 1, 1, tzinfo=tz)

    with monkeypatch.context() as patched:
        patched.setattr(audit, "datetime", Later)
        AuditLog(copy).add("alice", "serving")
    assert by_what(examine(copy, False))["clock"].outcome == "failed"


def test_a_cluster_needs_ray(copy, monkeypatch):
    path = copy / "icm.toml"
    text = path.read_text().replace('carrier = "processes"', 'carrier = "ray"')
    path.write_text(text.replace('workers_bind = "127.0.0.1"', 'workers_bind = ""'))
    found = by_what(examine(copy, False))
    assert found["Ray"].outcome == "ok"
    assert found["workers' ports"].outcome == "skipped"
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    assert by_what(examine(copy, False))["Ray"].outcome == "failed"


def test_no_instance_at_all(tmp_path):
    found = by_what(examine(tmp_path / "nowhere", False))
    assert found["icm.toml"].outcome == "failed"
    assert "icm init" in found["icm.toml"].remedy
    assert "disk" in found
