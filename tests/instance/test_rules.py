"""Rules that approve requests by themselves: exactly what a person has seen, for whom, so often, until then."""

from __future__ import annotations

import json
from contextlib import suppress
from time import time

import pytest
from msgspec.structs import replace

import icm_ray as icm
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.catalogue import Catalogue, HeldDataset, PublicDataset
from icm_ray.instance.doctor import examine
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.prediction_form import AskedPrediction, form_of
from icm_ray.instance.requests import Requests
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.rule_check import check_rules
from icm_ray.instance.settings import Settings
from icm_ray.query.expressions.tree import apply, literal
from icm_ray.query.question import encode_asked
from icm_ray.query.selection import Selection
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.tasks import ColumnInfo, ParquetSource
from icm_ray.runtime.orders.house import MayRun
from icm_ray.transport import Identity
from tests.instance.asked import NAME, requested
from tests.instance.test_ranges import registry, table  # noqa: F401 - a fixture
from tests.instance.test_requests import LATER, invoked, number_of

PARAMS = ["age=60..70"]


@pytest.fixture
def kept(tmp_path):
    """Alice's requests; the first one of bob is approved by a rule: ages from 60 to 70, three times."""
    requested(tmp_path, 1, "costs of the old")
    requests = Requests(tmp_path)
    requests.approve_by_rule("old", 1, 3, LATER, PARAMS)
    return requests


def form(kept, number=1):
    return kept.of(number).canonical


def asks(kept, question, asker="bob", job="f" * 16):
    """What becomes of a request that comes in."""
    number = kept.add(asker, job, question, "").number
    kept.settle(number)
    return kept.of(number)


def with_age(question, node):
    old = Selection(NAME, apply("greater_equal", ("age", node)))
    what = replace(question.asked.what, statistics=(Mean(old.name, "cost"),), selections=(old,))
    return replace(question, asked=replace(question.asked, what=what))


def of_what(question, **changes):
    return replace(question, asked=replace(question.asked, what=replace(question.asked.what, **changes)))


def with_facts(question, **changes):
    (facts,) = question.asked.facts
    return replace(question, asked=replace(question.asked, facts=(replace(facts, **changes),)))


def test_what_is_within_a_rule_is_approved_and_counted_together(kept, tmp_path):
    first = form(kept)
    same, other = asks(kept, first), asks(kept, with_age(first, literal(70)), job="e" * 16)
    for one in (kept.of(1), same, other):
        assert (one.state, one.rule, one.left_open, one.left(time())) == ("approved", "old", "age from 60 to 70", 3)
    assert kept.use("bob", first).used == 1
    assert Requests(tmp_path).use("bob", other.canonical).used == 2  # another process
    assert kept.use("bob", with_age(first, literal(61))).used == 3
    for question in (first, other.canonical, with_age(first, literal(62))):
        with pytest.raises(icm.PolicyError, match="was approved 3 times, and was asked so often"):
            Requests(tmp_path).use("bob", question)
    assert asks(kept, with_age(first, literal(63)), job="d" * 16).state == "waiting"
    assert oct((tmp_path / "rules.toml").stat().st_mode)[-3:] == "600"


LIES = {
    "a value beyond": lambda one: with_age(one, literal(59)),
    "another kind of number": lambda one: with_age(one, literal(65.0)),
    "a text": lambda one: with_age(one, literal("65")),
    "another column": lambda one: of_what(one, statistics=(replace(one.asked.what.statistics[0], column="age"),)),
    "one statistic more": lambda one: of_what(
        one, statistics=(*one.asked.what.statistics, replace(one.asked.what.statistics[0], column="age"))
    ),
    "no filter": lambda one: of_what(one, statistics=(Mean(NAME, "cost"),), selections=()),
    "another recipient": lambda one: of_what(one, to="alice"),
    "parties": lambda one: replace(one, parties=("bob", "alice", "mallory")),
    "their order": lambda one: replace(one, parties=("alice", "bob")),
    "offered anew under the name": lambda one: replace(one, versions=(("visits", "2"),)),
    "another dataset": lambda one: replace(one, versions=(("labs", "1"),)),
    "a dataset more": lambda one: replace(one, versions=(("labs", "1"), ("visits", "1"))),
    "a weaker policy": lambda one: with_facts(one, policy=replace(one.asked.facts[0].policy, min_rows=3)),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_is_outside_waits_for_a_person(kept, lie):
    question = LIES[lie](form(kept))
    assert asks(kept, question).state == "waiting"
    with pytest.raises(icm.PolicyError):
        kept.use("bob", question)
    assert kept.rules.used("old") == 0
    assert asks(kept, form(kept), job="e" * 16).state == "approved"


def test_what_follows_is_part_of_a_rule(kept):
    assert asks(kept, replace(form(kept), follows=form(kept).asked)).state == "waiting"


def test_a_rule_is_for_its_peers(kept, tmp_path):
    first = form(kept)
    of_dora = replace(of_what(first, to="dora"), parties=("dora", "alice"))
    for question in (first, of_dora):
        assert asks(kept, question, "dora", question.digest[:16]).state == "waiting"
        with pytest.raises(icm.PolicyError):
            kept.use("dora", question)
    path = tmp_path / "rules.toml"
    path.write_text(path.read_text().replace('peers = ["bob"]', 'peers = ["bob", "dora"]  # since today'))
    assert asks(kept, first, "dora", first.digest[:16]).state == "waiting"  # bob's results, by bob's worker
    assert asks(kept, of_dora, "dora", of_dora.digest[:16]).state == "approved"
    assert kept.use("dora", of_dora).used == 1
    assert kept.use("bob", first).used == 2
    with pytest.raises(icm.PolicyError):
        kept.use("dora", with_age(first, literal(66)))


def test_it_ends_with_its_moment_and_with_the_file(tmp_path):
    now = [1000.0]
    requested(tmp_path, 1, "")
    kept = Requests(tmp_path, lambda: now[0])
    kept.approve_by_rule("old", 1, 9, 2000.0)
    first, path = form(kept), tmp_path / "rules.toml"
    now[0] = 1999.0
    kept.use("bob", first)
    now[0] = 2000.0
    with pytest.raises(icm.PolicyError, match="has expired"):
        kept.use("bob", first)
    assert asks(kept, first).state == "waiting"
    path.write_text(path.read_text().replace("until = 1970-01-01T00:33:20Z", "until = 1970-01-02"))
    assert kept.use("bob", first).used == 2
    path.write_text(path.read_text().replace("times = 9", "times = 2"))
    assert kept.of(1).condition(now[0]) == "used up"
    path.write_text("")
    assert kept.of(1).state == "waiting"
    with pytest.raises(icm.PolicyError, match="not approved yet"):
        kept.use("bob", first)
    kept.approve(1, 1, 3000.0)  # a person's decision needs no rule
    assert (kept.use("bob", first).used, kept.of(1).rule) == (1, "")


def test_another_question_under_the_name_approves_nothing_of_before(kept, tmp_path):
    path, first = tmp_path / "rules.toml", form(kept)
    number = asks(kept, with_age(first, literal(20))).number
    path.write_text(path.read_text().replace(kept.of(1).digest, kept.of(number).digest).replace("60..70", "20..30"))
    assert kept.of(1).state == "waiting"
    with pytest.raises(icm.PolicyError):
        kept.use("bob", first)
    kept.settle(number)
    assert kept.of(number).rule == "old"
    (tmp_path / "requests" / f"{number}.json").unlink()  # the question stays beside the rules
    assert Requests(tmp_path).rules.find("old").covers("bob", with_age(first, literal(30)))


def test_what_a_person_denied_no_rule_approves(kept, monkeypatch):
    monkeypatch.setattr("icm_ray.instance.requests._KEPT", 5)
    first = form(kept)
    denied = with_age(first, literal(66))
    number = asks(kept, denied).number
    kept.deny(number, "not that one")
    for job in range(20):  # more than are kept: what a rule approves goes first
        asks(kept, first, job=f"{job:016d}")
    assert kept.of(number).state == "denied"
    with pytest.raises(icm.PolicyError, match="denied: not that one"):
        kept.use("bob", denied)
    assert asks(kept, denied, job="c" * 16).state == "waiting"
    with pytest.raises(icm.PolicyError):
        kept.use("bob", denied)
    assert len(kept.all) == 5


def test_nobody_pushes_a_denial_out(kept, monkeypatch):
    monkeypatch.setattr("icm_ray.instance.requests._KEPT", 5)
    monkeypatch.setattr("icm_ray.instance.requests._OPEN", 9)
    denied = with_age(form(kept), literal(66))
    number = asks(kept, denied).number
    kept.deny(number, "not that one")
    for job in range(20):
        with suppress(icm.InstanceError):  # more than are kept
            asks(kept, denied, job=f"{job + 100:016d}")
    assert len(kept.all) == 5
    monkeypatch.setattr("icm_ray.instance.requests._OPEN", 2)
    with pytest.raises(icm.InstanceError, match="wait already"):
        asks(kept, denied, job="b" * 16)
    assert kept.of(number).state == "denied"
    with pytest.raises(icm.PolicyError, match="not approved yet"):
        kept.use("bob", denied)


def test_the_last_that_a_person_decided_counts(kept, monkeypatch):
    """... of equal requests: a denial ends what a rule approved, a rule that is written later approves again."""
    moments = iter(range(1, 100))
    monkeypatch.setattr(kept, "_clock", lambda: time() + next(moments))
    question = with_age(form(kept), literal(66))
    first, second = asks(kept, question), asks(kept, question, job="e" * 16)
    assert second.rule == "old"
    taken = kept.use("bob", question)
    kept.deny(first.number, "not that one")
    assert not kept.stands(taken)
    assert kept.standing(taken, question, {}) is None
    with pytest.raises(icm.PolicyError):
        kept.use("bob", question)
    third = asks(kept, question, job="d" * 16)
    assert third.state == "waiting"
    kept.approve_by_rule("now", third.number, 2, LATER)
    assert asks(kept, question, job="c" * 16).state == "approved"
    assert kept.use("bob", question).rule in ("old", "now")


def test_many_waiting_ones_hinder_no_rule(kept, monkeypatch):
    monkeypatch.setattr("icm_ray.instance.requests._OPEN", 1)
    asks(kept, LIES["no filter"](form(kept)))
    with pytest.raises(icm.InstanceError, match="wait already"):
        asks(kept, LIES["another column"](form(kept)), job="e" * 16)
    assert asks(kept, form(kept), job="d" * 16).state == "approved"


def test_images_are_part_of_a_rule(tmp_path):
    asked = AskedPrediction("alice", "bob", "a" * 32, "label", 5)
    question = form_of("alice", "model", ("mole", "1"), "a" * 32, asked, "bob", ("bob", "alice"))
    kept = Requests(tmp_path)
    kept.add("bob", "1" * 16, question, "")
    kept.approve_by_rule("labels", 1, 2, LATER)
    for number, (changed, state) in enumerate(
        (
            ({"images": 4}, "approved"),
            ({"images": 6}, "waiting"),
            ({"output": "logits"}, "waiting"),
            ({"graph": "b" * 32}, "waiting"),
            ({"to": "dora"}, "waiting"),
            ({"versions": (("mole", "2"),)}, "waiting"),
        )
    ):
        assert asks(kept, replace(question, **changed), job=f"{number:016d}").state == state
    more = asks(kept, replace(question, images=900), job="e" * 16)
    with pytest.raises(icm.InputError, match="another number of images"):
        kept.approve_by_rule("many", more.number, 2, LATER)
    rule = kept.rules.find("labels")
    assert rule.kept.canonical.images == 5
    told = "prediction of label by alice's model mole on images of bob's, 5 at most with each use; to: bob alone"
    assert rule.in_words == told
    (tmp_path / "rules" / f"{question.digest}.json").unlink()  # as where the rule was written by hand
    with pytest.raises(icm.InstanceError, match="other numbers of images"):
        Requests(tmp_path).rules.find("labels")


# --- the file -----------------------------------------------------------------------------------------------------


def test_what_is_written_by_hand_stays(kept, tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(path.read_text() + "\n# mine\n")
    requested(tmp_path, 2, "", age=30)
    kept.approve_by_rule("young", 2, 1, LATER)
    text = path.read_text()
    assert text.index("# mine") < text.index('name = "young"')
    for words in ("# Request 1 of bob:", "mean of cost", "age >= 65", 'params = ["age=60..70"]'):
        assert words in text
    with pytest.raises(icm.InputError, match="there is one of that name"):
        kept.approve_by_rule("old", 2, 1, LATER)
    for name in ("", "x\ny", "a" * 65, '"'):
        with pytest.raises(icm.InputError, match="--rule"):
            kept.approve_by_rule(name, 2, 1, LATER)
    assert path.read_text() == text


def test_an_askers_words_write_no_rule(kept, tmp_path):
    """Comments hold the question in words, literals of the asker's among them."""
    evil = 'A"\n[[approve]]\r\nname = "all"\u2028[[approve]]\x1b\x7f\x00'
    ward = ColumnInfo("ward", "string", nullable=False)
    question = with_facts(form(kept), columns=(*form(kept).asked.facts[0].columns, ward))
    north = Selection(NAME, apply("equal", ("ward", literal(evil))))
    question = of_what(question, statistics=(Mean(north.name, "cost"),), selections=(north,))
    number = kept.add("bob", "b" * 16, question, "").number
    kept.approve_by_rule("north", number, 1, LATER)
    assert [rule.name for rule in Requests(tmp_path).rules.all] == ["old", "north"]
    assert "\x1b" not in (tmp_path / "rules.toml").read_text()


WRONG = {
    "no TOML": ("[[approve]", "line 1"),
    "a newer one": ("version = 2", "newer icm-ray"),
    "a version of another kind": ("version = true", "version = True"),
    "one bracket": ("[approve]\nname = 'x'", "two brackets"),
    "another table": ("[allow]\nx = 1", "allow"),
    "no name": ("[[approve]]\ntimes = 1", "rule number 1.*name"),
    "an unknown field": ("{rule}\neverything = true", "rule 'x'.*everything"),
    "times of another kind": ("{rule}\ntimes = '3'", "rule 'x'.*times"),
    "no times": ("{rule}", "rule 'x'.*times"),
    "none at all": ("{rule}\ntimes = 0", "rule 'x': times has to be a whole number >= 1"),
    "no moment": ("{rule}\ntimes = 1\nuntil = 'soon'", "rule 'x': until soon: a date"),
    "a number as moment": ("{rule}\ntimes = 1\nuntil = 3", "rule 'x'.*until"),
    "peers in no list": ("{rule}\ntimes = 1\nuntil = 2090-01-01\npeers = 'bob'", "peers"),
    "nobody": ("{rule}\ntimes = 1\nuntil = 2090-01-01\npeers = []", "rule 'x'.*peers"),
    "another dataset": ("{rule}\ntimes = 1\nuntil = 2090-01-01\ndatasets = ['labs']", "reads visits, and not labs"),
    "an unknown question": (
        "{rule}\ntimes = 1\nuntil = 2090-01-01\nquestion = '{other}'",
        "no request of that question",
    ),
    "no digest": ("{rule}\ntimes = 1\nuntil = 2090-01-01\nquestion = 'mean of cost'", "rule 'x'.*question"),
    "no parameter": ("{rule}\ntimes = 1\nuntil = 2090-01-01\nparams = ['year=1..2']", "rule 'x': --params year=1..2"),
    "two of a name": ("{rule}\ntimes = 1\nuntil = 2090-01-01\n{rule}\ntimes = 1\nuntil = 2090-01-01", "two rules"),
}
FIELDS = {"name": "'x'", "peers": "['bob']", "datasets": "['visits']", "question": "'{digest}'"}


def written(text, digest):
    """A text of `WRONG`, where {rule} is a table without what is stated after it."""
    own = "\n".join(f"{name} = {value}" for name, value in FIELDS.items() if f"\n{name} = " not in text)
    text = text.replace("{rule}", f"[[approve]]\n{own}")
    return text.replace("{digest}", digest).replace("{other}", "0" * 64)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_file_that_cannot_be_is_refused_in_words(tmp_path, wrong):
    text, reason = WRONG[wrong]
    (tmp_path / "rules.toml").write_text(written(text, requested(tmp_path, 1, "").digest))
    with pytest.raises(icm.InstanceError, match=f"(?s)rules.toml: .*{reason}"):
        check_rules(tmp_path)
    with pytest.raises(icm.InstanceError, match=r"rules\.toml"):
        Requests(tmp_path).settle(1)


def test_by_hand_from_a_request_that_is_here(tmp_path):
    digest = requested(tmp_path, 1, "").digest
    text = written("version = 1\n{rule}\ntimes = 2\nuntil = 2090-01-01T12:00:00\nparams = ['age=65..66']", digest)
    (tmp_path / "rules.toml").write_text(text)
    kept = Requests(tmp_path)
    assert kept.settle(1).rule == "x"
    assert kept.use("bob", with_age(form(kept), literal(66))).used == 1


def test_a_rule_about_nothing_sleeps_and_one_for_nobody_keeps_an_instance_from_starting(tmp_path):
    folder = tmp_path / "alice"
    found(folder, Settings("alice", listen="127.0.0.1:0", spare_workers=0))
    one = requested(folder, 1, "")
    Requests(folder).approve_by_rule("old", 1, 3, LATER)

    def told():
        return next(one for one in examine(folder, True) if one.what == "rules")

    with pytest.raises(icm.InstanceError, match="rule 'old': 'bob' is no peer"):
        Instance(folder)
    assert told().outcome == "failed"
    assert "'bob' is no peer" in told().said
    Roster(folder).add(Peer("bob", Identity.create("bob").certificate))
    with Instance(folder) as instance:  # of what was removed it approves nothing
        asked = encode_asked(one.canonical.asked)
        with pytest.raises(icm.PolicyError, match="offers bob no dataset 'visits'"):
            instance._answers.to_worker(
                "bob", MayRun("question", asked, ("visits",), {NAME: "visits"}, ("bob", "alice"))
            )
    assert (told().outcome, "old (asleep: 'visits' is not offered here)" in told().said) == ("warning", True)
    (listed,) = json.loads(invoked(folder, "rules", "--json"))
    assert listed["state"] == "asleep: 'visits' is not offered here"
    public = PublicDataset("visits", (), 1200, icm.Policy(name="visits"))
    Catalogue(folder).put(HeldDataset(public, ParquetSource(("/rows.parquet",)), version="1"))
    assert told().outcome == "warning"  # the dataset is another one than that of the request
    with Instance(folder):
        pass
    assert "old: mean of cost where age >= 65, of 1200 rows of alice; to: bob alone" in invoked(folder, "rules")
    (listed,) = json.loads(invoked(folder, "rules", "--json"))
    assert (listed["question"], listed["state"], listed["used"]) == (one.digest, "offered anew since", "0 of 3")


# --- between instances ----------------------------------------------------------------------------------------------


def test_the_second_study_waits_for_nobody(registry, organisations):  # noqa: F811 - the fixture
    frame, bob = registry
    home, rows = organisations["bob"][0], table()

    def query(year):
        return frame[frame["year"] >= year]["cost"].mean()

    number = number_of(bob, query(2020).request())
    words = ("approve", str(number), "--times", "2", "--until", "2090-01-01", "--params", "year=2018..2022")
    assert "rule yearly cost approves it" in " ".join(invoked(home, *words, "--rule", "yearly cost").split())
    later = query(2021).request(reason="the next year")
    assert later.status == "approved"
    assert later.result() == pytest.approx(rows[rows["year"] >= 2021]["cost"].mean(), rel=1e-12)
    outside = query(2023).request()
    assert outside.status == "waiting"
    with pytest.raises(icm.PolicyError, match="not approved yet"):
        query(2023).reveal()
    second = number_of(bob, later)
    assert "approved by rule yearly cost" in invoked(home, "show", str(second))
    listed = {one["number"]: one["state"] for one in json.loads(invoked(home, "requests", "--json"))}
    assert (listed[second], listed[number_of(bob, outside)]) == ("approved, by rule yearly cost", "waiting")
    log = [entry for entry in AuditLog(home).entries() if entry.facts.get("rule") == "yearly cost"]
    assert [(entry.who, entry.what) for entry in log] == [
        ("bob", "approved request"),
        ("bob", "approved request"),
        ("alice", "question"),
    ]
    assert [entry.facts.get("by") for entry in log[:2]] == [None, None]
    (home / "rules.toml").unlink()
    assert later.status == "waiting"
    with pytest.raises(icm.PolicyError):
        query(2022).reveal()
