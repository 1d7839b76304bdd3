"""Questions about shares that a person approves: what is shared for one serves no other, whatever the driver says."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

import analytics as an
import icm_ray as icm
from analytics.execute import _bases, _found, _with, bare, check
from analytics.sharing import NOTHING, made_anew, make, sharings
from icm_ray.instance.offer import offer
from icm_ray.policy import OPERATIONS
from icm_ray.query.question import SharedColumn, decode_asked, encode_asked
from tests.instance.test_requests import LATER, invoked, number_of

POLICY = icm.Policy(min_rows=5, operations=OPERATIONS, largest=100, two_largest=100)


def table(count: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(21)
    return pd.DataFrame(
        {
            "age": random.integers(0, 100, count),
            "cost": np.round(random.gamma(2.0, 150.0, count) * 64) / 64,
            "ward": random.choice(["A", "B", "C"], count),
            "person": random.permutation(count),
        }
    )


def own() -> pd.DataFrame:
    """Several rows of a person, and persons whom bob does not know."""
    found = table(250)
    return found.assign(person=np.random.default_rng(22).integers(0, 400, len(found)))


@pytest.fixture(scope="module")
def bob(organisations, alice):
    organisations["alice"][1]._answers._outbox._fresh = 0.0
    offered = (
        ("alice", "people", own(), ()),
        ("bob", "people", table(), ("alice",)),
        ("bob", "chosen", table(), ("alice",)),
    )
    for owner, name, rows, requests in offered:
        folder, instance = organisations[owner]
        path = folder.parent / f"{owner}-{name}.parquet"
        rows.to_parquet(path)
        offer(instance.catalogue, name, [str(path)], POLICY, (), requests)
    yield organisations["bob"][1]
    for owner, name, *_ in offered:
        organisations[owner][1].catalogue.remove(name)


@pytest.fixture(scope="module")
def people(alice, bob):
    return alice.peer("bob")["people"]


@pytest.fixture(scope="module")
def shared(people):
    """Nothing is shared yet: nobody has approved what for."""
    return people[["age", "cost"]].share()


def approved(query, bob, times=1, params=()):
    handle = query.request(reason="a study")
    number = number_of(bob, handle)
    bob.requests.approve(number, times, LATER, params)
    return handle, number


def used(bob, number):
    return bob.requests.of(number).used


def test_a_question_about_shares_waits_for_a_person_and_takes_one_use(shared, bob, organisations):
    assert shared.shared
    query = shared[shared["age"] >= 40]["cost"].mean()
    with pytest.raises(icm.PolicyError, match="bob refuses: nobody approved this question"):
        query.reveal()
    handle = query.request(reason="a study")
    number = number_of(bob, handle)
    told = invoked(organisations["bob"][0], "show", str(number))
    for words in (
        "shared for this question alone: age, cost; 300 rows of bob (bob.people)",
        "mean of cost",
        "to: alice",
    ):
        assert words in told
    bob.requests.approve(number, 3, LATER)
    rows = table()
    wanted = pytest.approx(rows[rows["age"] >= 40]["cost"].mean(), abs=1e-3)
    assert handle.result() == wanted
    assert used(bob, number) == 1
    assert query.reveal() == wanted
    assert used(bob, number) == 2
    entries = [entry.facts for entry in bob.audit.entries() if entry.facts.get("request") == str(number)]
    assert [facts["use"] for facts in entries if "use" in facts] == ["1 of 3", "2 of 3"]
    assert [entry.what for entry in bob.audit.entries() if "use" in entry.facts][-2:] == ["sharing", "sharing"]


def test_a_driver_comes_back(alice, shared, bob):
    handle, number = approved(shared["age"].sum(), bob)
    assert alice.job(handle.id).result() == table()["age"].sum()
    assert used(bob, number) == 1
    with pytest.raises(icm.PolicyError, match="was approved 1 times, and was asked so often"):
        handle.result()


@pytest.mark.slow
def test_rows_that_are_chosen_and_columns_that_are_computed_before(alice, bob, organisations):
    people, rows = alice.peer("bob")["chosen"], table()
    domain = {"ward": ["A", "B", "C"]}

    def old(age):
        found = people[people["age"] >= age].assign(double=people["cost"] * 2)[["double", "ward"]]
        return found.share(domain=domain).groupby("ward", domain=domain)["double"].size()

    handle, _ = approved(old(40), bob)
    told = invoked(organisations["bob"][0], "show", str(number_of(bob, handle)))
    assert "double (cost * 2), ward, of the rows where age >= 40, zeros of the others; 300 rows of bob" in told
    wanted = rows[rows["age"] >= 40].groupby("ward").size()
    pd.testing.assert_series_equal(handle.result(), wanted, check_names=False)
    with pytest.raises(icm.PolicyError, match="nobody approved"):
        old(39).reveal()


def test_values_of_filters_on_shares_are_left_open(shared, bob):
    rows = table()
    _, number = approved(shared[shared["age"] >= 50]["cost"].sum(), bob, 2, ["age=20..80"])
    found = shared[shared["age"] >= 30]["cost"].sum().reveal()
    assert found == pytest.approx(rows[rows["age"] >= 30]["cost"].sum(), abs=1e-2)
    with pytest.raises(icm.PolicyError, match="age from 20 to 80 alone"):
        shared[shared["age"] >= 90]["cost"].sum().reveal()
    assert used(bob, number) == 1


@pytest.mark.slow
def test_rows_of_two_owners_are_merged_on_shares(alice, people, bob):
    """Alice's own rows are shared at once; what bob's are shared for, he has approved."""
    mine = alice.frame({"alice": "people"})[["person", "age"]].share()
    merged = an.merge(mine, people[["person", "cost"]].share(), on="person")
    handle, number = approved(merged["cost"].sum(), bob)
    wanted = own()[["person", "age"]].merge(table()[["person", "cost"]], on="person")["cost"].sum()
    assert handle.result() == pytest.approx(wanted, abs=1e-1)
    assert alice.job(handle.id)._job.shared
    assert used(bob, number) == 1


@pytest.mark.slow
def test_rows_of_two_owners_are_shared_alike(alice, bob):
    both = alice.frame({"alice": "people", "bob": "people"})[["age"]].share()
    handle, number = approved(both["age"].mean(), bob, 2)
    wanted = pytest.approx(pd.concat([own()["age"], table()["age"]]).mean())
    assert handle.result() == wanted
    assert alice.job(handle.id).result() == wanted
    assert used(bob, number) == 2


# --- lies -----------------------------------------------------------------------------------------------------------


@contextmanager
def shared_for(query, change=None):
    """What a driver does with the shares of a question that may be asked: `ask` asks another one of them. change: of
    what it says to be for, before it shares.
    """
    with ExitStack() as made:
        waiting = [base for base in _bases(query._parts).values() if base.waits_for is not None]
        fresh = {base.facts.name: made_anew(base, made) for base in waiting}

        def moved(other):
            return [part.of(_with(part, fresh)) for part in other._parts]

        _, asked = check(moved(query), None)
        known = sharings(asked, {one.facts.name: one for one in fresh.values()})
        told = replace(NOTHING, shared=tuple(known.values()), purpose=encode_asked(bare(asked)))
        for dataset in fresh.values():
            make(dataset, told if change is None else change(told))
        yield lambda other, said=dict: _found(moved(other), None, said(known))[0]


def test_kept_shares_serve_no_other_question(shared, bob):
    _, number = approved(shared["age"].mean(), bob, 5)
    with shared_for(shared["age"].mean()) as ask:
        for other in (shared["cost"].mean(), shared["age"].var(), shared[shared["age"] >= 41]["age"].mean()):
            with pytest.raises(icm.PolicyError, match=f"shared for request {number}, which does not cover this"):
                ask(other)
        with pytest.raises(icm.PolicyError, match="nothing is said to make"):
            ask(shared["age"].mean(), lambda known: {})
        assert ask(shared["age"].mean()) == pytest.approx(table()["age"].mean())
    assert used(bob, number) == 1


def test_shares_of_one_approval_serve_no_other(shared, bob):
    """Both of the same shares, and both approved: each shares for itself."""
    handle, other = approved(shared["cost"].count(), bob, 5)
    _, number = approved(shared["age"].std(), bob, 5)
    refused = pytest.raises(icm.PolicyError, match=f"shared for request {number}")
    with shared_for(shared["age"].std()) as ask, refused:
        ask(shared["cost"].count())
    assert (used(bob, number), used(bob, other)) == (1, 0)
    assert handle.result() == len(table())


def test_a_question_that_is_repeated_on_kept_shares_takes_a_use_more(shared, bob):
    _, number = approved(shared["cost"].var(), bob, 2)
    with shared_for(shared["cost"].var()) as ask:
        assert ask(shared["cost"].var()) == pytest.approx(table()["cost"].var(), rel=1e-3)
        assert used(bob, number) == 1
        shared._dataset.answered._results.clear()  # or it would have the answer
        ask(shared["cost"].var())
        assert used(bob, number) == 2
        shared._dataset.answered._results.clear()
        with pytest.raises(icm.PolicyError, match="approved 2 times, and was asked so often"):
            ask(shared["cost"].var())
    with pytest.raises(icm.PolicyError, match="approved 2 times"), shared_for(shared["cost"].var()):
        pass


def test_shares_do_not_outlive_their_approval(shared, bob, monkeypatch):
    query = shared[shared["cost"] >= 100]["age"].sum()
    _, number = approved(query, bob, 9)
    with shared_for(query) as ask:
        bob.requests.deny(number, "no more")
        with pytest.raises(icm.PolicyError, match="denied: no more"):
            ask(query)
    with pytest.raises(icm.PolicyError, match="denied: no more"), shared_for(query):
        pass
    bob.requests.approve(number, 9, LATER)
    with shared_for(query) as ask, monkeypatch.context() as patched:
        patched.setattr(bob.requests, "_clock", lambda: LATER + 1)
        with pytest.raises(icm.PolicyError, match="has expired"):
            ask(query)


def unsaid(told):
    return NOTHING


def unapproved(told):
    return replace(told, purpose=told.shared[0])


def for_others(told):
    """For a question about other shares."""
    return replace(told, shared=())


@pytest.mark.parametrize("change", [unsaid, unapproved, for_others])
def test_nothing_is_shared_for_what_nobody_approved(shared, bob, change):
    query = shared["age"].skew()
    _, number = approved(query, bob, 5)
    with pytest.raises(icm.PolicyError), shared_for(query, change):
        pass
    assert used(bob, number) == 0


def test_no_more_is_shared_than_what_was_approved(shared, people, bob):
    """Another column beside it, another condition, other numbers: under the approved one's name."""
    approved(shared["age"].kurt(), bob, 5)
    for other in (people[["age", "cost", "person"]], people[people["age"] >= 1][["age", "cost"]]):
        with pytest.raises(icm.PolicyError, match="nobody approved"), shared_for(other.share()["age"].kurt()):
            pass


def test_shares_are_what_their_sharing_makes_of_the_rows(shared, bob):
    """A sharing that is stated in the place of the one that made them."""
    approved(shared["age"].sem(), bob, 5)
    with shared_for(shared["age"].sem()) as ask:

        def lie(known):
            ((name, payload),) = known.items()
            asked = decode_asked(payload)
            columns = (SharedColumn("age", "cost"), SharedColumn("cost", "age"))
            return {name: encode_asked(replace(asked, what=replace(asked.what, columns=columns)))}

        with pytest.raises(icm.PolicyError, match="described otherwise than they are made"):
            ask(shared["age"].sem(), lie)
