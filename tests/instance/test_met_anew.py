"""What was given to a peer was given to its key: whoever is met by its name with another one inherits nothing."""

from __future__ import annotations

import json
from time import time

import pytest

import icm_ray as icm
from icm_ray.instance.asked_before import asked_before
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.decisions import Decisions
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.jobs import AskRequest, Decided
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.messages import ListDatasets, ListOffers
from icm_ray.instance.models import ModelShelf
from icm_ray.instance.offer import offer
from icm_ray.instance.pictures import HeldPictures, OfferedPictures, PictureShelf
from icm_ray.instance.requests import Requests
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.settings import Settings
from icm_ray.runtime.orders.house import PredictionFacts, UseModel
from tests.instance.asked import requested
from tests.instance.conftest import rows
from tests.instance.test_asked_before import predicted
from tests.instance.test_models import made
from tests.instance.test_requests import LATER, invoked


@pytest.fixture
def keys(tmp_path):
    return [InstanceKey.create("bob", tmp_path / name).certificate for name in ("one", "signed", "other")]


@pytest.fixture
def home(tmp_path, keys):
    """Alice's, who has met bob, and given him this and that."""
    home = tmp_path / "alice"
    found(home, Settings("alice", listen="127.0.0.1:0", spare_workers=0))
    Roster(home).add(Peer("bob", keys[0], state="approved"))
    path = tmp_path / "visits.parquet"
    rows(1, 40).to_parquet(path)
    offer(Catalogue(home), "visits", [str(path)], icm.Policy(min_rows=5), ("bob",), ("dora",))
    ModelShelf(home).offer(*made("skin", 3), {"bob": 100}, ("bob",), ("bob",))
    PictureShelf(home).put(HeldPictures(OfferedPictures("lesions", 3), ("/tmp/none",), requests=("bob",)))
    return home


def met_anew(home, certificate):
    Roster(home).set_state("bob", "revoked")
    Roster(home).add(Peer("bob", certificate, state="approved"))


def given(home):
    """To bob, as the instance has it: whether he is answered, has a quota, may request."""
    visits, skin = Catalogue(home).datasets["visits"], ModelShelf(home).models["skin"]
    lesions = PictureShelf(home).pictures["lesions"]
    return visits.standing, skin.quotas, skin.standing, skin.requests, lesions.requests


ALL = ("bob",), {"bob": 100}, ("bob",), ("bob",), ("bob",)
NOTHING = (), {}, (), (), ()


def test_what_is_offered_sleeps_for_another_of_the_name(home, keys):
    assert given(home) == ALL
    assert Roster(home).repin("bob", keys[0], keys[1])
    assert given(home) == ALL, "a key that his key has signed is his"
    met_anew(home, keys[2])
    assert given(home) == NOTHING
    assert Catalogue(home).datasets["visits"].requests == ("dora",), "whom nobody has met yet"
    assert Catalogue(home).asleep == {"visits": ("bob",)}
    met_anew(home, keys[1])
    assert given(home) != ALL, "whose chain of keys was not shown again"
    met_anew(home, keys[0])
    assert given(home) == ALL
    met_anew(home, keys[2])
    ModelShelf(home).offer(*made("skin", 3), {"bob": 5})
    assert ModelShelf(home).models["skin"].quotas == {"bob": 5}
    assert Catalogue(home).datasets["visits"].standing == ()


def test_an_instance_offers_it_nothing(home, keys):
    with Instance(home) as alice:
        assert [one.name for one in alice._answers.to_peer("bob", ListDatasets()).datasets] == ["visits"]
        assert [one.name for one in alice._answers.to_peer("bob", ListOffers()).models] == ["skin"]
        met_anew(home, keys[2])
        offered = alice._answers.to_peer("bob", ListDatasets())
        assert (offered.datasets, offered.pictures) == ((), ())
        assert alice._answers.to_peer("bob", ListOffers()).models == ()
    (data, _) = json.loads(invoked(home, "data", "--json"))
    assert (data["answered_at_once"], data["asleep"]) == ([], ["bob"])
    (model,) = json.loads(invoked(home, "model", "--json"))
    assert (model["used"], model["asleep"]) == ([], ["bob"])


def test_approvals_sleep(home, keys):
    one, waiting = requested(home, 1, ""), requested(home, 2, "", age=66)
    kept = Requests(home)
    kept.approve(one.number, 9, LATER)
    used = kept.use("bob", one.canonical)
    assert kept.stands(used)
    met_anew(home, keys[2])
    assert not kept.stands(used)
    assert kept.standing(used, one.canonical, {}) is None
    with pytest.raises(icm.PolicyError, match="nobody approved"):
        kept.use("bob", one.canonical)
    with pytest.raises(icm.InputError, match=r"request 2 is asleep: it is of a bob who was met before"):
        Decisions("alice", home).approve(waiting.number, 1)
    with pytest.raises(icm.InputError, match="is asleep"):
        Decisions("alice", home).approve(waiting.number, 1, rule="all")
    assert {one["state"] for one in json.loads(invoked(home, "requests", "--json"))} == {"asleep"}
    assert "was met anew since" in invoked(home, "show", "2")
    again = requested(home, 1, "")  # his own, of the same name and question
    assert again.number == 3
    assert kept.condition(again, time()) == "waiting"
    with Instance(home) as alice:
        ask = AskRequest(again.job, again.number)
        assert isinstance(alice._answers.to_peer("bob", ask), Decided)
        with pytest.raises(icm.InstanceError, match="no such request"):
            alice._answers.to_peer("bob", AskRequest(one.job, one.number))
    Decisions("alice", home).approve(again.number, 1)
    assert kept.use("bob", one.canonical).number == 3


@pytest.mark.parametrize("how", ["written", "by hand"])
def test_rules_sleep(home, keys, how):
    one = requested(home, 1, "")
    Decisions("alice", home).approve(one.number, 9, rule="old costs")
    kept = Requests(home)
    if how == "by hand":
        (home / "rules_peers.json").unlink()
        Instance(home).close()  # the names are those of whoever has them at its first start
    assert kept.settle(requested(home, 2, "").number) is not None
    met_anew(home, keys[2])
    assert kept.settle(requested(home, 3, "").number) is None
    (rule,) = json.loads(invoked(home, "rules", "--json"))
    assert rule["state"] == "asleep: bob has another key now"


def test_what_was_written_without_identities_is_bound_at_the_first_start(home, keys):
    one = requested(home, 1, "")
    Requests(home).approve(one.number, 9, LATER)
    for name, kind in (("catalogue", "datasets"), ("models", "models"), ("pictures", "pictures")):
        path = home / f"{name}.json"
        body = json.loads(path.read_bytes())
        assert body["body"]["held"][0].pop("identities"), kind
        path.write_text(json.dumps(body))
    path = home / "requests" / "1.json"
    body = json.loads(path.read_bytes())
    assert body["body"].pop("identity")
    path.write_text(json.dumps(body))
    assert given(home) == ALL
    Instance(home).close()
    assert given(home) == ALL
    assert Requests(home).use("bob", one.canonical).number == 1
    met_anew(home, keys[2])
    assert given(home) == NOTHING
    with pytest.raises(icm.PolicyError, match="nobody approved"):
        Requests(home).use("bob", one.canonical)


def test_the_quota_of_another_is_counted_anew(home, keys):
    shelf, path = ModelShelf(home), home / "models_used.json"
    path.write_text('{"kind":"count of predictions","version":1,"body":{"images":{"skin":{"bob":90,"dora":3}}}}')
    shelf.offer(*made("skin", 3), {"bob": 100})
    assert shelf.used("skin") == {"bob": 90, "dora": 3}
    met_anew(home, keys[2])
    shelf.offer(*made("skin", 3), {"bob": 100})
    assert shelf.used("skin") == {"dora": 3}


def test_nor_does_it_inherit_a_count_of_a_model_that_was_offered_to_nobody_meanwhile(home, keys):
    shelf = ModelShelf(home)
    for meanwhile in (lambda: shelf.remove("skin"), lambda: shelf.offer(*made("skin", 3), {})):
        met_anew(home, keys[0])
        shelf.offer(*made("skin", 3), {"bob": 100})
        asked = PredictionFacts("alice", "bob", "label", 7)
        shelf.use(shelf.models["skin"], UseModel("skin", shelf.models["skin"].weights, asked), "alice")
        assert shelf.used("skin") == {"bob": 7}
        meanwhile()
        shelf.offer(*made("skin", 3), {"bob": 100})
        assert shelf.used("skin") == {"bob": 7}, "to offer it anew is no way to more images"
        meanwhile()
        met_anew(home, keys[2])
        shelf.offer(*made("skin", 3), {"bob": 100})
        assert shelf.used("skin") == {}


def test_a_rule_that_was_away_is_for_whom_it_was_before(home, keys):
    one = requested(home, 1, "")
    Decisions("alice", home).approve(one.number, 9, rule="old costs")
    kept, path = Requests(home), home / "rules.toml"
    written = path.read_text()
    for job, cut in ((2, ""), (4, written.replace('["bob"]', '["dora"]'))):
        path.write_text(cut)
        kept.bind()
        met_anew(home, keys[2])
        assert kept.add("bob", "e" * 16, one.canonical, "").state == "waiting"
        kept.bind()
        path.write_text(written)
        kept.bind()
        assert kept.settle(requested(home, job, "").number) is None
        assert kept.rules.for_another(kept.rules.all[0], "bob")
        met_anew(home, keys[0])
        assert kept.settle(requested(home, job + 1, "").number) is not None


def test_no_request_binds_a_rule_to_its_asker(home, keys):
    one = requested(home, 1, "")
    Decisions("alice", home).approve(one.number, 9, rule="old costs")
    (home / "rules_peers.json").unlink()  # as of one that was written by hand
    kept = Requests(home)
    assert kept.settle(requested(home, 2, "").number) is None
    (rule,) = json.loads(invoked(home, "rules", "--json"))
    assert rule["state"] == "asleep: the instance (icm serve) has not read it yet"
    with Instance(home) as alice:
        (home / "rules_peers.json").unlink()
        Roster(home).set_state("bob", "revoked")
        alice.look_again()
        met_anew(home, keys[2])
        assert kept.settle(requested(home, 3, "").number) is None
        met_anew(home, keys[0])
        assert kept.settle(requested(home, 2, "").number) is not None


def test_what_was_decided_for_another_is_not_told_as_its_own(home, keys):
    log, one, two = AuditLog(home), requested(home, 1, ""), requested(home, 2, "")
    kept = Requests(home)
    kept.approve(one.number, 2, LATER)
    kept.approve(two.number, 1, LATER)
    kept.use("bob", one.canonical, two.number)
    told = asked_before(home, "alice", kept.of(1), kept.all)
    assert told.decided[1] == "other requests of bob's here: 1 used up"
    log.add("bob", "predicted", model="skin", images="5")
    log.add("alice", "revoked", peer="bob")
    log.add("bob", "predicted", model="skin", images="3")
    met_anew(home, keys[2])
    told = asked_before(home, "alice", predicted(home, "model"), kept.all)
    assert told.decided == ("other requests of bob's here: 2 asleep",)
    assert told.sources[0].by == {"bob before it was revoked": 5, "bob": 3}
