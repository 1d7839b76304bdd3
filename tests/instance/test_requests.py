"""Questions that a person approves: exactly those, for that asker, so often, until then, whatever the driver says."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import time

import msgspec
import pytest
from typer.testing import CliRunner

import icm_ray as icm
from cluster.cli.main import app
from icm_ray.instance.canonical import canonical
from icm_ray.instance.granting import Granting
from icm_ray.instance.jobs import AskRequest, Decided, Job, Jobs, Outbox, OwnerState, RequestApproval
from icm_ray.instance.offer import offer
from icm_ray.instance.requests import Requests
from icm_ray.instance.usage import DayCount
from icm_ray.query.question import decode_asked, encode_asked
from icm_ray.query.row_set import Earlier
from icm_ray.runtime.orders.house import MayRun
from tests.instance.conftest import rows

LATER = 4e9


@pytest.fixture(scope="module")
def studies(organisations, alice):
    """Bob's dataset that alice may request questions of, and his folder."""
    organisations["alice"][1]._answers._outbox._fresh = 0.0  # what is decided is heard at once
    folder, bob = organisations["bob"]
    path = folder.parent / "studies.parquet"
    rows(2).to_parquet(path)

    def put():
        offer(bob.catalogue, "studies", [str(path)], icm.Policy(min_rows=5), (), ("alice",))

    put()
    yield alice.peer("bob")["studies"], bob, put
    bob.catalogue.remove("studies")


def invoked(home, *words):
    result = CliRunner().invoke(app, [words[0], "--home", str(home), *words[1:]])
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def number_of(bob, handle):
    return next(one.number for one in bob.requests.all if one.job == handle.id)


def test_a_question_waits_for_a_person_and_runs_so_often(studies, organisations):
    frame, bob, _ = studies
    home = organisations["bob"][0]
    query = frame[frame["age"] >= 65]["cost"].mean()
    with pytest.raises(icm.PolicyError, match="nobody approved this question"):
        query.reveal()
    handle = query.request(reason="cost study \x1b[2J")
    assert handle.status == "waiting"
    with pytest.raises(icm.InstanceError, match="not approved yet by bob"):
        handle.result(timeout=0)
    number = number_of(bob, handle)
    (listed,) = [one for one in json.loads(invoked(home, "requests", "--json")) if one["number"] == number]
    assert (listed["asker"], listed["state"], listed["datasets"]) == ("alice", "waiting", ["studies"])
    told = invoked(home, "show", str(number))
    for word in ("mean of cost", "age >= 65", "to: alice alone", "at least 5 rows", "400 of bob"):
        assert word in told
    assert "\x1b" not in told
    invoked(home, "approve", str(number), "--times", "2", "--until", "2090-01-01")
    wanted = rows(2)
    wanted = pytest.approx(wanted[wanted["age"] >= 65]["cost"].mean(), rel=1e-12)
    assert handle.status == "approved"
    assert handle.result() == wanted
    assert bob.requests.of(number).used == 1
    assert handle._look().owners[0].left == 1


def test_a_driver_comes_back_and_no_use_is_left_then(studies, organisations, alice):
    """The job is on disk: found by its id, it asks the same question in other names of the session."""
    _, bob, _ = studies
    known = [job for job in Jobs(organisations["alice"][0]).all if ("bob", "studies") in job.datasets.values()]
    (job,) = [job for job in known if job.state == "approved"]
    handle = alice.job(job.id)
    wanted = rows(2)
    assert handle.result() == pytest.approx(wanted[wanted["age"] >= 65]["cost"].mean(), rel=1e-12)
    number = number_of(bob, handle)
    assert bob.requests.of(number).used == 2
    assert handle.status == "used up"
    assert "used up" in repr(handle)
    with pytest.raises(icm.PolicyError, match="was approved 2 times, and was asked so often"):
        handle.result()
    with pytest.raises(icm.InstanceError, match="no job"):
        alice.job("../../etc/passwd")
    assert bob.requests.of(number).used == 2
    listed = json.loads(invoked(organisations["alice"][0], "jobs", "--json"))
    assert [one["state"] for one in listed if one["id"] == job.id] == ["used up"]
    assert [one["owners"] for one in listed if one["id"] == job.id] == [["bob: used up"]]


@pytest.fixture(scope="module")
def approved(studies):
    """A question that is approved, as the worker would tell its instance: of it, tests make lies."""
    frame, bob, _ = studies
    handle = frame["cost"].sum().request()
    number = number_of(bob, handle)
    bob.requests.approve(number, 1000, LATER)
    (name,) = handle._job.datasets
    return bob, number, MayRun("question", handle._job.question, ("studies",), {name: "studies"}, handle._job.parties)


def told(bob, call, asker="alice"):
    return bob._answers.to_worker(asker, call)


def test_where_the_log_has_no_room_no_use_is_taken_and_no_request_kept(approved, studies, monkeypatch):
    bob, number, call = approved
    frame, full = studies[0], DayCount(1)
    full.add("alice")
    with monkeypatch.context() as patched:
        patched.setattr(bob._answers._audit, "counts", full)
        before, kept = bob.requests.of(number).used, len(bob.requests.all)
        with pytest.raises(icm.PolicyError, match="alice has filled 1 entries of its log today"):
            told(bob, call)
        assert bob.requests.of(number).used == before
        handle = frame[frame["age"] >= 71]["cost"].mean().request()
        assert handle.status == "queued"
        assert len(bob.requests.all) == kept
    assert handle.status == "waiting"


def changed(call, change):
    return msgspec.structs.replace(call, asked=encode_asked(change(decode_asked(call.asked))))


def other_statistic(asked):
    one = msgspec.structs.replace(asked.what.statistics[0], column="age")
    return msgspec.structs.replace(asked, what=msgspec.structs.replace(asked.what, statistics=(one,)))


def other_recipient(asked):
    return msgspec.structs.replace(asked, what=msgspec.structs.replace(asked.what, to="bob"))


def other_policy(asked):
    weak = msgspec.structs.replace(asked.facts[0].policy, min_rows=3)
    return msgspec.structs.replace(asked, facts=(msgspec.structs.replace(asked.facts[0], policy=weak),))


def other_rows(asked):
    table = msgspec.structs.replace(asked.facts[0].tables[0], rows=(399,))
    return msgspec.structs.replace(asked, facts=(msgspec.structs.replace(asked.facts[0], tables=(table,)),))


@pytest.mark.parametrize("change", [other_statistic, other_recipient, other_policy, other_rows])
def test_an_altered_question_is_another_one(approved, change):
    bob, number, call = approved
    before = bob.requests.of(number).used
    with pytest.raises(icm.PolicyError):
        told(bob, changed(call, change))
    assert bob.requests.of(number).used == before
    assert told(bob, call).counted
    assert bob.requests.of(number).used == before + 1


def test_an_approval_is_for_its_asker_its_dataset_and_its_parties(approved, organisations):
    bob, _, call = approved
    with pytest.raises(icm.PolicyError, match="offers mallory no dataset"):
        told(bob, call, "mallory")
    granting = Granting("bob", bob.requests)
    with pytest.raises(icm.PolicyError, match="nobody approved"):
        granting.grant("mallory", call, {"studies": "x"})
    (name,) = call.names
    with pytest.raises(icm.PolicyError, match="nobody approved"):
        told(bob, msgspec.structs.replace(call, parties=("alice", "bob", "mallory")))
    held = bob.catalogue.datasets["studies"]
    bob.catalogue.put(
        msgspec.structs.replace(held, public=msgspec.structs.replace(held.public, name="others"), version="1")
    )
    try:
        with pytest.raises(icm.PolicyError, match="nobody approved"):
            told(bob, msgspec.structs.replace(call, datasets=("others",), names={name: "others"}))
    finally:
        bob.catalogue.remove("others")


def test_a_stage_that_runs_again_is_another_use(approved):
    """Also in lanes of one session that differ in their numbers alone; stages of one run are one use."""
    bob, number, call = approved
    before = bob.requests.of(number).used

    def run(**facts):
        told(bob, msgspec.structs.replace(call, session="s" * 16, **facts))
        return bob.requests.of(number).used - before

    assert [run(stage=0), run(stage=1), run(stage=2)] == [1, 1, 1]
    assert [run(stage=2), run(stage=2, lane=1), run(stage=0)] == [2, 3, 3]

    def in_another_lane(asked):
        table = msgspec.structs.replace(asked.facts[0].tables[0], lanes=(7,))
        return msgspec.structs.replace(asked, facts=(msgspec.structs.replace(asked.facts[0], tables=(table,)),))

    told(bob, changed(msgspec.structs.replace(call, session="s" * 16), in_another_lane))
    assert bob.requests.of(number).used - before == 4


def later_told(asked):
    """Once it is known what others asked."""
    earlier = (Earlier(asked.facts[0].source, ()),)
    return msgspec.structs.replace(asked, what=msgspec.structs.replace(asked.what, earlier=earlier))


def test_a_job_that_did_not_begin_leaves_its_place_in_the_use(approved):
    """... for the same question alone, also once it says what others asked meanwhile; what ran leaves none."""
    bob, number, call = approved
    call = msgspec.structs.replace(call, session="b" * 16)
    again, before = changed(call, later_told), bob.requests.of(number).used

    def used(call, **facts):
        told(bob, msgspec.structs.replace(call, **facts))
        return bob.requests.of(number).used - before

    assert used(call) == 1
    for elsewhere in ({"session": "c" * 16}, {"stage": 1}):
        assert used(call, back=True, **elsewhere) == 1
    told(bob, msgspec.structs.replace(call, back=True), "mallory")
    assert used(call) == 2, "nobody gave it back"
    assert used(call, back=True) == 2
    assert [used(again), used(again, stage=1)] == [2, 2]
    assert [used(call, back=True), used(again)] == [2, 2], "and the one before"
    assert used(again) == 3
    assert [used(again, back=True), used(again, session="c" * 16)] == [3, 4], "another session has none of it"


def test_a_dataset_that_is_offered_anew_ends_approvals(approved, studies):
    bob, _, call = approved
    studies[2]()
    with pytest.raises(icm.PolicyError, match="nobody approved"):
        told(bob, call)


def test_a_denial_names_the_organisation(studies, organisations):
    frame, bob, _ = studies
    handle = frame["age"].sum().request(reason="?")
    invoked(organisations["bob"][0], "deny", str(number_of(bob, handle)), "ages are not studied")
    with pytest.raises(icm.PolicyError, match="bob denied the request: ages are not studied") as denied:
        handle.result()
    assert denied.value.where["party"] == "bob"
    (name,) = handle._job.datasets
    with pytest.raises(icm.PolicyError, match="denied: ages are not studied"):
        told(bob, MayRun("question", handle._job.question, ("studies",), {name: "studies"}, handle._job.parties))


def test_what_cannot_be_requested(studies, alice):
    frame, bob, _ = studies
    with pytest.raises(icm.InputError, match="reason"):
        frame["age"].sum().request(reason="x" * 1001)
    with pytest.raises(icm.PolicyError):
        frame["age"].max().request()
    with pytest.raises(icm.PolicyError):
        frame[["age"]].share()["age"].max().request()
    handle = alice.frame({"alice": "visits", "bob": "visits"})["cost"].mean().request()
    assert handle.status == "approved"  # all of it stands open
    with pytest.raises(icm.PolicyError):
        bob._answers.to_peer("alice", RequestApproval("0" * 16, b"\x90", {"x": "studies"}, ("alice", "bob"), ""))
    with pytest.raises(icm.InstanceError, match="no such request"):
        bob._answers.to_peer("alice", AskRequest("0" * 16, 1))


# --- the files alone --------------------------------------------------------------------------------------------


@pytest.fixture
def question(approved):
    _, _, call = approved
    return canonical(call.asked, "bob", call.names, call.parties, {"studies": "1"})


def test_two_who_race_for_the_last_use(tmp_path, question):
    kept = Requests(tmp_path)
    number = kept.add("alice", "1" * 16, question, "").number
    kept.approve(number, 3, LATER)

    def use(_):
        try:
            return Requests(tmp_path).use("alice", question).used
        except icm.PolicyError:
            return 0

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(use, range(8))) == [0, 0, 0, 0, 0, 1, 2, 3]
    assert (tmp_path / "requests" / f"{number}.json").stat().st_mode & 0o777 == 0o600


def test_a_use_is_written_before_it_is_granted(tmp_path, question, monkeypatch):
    """A restart between count and run, and a disk that is full: never more uses than were approved."""
    number = Requests(tmp_path).add("alice", "1" * 16, question, "").number
    Requests(tmp_path).approve(number, 1, LATER)
    Requests(tmp_path).use("alice", question)
    with pytest.raises(icm.PolicyError, match="asked so often"):
        Requests(tmp_path).use("alice", question)  # restarted
    Requests(tmp_path).approve(number, 1, LATER)

    def full(*_):
        raise icm.InstanceError("no space left")

    with monkeypatch.context() as patched:
        patched.setattr("icm_ray.instance.requests.write", full)
        with pytest.raises(icm.InstanceError):
            Requests(tmp_path).use("alice", question)
    assert Requests(tmp_path).use("alice", question).used == 1


def test_an_approval_expires(tmp_path, question):
    now = [1000.0]
    kept = Requests(tmp_path, lambda: now[0])
    number = kept.add("alice", "1" * 16, question, "").number
    with pytest.raises(icm.PolicyError, match="not approved yet"):
        kept.use("alice", question)
    kept.approve(number, 5, 2000.0)
    now[0] = 1999.0
    kept.use("alice", question)
    now[0] = 2000.0
    with pytest.raises(icm.PolicyError, match="has expired"):
        kept.use("alice", question)
    for times, until in ((1, 1500.0), (0, LATER), (10**9, LATER)):
        with pytest.raises(icm.InputError):
            kept.approve(number, times, until)


def test_requests_are_bounded_and_numbers_are_never_used_again(tmp_path, question, monkeypatch):
    monkeypatch.setattr("icm_ray.instance.requests._OPEN", 2)
    monkeypatch.setattr("icm_ray.instance.requests._KEPT", 3)
    kept = Requests(tmp_path)
    assert [kept.add("alice", str(job) * 16, question, "").number for job in (1, 2, 1)] == [1, 2, 1]
    with pytest.raises(icm.InstanceError, match="wait already"):
        kept.add("alice", "3" * 16, question, "")
    assert kept.add("bob", "3" * 16, question, "").number == 3
    kept.deny(1, "")
    kept.deny(2, "")
    assert [kept.add("alice", str(job) * 16, question, "").number for job in (4, 5)] == [4, 5]
    assert [one.number for one in kept.all] == [2, 3, 4, 5]


def test_an_outbox_delivers_when_the_peer_is_back(tmp_path):
    away, said = True, []

    def ask(owner, call, _):
        if away:
            raise icm.FaultError("gone", party=owner)
        said.append((owner, type(call).__name__))
        return Decided(3, "waiting" if isinstance(call, RequestApproval) else "approved", left=1, until=time() + 60)

    jobs = Jobs(tmp_path)
    outbox = Outbox(jobs, ask, Event(), fresh=0.0)
    asked = {"dataset-1": ("bob", "visits"), "dataset-2": ("dora", "visits"), "dataset-3": ("alice", "visits")}
    job = jobs.add(Job("0" * 16, "mean", b"", asked, ("alice", "bob", "dora"), "", True), "alice")
    assert outbox.look(job.id).state == "queued"
    away = False
    assert outbox.look(job.id).state == "waiting"
    assert Jobs(tmp_path).of(job.id).owners[0].number == 3
    assert outbox.look(job.id).state == "approved"
    assert said == [(owner, kind) for kind in ("RequestApproval", "AskRequest") for owner in ("bob", "dora")]


def test_a_refusal_that_passes_is_no_denial(tmp_path):
    refusals = [icm.InstanceError("too many calls"), icm.PolicyError("it is described otherwise")]

    def ask(owner, call, _):
        raise refusals.pop(0)

    jobs = Jobs(tmp_path)
    outbox = Outbox(jobs, ask, Event(), fresh=0.0)
    job = jobs.add(Job("0" * 16, "mean", b"", {"dataset-1": ("bob", "visits")}, ("alice", "bob"), "", True), "alice")
    assert outbox.look(job.id).state == "queued"
    assert outbox.look(job.id).state == "denied"
    assert outbox.look(job.id).owners[0].said == "it is described otherwise"


def test_owners_are_asked_once_however_often_users_look(tmp_path):
    said = []

    def ask(owner, call, _):
        said.append(call)
        return Decided(3, "waiting")

    jobs = Jobs(tmp_path)
    outbox = Outbox(jobs, ask, Event(), fresh=3600.0)
    job = jobs.add(Job("0" * 16, "mean", b"", {"dataset-1": ("bob", "visits")}, ("alice", "bob"), "", True), "alice")
    assert {outbox.look(job.id).state for _ in range(5)} == {"waiting"}
    assert len(said) == 1


def test_what_is_left_of_approvals_is_said():
    now = 1000.0
    left = {
        "used up": OwnerState("bob", "approved", 3, left=0, until=2000.0),
        "expired": OwnerState("bob", "approved", 3, left=2, until=1000.0),
        "approved": OwnerState("bob", "approved", 3, left=2, until=2000.0),
        "waiting": OwnerState("bob", "waiting", 3),
    }
    stands = OwnerState("dora", "approved", left=-1)
    for condition, one in left.items():
        job = Job("1" * 16, "mean", b"", {}, (), "", True, owners=(stands, one))
        assert (one.condition(now), job.condition(now)) == (condition, condition)
