"""First requests about what a peer offers while it is away: from what was heard of it before, by whatever process."""

from __future__ import annotations

import pytest

import icm_ray as icm
from icm_ray.instance.canonical import in_words
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.messages import Datasets, Forward, ListDatasets, Offers, Remembered
from icm_ray.instance.offer import offer
from icm_ray.instance.remembered import Memory
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.settings import Settings
from tests.instance.conftest import meet, rows
from tests.instance.test_requests import LATER

POLICY = icm.Policy(min_rows=5)


class Fay:
    """One whom all know, and who comes and goes."""

    def __init__(self, home, organisations):
        self.home, self.path = home, home.parent / "fay.parquet"
        found(home, Settings("fay", "organisation", "127.0.0.1:0", spare_workers=0))
        self.come()
        for name in ("alice", "carol"):
            meet(self.instance, organisations[name][1])
        rows(5).to_parquet(self.path)
        self.put()

    def put(self, policy=POLICY, requests=("alice",)):
        offer(self.instance.catalogue, "visits", [str(self.path)], policy, (), requests)

    def come(self):
        self.instance = Instance(self.home)

    def go(self):
        self.instance.close()

    def back(self, alice):
        """At another port, as the test's are."""
        self.come()
        known = alice.roster.peers["fay"]
        alice.roster.add(Peer("fay", known.certificate, known.kind, (("127.0.0.1", self.instance.port),), "approved"))

    def request(self, handle):
        return next(one for one in self.instance.requests.all if one.job == handle.id)


@pytest.fixture(scope="module")
def fay(organisations, tmp_path_factory):
    organisations["alice"][1]._answers._outbox._fresh = 0.0  # what is decided is heard at once
    made = Fay(tmp_path_factory.mktemp("fay") / "fay", organisations)
    yield made
    made.go()


def old(session):
    visits = session.peer("fay")["visits"]
    return visits[visits["age"] >= 65]["cost"].mean()


def test_what_was_never_heard_of_cannot_be_requested(organisations, fay):
    home, alice = organisations["alice"]
    fay.go()
    with icm.connect(home) as session, pytest.raises(icm.FaultError, match=r"fay.*never heard here") as refused:
        old(session)
    assert refused.value.party == "fay"
    fay.back(alice)


ASKED = {
    "rows that are chosen": old,
    "rows of two owners": lambda session: session.frame({"alice": "visits", "fay": "visits"})["cost"].sum(),
    "groups": lambda session: session.peer("fay")["visits"].groupby("ward", domain={"ward": ["A", "B"]})["age"].sum(),
    "shares": lambda session: session.peer("fay")["visits"][["age"]].share()["age"].sum(),
}


def test_first_requests_wait_for_a_peer_who_is_away(organisations, fay):
    home, alice = organisations["alice"]
    with icm.connect(home) as session:
        assert session.peer("fay")["visits"].columns == ("age", "cost", "ward")
    fay.go()
    with icm.connect(home) as session:  # another process: what was heard is on disk
        assert "visits" in session.peer("fay")
        asked = {name: ask(session) for name, ask in ASKED.items()}
        assert "400 of fay" in asked["rows that are chosen"].explain()
        with pytest.raises(icm.FaultError, match="fay"):
            asked["groups"].reveal()
        handles = {name: query.request(reason="cost study") for name, query in asked.items()}
        assert {handle.status for handle in handles.values()} == {"queued"}
        fay.back(alice)
        assert {name: handle.status for name, handle in handles.items()} == dict.fromkeys(handles, "waiting")
    told = in_words(fay.request(handles["rows that are chosen"]).canonical)
    assert "mean of cost" in told
    assert "400 of fay" in told


CHANGED = {
    "the policy": lambda fay: fay.put(icm.Policy(min_rows=7)),
    "rows": lambda fay: (rows(5, 300).to_parquet(fay.path), fay.put()),
    "a column": lambda fay: (rows(5).rename(columns={"ward": "unit"}).to_parquet(fay.path), fay.put()),
    "whose it is": lambda fay: fay.put(requests=()),
}


@pytest.mark.parametrize(
    "what",
    ["the policy", "a column", *(pytest.param(what, marks=pytest.mark.slow) for what in ("rows", "whose it is"))],
)
def test_a_request_on_what_has_changed_since_is_refused_in_words(organisations, fay, what):
    home, alice = organisations["alice"]
    with icm.connect(home) as session:
        try:
            assert len(session.peer("fay")) == 1
            fay.go()
            handle = old(session).request(reason="as it was")
            assert handle.status == "queued"
            CHANGED[what](fay)
            fay.back(alice)
            assert handle.status == "denied"
            with pytest.raises(icm.PolicyError, match=r"has changed; take it from fay|offers alice no dataset"):
                handle.result()
        finally:
            rows(5).to_parquet(fay.path)
            fay.put()
        assert old(session).request(reason="anew").status == "waiting"


def test_what_one_offered_is_not_what_another_of_its_name_does(tmp_path):
    one, other = (InstanceKey.create("bob", tmp_path / name).certificate for name in ("one", "other"))
    memory, roster = Memory(tmp_path), Roster(tmp_path)
    roster.add(Peer("bob", one, state="approved"))
    memory.keep(roster.approved("bob"), Datasets((), ()))
    memory.keep(roster.approved("bob"), Offers(()))
    assert memory.of(roster.approved("bob")) == Remembered(Datasets((), ()), Offers(()))
    assert roster.repin("bob", one, other)  # the same one, with a new key
    assert memory.of(roster.approved("bob")) == Remembered(Datasets((), ()), Offers(()))
    roster.set_state("bob", "revoked")
    roster.add(Peer("bob", InstanceKey.create("bob", tmp_path / "third").certificate, state="approved"))
    assert memory.of(roster.approved("bob")) == Remembered()


@pytest.mark.slow
def test_it_is_answered_when_all_are_there(organisations, alice, monkeypatch):
    """What was requested of what catalogues say is what workers then derive of the rows."""
    bob = organisations["bob"][1]
    path = organisations["bob"][0].parent / "trips.parquet"
    rows(6).to_parquet(path)
    offer(bob.catalogue, "trips", [str(path)], POLICY, (), ("alice",))
    organisations["alice"][1]._answers._outbox._fresh = 0.0
    with monkeypatch.context() as away:
        away.setattr(alice, "_engine", gone)
        trips = alice.peer("bob")["trips"]
        query = trips[trips["age"] >= 65]["cost"].mean()
        shared = trips[["age"]].share()["age"].sum()
        handles = [query.request(), shared.request(), (trips["cost"] * 2).median().request()]
    for handle in handles:
        assert handle.status == "waiting"
        number = next(one.number for one in bob.requests.all if one.job == handle.id)
        bob.requests.approve(number, 9, LATER)
    table = rows(6)
    wanted = pytest.approx(table[table["age"] >= 65]["cost"].mean(), rel=1e-12)
    assert handles[0].result() == wanted
    assert alice.job(handles[0].id).result() == wanted
    tries = []
    with monkeypatch.context() as away:
        away.setattr(alice, "_engine", lambda *_: tries.append("once") or gone())
        with pytest.raises(icm.PeerLost):
            alice.job(handles[0].id).result()
    assert tries == ["once"], "a result is not tried twice"
    assert handles[1].result() == table["age"].sum()
    assert handles[2].result() == (table["cost"] * 2).median()
    bob.catalogue.remove("trips")


def gone(*_):
    raise icm.PeerLost("bob is gone", party="bob", step="ask")


def test_who_is_there_is_heard_whatever_is_remembered(tmp_path):
    memory, peer = Memory(tmp_path), Peer("bob", b"certificate", state="approved")
    memory.keep(peer, Datasets((), ()))
    (path,) = (tmp_path / "remembered").glob("*.json")
    path.write_text("{")
    with pytest.raises(icm.InstanceError):
        memory.of(peer)
    memory.keep(peer, Datasets((), ()))
    assert memory.of(peer) == Remembered(Datasets((), ()), None)
    newer = '{"kind":"list of what a peer offers","version":99,"body":{}}'
    path.write_text(newer)
    with pytest.raises(icm.InstanceError):
        memory.keep(peer, Datasets((), ()))
    assert path.read_text() == newer


def test_what_cannot_be_kept_is_answered(organisations, monkeypatch):
    def full(*_):
        raise icm.InstanceError("no space is left")

    alice = organisations["alice"][1]
    monkeypatch.setattr(alice._answers._memory, "keep", full)
    assert isinstance(alice._answers.to_user(Forward("bob", ListDatasets())), Datasets)
