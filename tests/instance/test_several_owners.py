"""Alice asks about bob's rows and dave's together: each of them decides about the whole question, whatever she says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

import analytics as an
import icm_ray as icm
from analytics.arrived import arrived
from icm_ray.instance.canonical import in_words
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.offer import offer
from icm_ray.instance.settings import Settings
from icm_ray.owner.mock_rows import MockColumn, MockRows
from icm_ray.policy import OPERATIONS
from icm_ray.runtime.driver.lane import Lane
from icm_ray.runtime.orders import messages as say
from tests.instance.conftest import meet
from tests.instance.test_requests import LATER, invoked, number_of

POLICY = icm.Policy(min_rows=5, operations=OPERATIONS, largest=100, two_largest=100)
MOCK = MockRows(100, (MockColumn("person", between=("1", "")),))


def visits(count: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(31)
    cost = np.round(random.gamma(2.0, 150.0, count) * 64) / 64
    return pd.DataFrame({"person": random.integers(0, 200, count), "age": random.integers(0, 100, count), "cost": cost})


def people(count: int = 150) -> pd.DataFrame:
    random = np.random.default_rng(32)
    return pd.DataFrame({"person": random.permutation(200)[:count], "floor": random.choice(["A", "B"], count)})


def more(seed: int) -> pd.DataFrame:
    return visits().sample(200, random_state=seed)


@pytest.fixture(scope="module")
def owners(organisations, dave_there):
    """By name folder and instance of bob and dave: bob's "visits" and dave's "people", and what stands open."""
    there = {**organisations, "dave": dave_there}
    offered = (
        ("bob", "stays", visits(), (), ("alice",)),
        ("dave", "people", people(), (), ("alice",)),
        ("bob", "open", more(1), ("alice", "dave"), ()),
        ("dave", "open", more(2), ("alice",), ()),
        ("alice", "open", more(3), (), ()),
        *(("dave", name, people(), ("alice",), ()) for name in ("known", "third", "own", "held")),
        *(("bob", name, more(1), ("alice", "dave"), ()) for name in ("second", "third")),
        ("bob", "sharing", visits(), (), ("alice",)),
        ("dave", "sharing", people(), (), ("alice",)),
    )
    for owner, name, rows, standing, requests in offered:
        folder, instance = there[owner]
        instance._answers._outbox._fresh = 0.0
        path = folder.parent / f"several-{owner}-{name}.parquet"
        rows.to_parquet(path)
        mock = MOCK if name in ("stays", "people") else None
        offer(instance.catalogue, name, [str(path)], POLICY, standing, requests, mock)
    yield there
    for owner, name, *_ in offered:
        there[owner][1].catalogue.remove(name)


@pytest.fixture(scope="module")
def session(owners):
    with icm.connect(owners["alice"][0]) as found:
        yield found


@pytest.fixture(scope="module")
def merged(session):
    """Of bob's rows and dave's, from their peers as any frames are."""
    return an.merge(session.peer("bob")["stays"], session.peer("dave")["people"], on="person")


@pytest.fixture(scope="module")
def joined():
    return visits().merge(people(), on="person")


def decided(owners, name, job):
    """An owner's requests, and the number that a job has there."""
    instance = owners[name][1]
    return instance.requests, number_of(instance, job)


def approved(owners, job, times=1, names=("bob", "dave")):
    for name in names:
        requests, number = decided(owners, name, job)
        requests.approve(number, times, LATER)
    return job


def used(owners, job):
    return [requests.of(number).used for requests, number in (decided(owners, name, job) for name in ("bob", "dave"))]


def test_rows_of_two_peers_are_merged_once_both_approve(session, merged, joined, owners):
    query = merged.groupby("floor", domain=["A", "B"])["cost"].sum()
    assert list(session._engines) == [("bob", "dave")]  # one set of lanes, and none for each owner alone
    with pytest.raises(icm.PolicyError, match="refuses: nobody approved this question"):
        query.reveal()
    job = query.request(reason="costs of floors")
    for name in ("bob", "dave"):
        number = decided(owners, name, job)[1]
        told = invoked(owners[name][0], "show", str(number))
        for words in (
            "sum of cost",
            "person",
            "to: alice alone",
            "300 of bob",
            "with 150 rows of dave, on person",
            "alice, bob, dave, and a dealer",
        ):
            assert words in told, (name, words)
        with pytest.raises(icm.InstanceError, match=rf"not approved yet by .*{name}"):
            job.result(timeout=0)
        invoked(owners[name][0], "approve", str(number), "--times", "2", "--until", "2090-01-01")
    assert job.status == "approved"
    wanted = joined.groupby("floor")["cost"].sum()
    assert job.result().to_dict() == wanted.to_dict()
    assert used(owners, job) == [1, 1]


def test_one_denial_is_one_for_all(merged, owners):
    job = merged["cost"].mean().request(reason="the mean")
    approved(owners, job, names=("bob",))
    requests, number = decided(owners, "dave", job)
    requests.deny(number, "persons are not matched")
    with pytest.raises(icm.PolicyError, match="dave denied the request: persons are not matched"):
        job.result()
    with pytest.raises(icm.PolicyError, match=r"dave refuses: .*denied"):  # whatever the handle says
        job._ask()
    assert used(owners, job)[1] == 0


def test_an_asker_who_says_something_else_to_each_is_refused(merged, owners, monkeypatch):
    """Two questions, one approved by bob alone, the other by dave alone: together they are none."""
    one, other = merged["cost"].sum(), merged["age"].sum()
    approved(owners, one.request(reason="one"), 9, ("bob",))
    approved(owners, other.request(reason="other"), 9, ("dave",))
    for query in (one, other):
        with pytest.raises(icm.PolicyError, match=r"nobody approved this question|not approved yet"):
            query.reveal()
    said = []
    tell = Lane.tell

    def listens(lane, orders):
        said.append(orders)
        return tell(lane, orders)

    with monkeypatch.context() as patched:
        patched.setattr(Lane, "tell", listens)
        with pytest.raises(icm.PolicyError):
            other.reveal()
    ((of_other,),) = [[orders for orders in said if isinstance(orders.get("dave"), say.Run)]]

    def lies(whole):
        """To dave what he approved: all of it, or the question alone beside the program of the other."""

        def told(lane, orders):
            if isinstance(orders.get("dave"), say.Run):
                for name in ("dave", "dealer") if whole else ("dave",):
                    job, his = orders[name].job, of_other[name].job
                    his = replace(his, job=job.job) if whole else replace(job, origin=his.origin)
                    orders = {**orders, name: replace(orders[name], job=his)}
            return tell(lane, orders)

        return told

    for whole in (False, True):
        with monkeypatch.context() as patched:
            patched.setattr(Lane, "tell", lies(whole))
            with pytest.raises((icm.ProgramError, icm.PolicyError, icm.FaultError)) as refused:
                one.reveal()
        assert str(visits()["cost"].sum()) not in str(refused.value)
    job = merged["cost"].sum().request(reason="one")
    approved(owners, job, 9)
    assert job.result() == visits().merge(people(), on="person")["cost"].sum()


@pytest.mark.slow
def test_values_that_one_owner_leaves_open(session, owners):
    """An approval with ranges at bob's, without at dave's: the strictest owner wins."""
    both = an.concat([session.peer("bob")["stays"], session.peer("dave")["open"]])
    rows = pd.concat([visits(), more(2)])

    def old(age):
        return both[both["age"] >= age]["cost"].sum()

    job = old(40).request(reason="costs")
    requests, number = decided(owners, "bob", job)
    requests.approve(number, 9, LATER, ["age=20..80"])
    assert [one.state for one in job._look().owners] == ["approved", "approved"]  # dave's stands open
    assert job.result() == rows[rows["age"] >= 40]["cost"].sum()
    assert old(25).reveal() == rows[rows["age"] >= 25]["cost"].sum()
    with pytest.raises(icm.PolicyError, match=r"bob refuses.*age from 20 to 80 alone"):
        old(90).reveal()
    assert requests.of(number).used == 2
    assert session.job(job.id).result() == rows[rows["age"] >= 40]["cost"].sum()
    assert requests.of(number).used == 3


@pytest.mark.slow
def test_shares_of_two_peers_wait_for_both(session, joined, owners):
    before = set(session._engines)
    shared = session.peer("bob")["sharing"].share()
    known = session.peer("dave")["sharing"].share(domain={"floor": ["A", "B"]})
    assert set(session._engines) == before  # nothing is shared yet
    query = an.merge(shared, known, on="person")["cost"].sum()
    assert set(session._engines) == before | {("bob", "dave")}
    with pytest.raises(icm.PolicyError, match=r"nobody approved|not approved yet"):
        query.reveal()
    job = approved(owners, query.request(reason="on shares"))
    assert job.result() == pytest.approx(joined["cost"].sum(), abs=1e-1)
    assert used(owners, job) == [1, 1]
    for name in ("bob", "dave"):
        requests, number = decided(owners, name, job)
        told = in_words(requests.of(number).canonical)
        assert told.count("shared for this question alone") == 2
        assert "alice, bob, dave" in told
    with pytest.raises(icm.PolicyError, match="asked so often"):
        query.reveal()


@pytest.mark.slow
def test_shares_that_stand_open_are_made_anew_in_lanes_of_all(session, owners):
    shared, known = (
        session.peer("bob")["open"].share(),
        session.peer("dave")["known"][["person", "floor"]].share(domain={"floor": ["A", "B"]}),
    )
    narrow = shared["age"].sum().reveal()
    found = an.merge(shared, known, on="person")
    assert found["age"].sum().reveal() == more(1).merge(people(), on="person")["age"].sum()
    assert narrow == more(1)["age"].sum()
    wide = shared.meant.dataset.elsewhere
    assert [engine.parties for engine in wide] == [("alice", "bob", "dave")]
    an.merge(shared, known, on="person")["cost"].sum().reveal()
    assert len(wide) == 1  # shared once
    both = an.concat([shared, session.peer("dave")["open"].share()])
    assert both["age"].sum().reveal() == more(1)["age"].sum() + more(2)["age"].sum()
    shared.forget()
    with pytest.raises(icm.InputError, match="were forgotten"):
        found["age"].mean().reveal()


@pytest.mark.slow
def test_three_organisations_rows_in_every_form(session, owners, dave):
    """Rows below one another, SQL, and who asks owns some, or none."""
    frames = [session.peer(name)["open"] for name in ("alice", "bob", "dave")]
    rows = pd.concat([more(3), more(1), more(2)])
    both = an.concat(frames)
    assert both.owners == {"alice": 200, "bob": 200, "dave": 200}
    assert both[both["age"] >= 50]["cost"].mean().reveal() == pytest.approx(rows[rows["age"] >= 50]["cost"].mean())
    same = session.frame({"alice": "open", "bob": "open", "dave": "open"})
    assert same["age"].std().reveal() == pytest.approx(rows["age"].std())
    found = an.sql(
        "SELECT COUNT(*) AS n, SUM(v.cost) AS cost FROM v JOIN k ON v.person = k.person",
        v=session.peer("bob")["second"],
        k=session.peer("dave")["third"],
    ).reveal()
    wanted = more(1).merge(people(), on="person")
    assert (found["n"][0], found["cost"][0]) == (len(wanted), wanted["cost"].sum())
    own = an.merge(session.peer("alice")["open"], session.peer("dave")["own"], on="person")["cost"].sum().reveal()
    assert own == more(3).merge(people(), on="person")["cost"].sum()
    theirs = an.merge(dave.peer("bob")["third"], dave.peer("dave")["held"], on="person")  # one of the owners asks
    assert theirs["cost"].sum().reveal() == wanted["cost"].sum()


@pytest.mark.slow
def test_rules_of_both_approve_together(session, merged, owners):
    query = merged["age"].mean()
    job = query.request(reason="monthly")
    for name in ("bob", "dave"):
        number = decided(owners, name, job)[1]
        until = ("--times", "4", "--until", "2090-01-01")
        invoked(owners[name][0], "approve", str(number), *until, "--rule", "mean age of the known")
    first = job.result()
    other = merged["age"].mean().request(reason="the next month")
    assert other.status == "approved"
    assert other.result() == first
    assert "mean age of the known" in invoked(owners["dave"][0], "requests", "--json")


@pytest.mark.slow
def test_mock_rows_of_two_peers(session, owners):
    bobs, daves = session.peer("bob")["stays"], session.peer("dave")["people"]
    before = dict(session._engines)
    merged = an.merge(bobs.mock(), daves.mock(), on="person")
    assert merged.count_rows().reveal() == 100  # persons are counted on both sides
    assert an.concat([bobs[["person"]].mock(), daves[["person"]].mock()])["person"].sum().reveal() == 2 * 5050
    assert session._engines == before
    receipt = bobs.mock()["cost"].sum().reveal(to="dave")
    assert repr(receipt) == "<it would be delivered to dave (of mock rows)>"
    with pytest.raises(icm.OwnerError, match="recipient"):
        bobs.mock()["cost"].sum().reveal(to="dora")
    with pytest.raises(icm.InputError, match="session"):
        an.merge(bobs.mock(), daves, on="person")


@pytest.mark.slow
def test_who_owns_none_of_the_rows_hears_the_result(session, owners, dave):
    """Of what stands open for dave as well: in lanes that his worker takes part in."""
    frame = session.peer("bob")["open"]
    receipt = frame["cost"].sum().reveal(to="dave")
    (found,) = [one for one in arrived(owners["dave"][0]) if one.number == receipt.number]
    assert (found.asker, found.value()) == ("alice", more(1)["cost"].sum())
    assert "sum of cost" in found.title
    for name in ("alice", "bob"):
        assert not [one for one in arrived(owners[name][0]) if one.asker == "alice" and one.title == found.title]
    number = str(receipt.number)
    assert f"{more(1)['cost'].sum():g}"[:5] in invoked(owners["dave"][0], "results", number)
    before = len(arrived(owners["bob"][0]))
    with pytest.raises(icm.PolicyError, match="nobody approved this question"):  # of dave's for bob: for alice alone
        session.peer("dave")["open"]["cost"].sum().reveal(to="bob")
    for nobody in ("carol", "dora"):
        with pytest.raises(icm.OwnerError, match="recipient"):
            frame["cost"].sum().reveal(to=nobody)
    assert len(arrived(owners["bob"][0])) == before
    groups = an.concat([frame, session.peer("alice")["open"]]).groupby("person", domain=range(3))["age"]
    receipt = groups.count().reveal(to="dave")
    (found,) = [one for one in arrived(owners["dave"][0]) if one.number == receipt.number]
    assert list(found.to_pandas().index) == [0, 1, 2]
    shared = frame[["age"]].share()
    receipt = shared["age"].sum().reveal(to="dave")
    (found,) = [one for one in arrived(owners["dave"][0]) if one.number == receipt.number]
    assert found.value() == more(1)["age"].sum()


@pytest.mark.slow
def test_a_third_recipient_is_a_part_of_what_is_approved(session, owners):
    bobs = session.peer("bob")["stays"]
    for frame, tolerance in ((bobs, 0), (bobs[["age", "cost"]].share(), 1e-1)):
        query = frame["cost"].sum()
        with pytest.raises(icm.PolicyError, match=r"nobody approved|not approved yet"):
            query.reveal(to="dave")
        job = query.request(reason="for dave", to="dave")
        requests, number = decided(owners, "bob", job)
        assert "to: dave" in in_words(requests.of(number).canonical)
        requests.approve(number, 2, LATER)
        before = len(arrived(owners["dave"][0]))
        with pytest.raises(icm.PolicyError, match=r"nobody approved|not approved yet"):
            query.reveal()
        receipt = job.result()
        found = arrived(owners["dave"][0])
        assert len(found) == before + 1
        assert found[-1].number == receipt.number
        assert found[-1].value() == pytest.approx(visits()["cost"].sum(), abs=tolerance)
        assert requests.of(number).used == 1
        assert session.job(job.id).result().number == receipt.number + 1  # as another process asks it


@pytest.mark.slow
def test_a_fourth_organisation_asks_about_three(organisations, owners, tmp_path):
    """Alice owns none of the rows; each of the three owners approves, and erin changes her mind."""
    home = tmp_path / "erin"
    found(home, Settings("erin", "organisation", "127.0.0.1:0", spare_workers=0))
    there = ("bob", "stays", visits()), ("dave", "daves", more(2)), ("erin", "erins", more(4))
    with Instance(home) as erin:
        instances = {"erin": erin} | {name: owners[name][1] for name in ("bob", "dave")}
        for other in (*instances.values(), owners["alice"][1], owners["carol"][1]):
            if other is not erin:
                meet(*((erin, other) if other.settings.dial_only else (other, erin)))
        erin._answers._outbox._fresh = 0.0
        for owner, name, rows in there[1:]:
            path = tmp_path / f"{name}.parquet"
            rows.to_parquet(path)
            offer(instances[owner].catalogue, name, [str(path)], POLICY, (), ("alice",))
        with icm.connect(owners["alice"][0]) as session:
            both = an.concat([session.peer(owner)[name] for owner, name, _ in there])
            job = both["cost"].mean().request(reason="costs of all three")
            numbers = {name: number_of(instance, job) for name, instance in instances.items()}
            for name, instance in instances.items():
                with pytest.raises(icm.InstanceError, match=rf"not approved yet by .*{name}"):
                    job.result(timeout=0)
                instance.requests.approve(numbers[name], 3, LATER)
            rows = pd.concat([rows for *_, rows in there])
            assert job.result() == pytest.approx(rows["cost"].mean(), rel=1e-12)
            assert [list(engine) for engine in session._engines] == [["bob", "dave", "erin"]]
            erin.requests.deny(numbers["erin"], "no more")
            with pytest.raises(icm.PolicyError, match="erin denied the request: no more"):
                job.result()
            receipt = both["age"].sum().request(to="erin")
            for instance in instances.values():
                instance.requests.approve(number_of(instance, receipt), 1, LATER)
            assert receipt.result().recipient == "erin"
            assert arrived(home)[-1].value() == rows["age"].sum()
    owners["dave"][1].catalogue.remove("daves")
    for name in ("alice", "bob", "dave", "carol"):
        owners[name][1].roster.set_state("erin", "revoked")
