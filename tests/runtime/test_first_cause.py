"""The first cause, out of what several saw."""

import pytest

from icm_ray.errors import Desynchronised, FaultError, PeerLost, PeerSilent
from icm_ray.names import DEALER, DRIVER
from icm_ray.runtime.driver.first_cause import Evidence, first_cause


def lost(party: str, **where) -> PeerLost:
    return PeerLost(f"{party}: the connection ended", party=party, **where)


def test_what_the_driver_sees_gets_place_and_step_from_who_waited():
    seen = [Evidence(DRIVER, lost("bob")), Evidence("alice", lost("bob", partition=3, step="7"))]
    for order in (seen, seen[::-1]):
        error = first_cause(order, DRIVER, 9, "run")
        assert (type(error), error.party, error.partition, error.step) == (PeerLost, "bob", 3, "7")


def test_the_drivers_own_evidence_comes_before_hearsay():
    seen = [Evidence("alice", lost("charlie", partition=1, step="2")), Evidence(DRIVER, lost("bob"))]
    error = first_cause(seen, DRIVER, 1, "run")
    assert (error.party, error.partition, error.step) == ("bob", 1, "run")


def test_hearsay_is_believed_where_there_is_nothing_else():
    silent = PeerSilent("bob: nothing arrived for 10 s", party="bob", partition=1, step="4")
    error = first_cause([Evidence("alice", silent)], DRIVER, 1, "run")
    assert (type(error), error.party, error.step) == (PeerSilent, "bob", "4")


def test_a_dead_process_explains_a_silent_one():
    seen = [Evidence(DRIVER, PeerSilent("alice: silent", party="alice")), Evidence(DRIVER, lost("bob"))]
    assert first_cause(seen, DRIVER, None, "open").party == "bob"


def test_why_a_worker_ended_is_said_beside_its_broken_link():
    seen = [Evidence(DRIVER, lost("bob")), Evidence("alice", lost("bob", partition=3, step="7"))]
    ended = {"alice": "it was ended by bob's end", "bob": "Ray ended it"}
    error = first_cause(seen, DRIVER, 9, "run", ended)
    assert str(error) == "bob: the connection ended: Ray ended it"
    assert (error.party, error.partition, error.step) == ("bob", 3, "7")


def test_why_a_worker_ended_is_said_once():
    seen = [Evidence(DRIVER, PeerLost("bob: Ray ended it", party="bob"))]
    assert str(first_cause(seen, DRIVER, None, "run", {"bob": "Ray ended it"})) == "bob: Ray ended it"


@pytest.mark.parametrize("kind", [Desynchronised, FaultError])
def test_other_faults_keep_their_type(kind):
    error = first_cause([Evidence("alice", kind("bad frame", party="bob", step="2"))], DRIVER, 5, "run")
    assert (type(error), error.party, error.partition, error.step) == (kind, "bob", 5, "run")


def test_the_organisation_is_named_whose_worker_bears_another_name():
    lost = PeerLost("dealer: the connection ended", party=DEALER)
    error = first_cause([Evidence(DRIVER, lost)], DRIVER, 1, "run", {}, {DEALER: "carol"})
    assert (error.party, error.where["organisation"]) == (DEALER, "carol")
    assert str(error) == "carol (dealer): dealer: the connection ended"
