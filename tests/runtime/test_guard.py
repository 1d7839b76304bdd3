"""What a worker of an instance is told beside a question changes neither whose rows it reads nor who hears it."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

import icm_ray as icm
from icm_ray.query.question import decode_asked, encode_asked
from icm_ray.query.secret_rows import SecretRows
from icm_ray.runtime.orders.origins import FromQuestion
from icm_ray.runtime.worker.guard import Guard, _Opened
from tests.instance.test_granting_of_shares import asked

POLICY = icm.Policy(name="bob.people", min_rows=5)
QUESTION, SHARING = asked("age")


class House:
    asker, parties, members, mine, session = "alice", ("alice", "bob"), (("alice", "bob"), ()), False, "s" * 16

    def __init__(self):
        self.said = None

    def keeps_ledger(self, name):
        return name.startswith("bob.")

    def may(self, kind, asked, names, stage, to, shared, purpose, opened):
        self.said, self.opened = (names, to), opened


@pytest.fixture
def guard():
    """Of bob, who has opened "people", which a person approves, and "open", which stands open."""
    made = Guard("bob", House())
    made._held = {"table-1": _Opened("people", POLICY, "v1"), "table-2": _Opened("open", POLICY, "v1")}
    made._sources = dict(made._held)
    return made


def checked(guard, what, shared=(), purpose=b"", policy=POLICY):
    """Names and recipient, as bob's instance hears them."""
    job = SimpleNamespace(origin=FromQuestion(what, 0, shared, purpose))
    program = SimpleNamespace(nodes=(), types=list)
    guard.check(job, program, {}, decode_asked(what), {"table-1": policy, "table-2": policy})
    return guard._house.said


def to_bob(payload):
    found = decode_asked(payload)
    return encode_asked(replace(found, what=replace(found.what, to="bob")))


def renamed(payload):
    """A dataset that stands open under the name of the one that does not."""
    found = decode_asked(payload)
    (facts,) = (one for one in found.facts if isinstance(one, SecretRows))
    return encode_asked(replace(found, facts=(replace(facts, name="table-1", source="table-2"),)))


def test_what_is_shared_is_for_its_question(guard):
    names = {"table-1": "people", "shares-1": "people"}
    assert checked(guard, SHARING, (SHARING,), QUESTION) == (names, "alice")
    assert checked(guard, QUESTION, (SHARING,)) == (names, "alice")
    assert guard._house.opened == {"people": "v1"}


def test_a_purpose_is_of_sharings_that_it_has(guard):
    for what, shared in ((to_bob(QUESTION), (SHARING,)), (SHARING, ())):
        with pytest.raises(icm.PolicyError, match="for another question"):
            checked(guard, what, shared, QUESTION)
    assert guard._house.said is None


def test_no_dataset_takes_the_name_of_another(guard):
    for shared, purpose in (((SHARING, renamed(QUESTION)), QUESTION), ((SHARING,), renamed(QUESTION))):
        with pytest.raises(icm.PolicyError, match="one name stands for two"):
            checked(guard, SHARING, shared, purpose)
    assert guard._house.said is None


def test_rows_that_this_worker_has_not_opened_are_guarded_by_nothing(guard):
    """In another lane it has, and shares of them may come from there."""
    guard._held, guard._sources = {}, {}
    for what in (QUESTION, SHARING):
        with pytest.raises(icm.PolicyError, match="guarded by a policy, which the asker has not stated"):
            checked(guard, what)
    assert guard._house.said is None


def test_rows_are_read_under_the_policy_of_the_catalogue(guard):
    for what in (QUESTION, SHARING):
        with pytest.raises(icm.PolicyError, match="guarded by a policy, which the asker has not stated"):
            checked(guard, what, policy=replace(POLICY, min_rows=3))
    assert guard._house.said is None


def test_a_dataset_of_the_session_stays_what_it_is(guard):
    guard.check_policy("table-1", POLICY, ("table-1",))
    guard.check_policy("table-1", POLICY, ())
    for policy, tables in ((POLICY, ("table-2",)), (replace(POLICY, min_rows=3), ())):
        with pytest.raises(icm.PolicyError, match="stands for another"):
            guard.check_policy("table-1", policy, tables)
    guard.check_policy("table-3", POLICY, ("table-1",))
    assert guard.catalogued("table-3") == "", "it was not accepted yet"
    guard.belong("table-3", ("table-1",))
    assert guard.catalogued("table-3") == "people v1"


def test_what_is_offered_anew_is_another_dataset(guard):
    """... whose rows and rules are those of when it was taken; the instance hears which."""
    guard._held["table-3"] = _Opened("people", POLICY, "v2")
    with pytest.raises(icm.PolicyError, match="rows of two datasets of its catalogue"):
        guard.check_policy("both", POLICY, ("table-1", "table-3"))
    with pytest.raises(icm.PolicyError, match="stands for another"):
        guard.check_policy("table-1", POLICY, ("table-3",))
    guard._sources["table-2"] = guard._held["table-3"]
    with pytest.raises(icm.PolicyError, match="'people' was offered anew"):
        guard._as_opened(guard._sources)


def test_no_other_rows_have_the_ledger_of_the_catalogue_s(guard):
    with pytest.raises(icm.PolicyError, match="has the name of one that guards its rows"):
        guard.check_policy("table-3", POLICY, ("table of alice's",))
    guard.check_policy("table-3", replace(POLICY, name="alice.people"), ("table of alice's",))
    guard._house.mine = True
    guard.check_policy("table-3", POLICY, ())
