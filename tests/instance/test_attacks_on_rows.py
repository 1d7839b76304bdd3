"""An asker that mixes a peer's rows with others, or what guards them in one lane with what guards others in another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import icm_ray as icm
from analytics.dataset import Dataset
from analytics.meant import Meant
from icm_ray.instance.offer import offer
from icm_ray.instance.usage import DayCount
from icm_ray.policy import OPERATIONS
from icm_ray.query.expressions.tree import apply, literal
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.question import Asked, Question, SharedColumn, Sharing
from icm_ray.query.sharing import secret_rows
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.statistics.minmax import MinMax
from icm_ray.query.tasks import HeldSource, PushedSource
from icm_ray.runtime.driver.gather import compare_ledgers
from icm_ray.runtime.orders import messages as say
from tests.instance.conftest import rows
from tests.instance.lying import asked, opened, pushed, tell


@pytest.fixture
def new(request, organisations, alice, tmp_path):
    """A dataset of bob's, named by the test, of which no ledger knows: that would refuse whatever a lie leaves out."""
    catalogue, path, name = organisations["bob"][1].catalogue, tmp_path / "new.parquet", request.function.__name__[5:37]
    rows(1).to_parquet(path)
    offer(catalogue, name, [str(path)], icm.Policy(min_rows=5), ("alice",))
    yield name, alice.peer("bob")[name]
    catalogue.remove(name)


def test_rows_of_ones_own_do_not_stand_beside_a_peers_in_one_dataset(new):
    """Enough of them, and what a condition leaves of the peer's, one row at last, is the sum without one's own."""
    name, visits = new
    honest = visits.meant.dataset
    engine, policy = honest.engine, honest.facts.policy
    padding = pd.DataFrame({"age": np.full(300, 37), "cost": np.ones(300), "ward": "A"})
    own = engine.open_table("alice", PushedSource(1), [pushed(padding)])
    theirs = engine.open_table("bob", HeldSource(name))
    engine.set_policy(theirs.name, policy, (own.name, theirs.name))
    tables = tuple(OwnerTable(one.name, one.owner, one.info.rows, one.lanes) for one in (own, theirs))
    mixed = type(visits)(Meant(Dataset(engine, OwnerRows(theirs.name, honest.facts.columns, tables, policy=policy))))
    chosen = mixed[mixed["age"] == 37]
    for ask in (chosen["cost"].sum().reveal, chosen.count_rows().reveal, chosen[["cost"]].share):
        with pytest.raises(icm.PolicyError, match="bob refuses: its rows and others' are two datasets"):
            ask()
    assert visits["cost"].sum().reveal() == rows(1)["cost"].sum()


def test_what_was_opened_is_not_asked_about_once_it_is_offered_otherwise(organisations, new, alice):
    """A policy that is stricter, or rows that are others, hold for lanes of before, too."""
    name, visits = new
    catalogue = organisations["bob"][1].catalogue
    held = catalogue.datasets[name]
    assert visits["cost"].sum().reveal() == rows(1)["cost"].sum()
    offer(catalogue, name, held.source.paths, icm.Policy(min_rows=390), ("alice",))
    few = visits["age"] < 95
    for ask in (visits["age"].sum().reveal, visits[few]["age"].sum().reveal, visits[["age"]].share):
        with pytest.raises(icm.PolicyError, match=f"bob refuses: its dataset '{name}' was offered anew since"):
            ask()
    again = alice.peer("bob")[name]
    assert again["age"].sum().reveal() == rows(1)["age"].sum()
    assert isinstance(again[again["age"] < 95]["age"].sum().reveal(), icm.Withheld)


@pytest.fixture
def two_lanes(organisations, tmp_path, monkeypatch):
    """Of alice's with bob, whose datasets "lax" and "strict" have two partitions of 200 rows each."""
    folder, bob = organisations["alice"][0], organisations["bob"][1]
    small = replace(bob.halves._workers._config, partition_bytes=4096)
    monkeypatch.setattr(bob.halves._workers, "_config", small)
    policies = {"lax": icm.Policy(operations=OPERATIONS), "strict": icm.Policy()}
    for seed, (name, policy) in enumerate(policies.items(), 5):
        rows(seed).to_parquet(tmp_path / f"{name}.parquet")
        offer(bob.catalogue, name, [str(tmp_path / f"{name}.parquet")], policy, ("alice",))
    with icm.connect(folder, lanes=2) as session:
        engine = session._engine(("bob",))
        compare_ledgers(engine._lanes[1], engine._lanes[0], engine.parties)
        yield engine, {item.name: item for item in session._own.catalogue("bob").datasets}
    for name in ("lax", "strict"):
        bob.catalogue.remove(name)


@pytest.mark.slow
def test_shares_are_not_moved_to_where_others_guard_them(two_lanes):
    """One name of the session stands for two datasets of bob's, in each lane for one of them."""
    engine, offered = two_lanes
    facts = []
    for lane, (name, lanes) in enumerate({"lax": (0, 0), "strict": (0, 1)}.items()):
        policy = offered[name].policy
        counts = opened(engine, "bob", "lie", HeldSource(name), lane).rows
        assert counts == (200, 200)
        tell(engine, "bob", lambda call, policy=policy: say.SetPolicy(call, "lie", policy, ("lie",)), lane)
        table = OwnerTable("lie", "bob", counts, lanes)
        facts.append(OwnerRows("lie", offered[name].columns, (table,), policy=policy))
    sharing = Sharing("lie", "shares", (SharedColumn("age", "age"),), 16, 20)
    for lane in (0, 1):
        asked(engine, Asked(sharing, (facts[lane],)), (lane,))
    lax, strict = (secret_rows(sharing, one) for one in facts)
    second = strict.partitions[1]
    assert lax.key(lax.partitions[1], "age") == strict.key(second, "age")
    with pytest.raises(icm.PolicyError, match=r"bob refuses: what guards the rows of .* is another in lane 1"):
        engine.gather({1: {strict.key(second, "age"): (200,)}}, 0)
    with pytest.raises(icm.ProgramError, match="keeps nothing"):
        asked(engine, Asked(Question((MinMax("shares", "age"),), "alice"), (lax,)))


@pytest.fixture
def few_refusals(organisations):
    """Bob's rows refuse three times a day."""
    answers = organisations["bob"][1]._answers
    before, answers.refusals = answers.refusals, DayCount(3)
    yield
    answers.refusals = before


def test_a_value_is_not_bisected_by_what_its_owner_refuses(alice, few_refusals):
    """Whether a declared bound holds for the one row that is meant is a bit of it, and no words of that are needed."""
    dataset = alice.peer("bob")["visits"].meant.dataset
    visits = rows(1)
    oldest = visits.loc[visits["cost"].idxmax()]
    row = apply("equal", ("cost", literal(float(oldest["cost"]))))
    exponent = int(np.log2(oldest["age"]))

    def shared(bound):
        columns = (SharedColumn("age", "age", log2_bound=bound),)
        sharing = Sharing(dataset.facts.name, f"bit-{bound}", columns, 16, 20, row)
        asked(dataset.engine, Asked(sharing, (dataset.facts,)))

    for bound in range(3):
        with pytest.raises(icm.BoundError, match="bob refuses: its rows, or its own files, do not") as refused:
            shared(bound)
        assert str(int(oldest["age"])) not in str(refused.value)
        assert not set(refused.value.where) - {"party", "owner"}
    for bound in (exponent, exponent + 1):  # where it holds, and where it does not, the same is heard
        with pytest.raises(icm.PolicyError, match=r"bob refuses: its rows have refused .* 3 times"):
            shared(bound)
    with pytest.raises(icm.PolicyError, match="3 times today"):
        opened(dataset.engine, "bob", "anew", HeldSource("visits"))


@pytest.mark.slow
@pytest.mark.parametrize(("counts", "lanes"), [((200, 0), (0, 1)), ((200, 0), (0, 7)), ((0, 200), (1, 0))], ids=str)
def test_no_rows_of_a_dataset_are_left_out(two_lanes, counts, lanes):
    """All rows, less those of one partition, are those of another, however few these are; to ledgers both are all."""
    engine, offered = two_lanes
    policy, name = offered["strict"].policy, engine.new_name("table")
    for lane in (0, 1):
        assert opened(engine, "bob", name, HeldSource("strict"), lane).rows == (200, 200)
        for party in engine.parties:
            tell(engine, party, lambda call: say.SetPolicy(call, name, policy, (name,)), lane)
    table = OwnerTable(name, "bob", counts, lanes)
    some = OwnerRows(name, offered["strict"].columns, (table,), policy=policy)
    sharing = Sharing(name, "some", (SharedColumn("cost", "cost"),), 16, 20)
    for what in (Question((Mean(name, "cost"),), "alice"), sharing):
        with pytest.raises(icm.ProgramError, match="bob refuses: its table has other rows"):
            asked(engine, Asked(what, (some,)))
