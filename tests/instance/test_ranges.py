"""Approvals that leave values of filters open: within their ranges, of their kinds, and nothing else of a question."""

from __future__ import annotations

import datetime as dt
import json

import msgspec
import numpy as np
import pandas as pd
import pytest

import icm_ray as icm
from analytics.execute import check
from icm_ray.instance.canonical import Canonical
from icm_ray.instance.offer import offer
from icm_ray.instance.parameters import parameters
from icm_ray.instance.ranges import ranges_of
from icm_ray.instance.requests import Requests
from icm_ray.query.expressions.compared import compared, with_literals
from icm_ray.query.expressions.tree import Apply, Expression, Literal, apply, literal
from icm_ray.runtime.orders.house import MayRun
from tests.instance.test_requests import LATER, changed, invoked, number_of, told


def table(count: int = 600) -> pd.DataFrame:
    random = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "year": random.integers(2016, 2026, count),
            "age": random.integers(0, 100, count),
            "cost": np.round(random.gamma(2.0, 150.0, count) * 64) / 64,
            "ward": random.choice(["A", "B", "C"], count),
            "day": [dt.date(2020, 1, 1) + dt.timedelta(int(one)) for one in random.integers(0, 365, count)],
        }
    )


@pytest.fixture(scope="module")
def registry(organisations, alice):
    organisations["alice"][1]._answers._outbox._fresh = 0.0
    folder, bob = organisations["bob"]
    path = folder.parent / "registry.parquet"
    table().to_parquet(path)
    offer(bob.catalogue, "registry", [str(path)], icm.Policy(min_rows=5), (), ("alice",))
    yield alice.peer("bob")["registry"], bob
    bob.catalogue.remove("registry")


def question(query, me="bob") -> Canonical:
    """As an owner has it, but for names."""
    return Canonical(check(query._parts, None)[1], ("alice", me), (("registry", "1"),))


# --- which values, and in whose place -------------------------------------------------------------------------------

CONDITIONS = {
    "one": (lambda f: f["year"] >= 2020, {"year": 2020}),
    "two of a column": (lambda f: f["year"].between(2018, 2020), {"year.1": 2018, "year.2": 2020}),
    "equal ones": (lambda f: (f["year"] >= 2020) & (f["year"] <= 2020), {"year.1": 2020, "year.2": 2020}),
    "several": (lambda f: (f["year"] == 2020) | ~(f["cost"] > 10.5), {"year": 2020, "cost": 10.5}),
    "a list": (lambda f: f["ward"].isin(["B", "A"]), {"ward.1": "B", "ward.2": "A"}),
    "a date": (lambda f: f["day"] >= dt.date(2020, 2, 1), {"day": "2020-02-01"}),
    "computed": (lambda f: f["cost"] * 2 + 2020 > 2020, {"(cost * 2) + 2020": 2020}),
    "a condition's column": (lambda f: (f["cost"] > 1).astype("int") * f["age"] == 7, None),
    "columns": (lambda f: f["cost"] > f["age"], {}),
    "a truth": (lambda f: (f["cost"] > 1) == True, {}),  # noqa: E712
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_what_is_compared_is_a_parameter(registry, name):
    frame, _ = registry
    condition, wanted = CONDITIONS[name]
    found = {one.name: one.literal.value for one in parameters(question(frame[condition(frame)]["cost"].mean()))}
    if wanted is None:
        assert [*found.values()] == [7]  # and not the 1 within what is compared
    else:
        assert found == wanted


@pytest.mark.parametrize("values", [(2018, 2018), (2018, 2021), (2021, 2018), (5, 6)])
def test_a_condition_with_other_values_is_to_the_byte_what_the_asker_writes(registry, values):
    """Equal values are one node, also with those of other places."""
    frame, _ = registry

    def written(low, high):
        condition = (frame["year"] >= low) & (frame["age"] + 2018 < 4000) & ~(frame["year"] == high)
        return check(frame[condition]["cost"].mean()._parts, None)[1].what.selections[0].where

    for start in ((2018, 2018), (2018, 2020), (4000, 2018)):
        literals = [one.literal for one in compared(written(*start))]
        new = [msgspec.structs.replace(one, value=value) for one, value in zip(literals, values, strict=False)]
        new = [literals[0], literals[1], literals[2]]
        places = [place for place, one in enumerate(compared(written(1, 2))) if one.literal.value in {1, 2}]
        for place, value in zip(places, values, strict=True):
            new[place] = Literal(value, "int")
        assert with_literals(written(*start), new) == written(*values)


def test_a_condition_in_another_order_has_no_parameters():
    made = apply("greater", ("age", literal(5)))
    assert len(compared(made)) == 1
    one, two, node = made.nodes
    turned = Expression((two, one, Apply(node.function, (1, 0))))
    unused = Expression((literal(7).nodes[0], one, two, Apply(node.function, (1, 2))))
    for other in (turned, unused):
        assert compared(other) == ()


def test_many_shared_nodes_take_no_time():
    """Each node is looked at once: a chain of conjunctions of itself has 2^900 paths."""
    made = [*apply("greater", ("age", literal(5))).nodes]
    for _ in range(900):
        made.append(Apply("and", (len(made) - 1, len(made) - 1)))
    assert len(compared(Expression(tuple(made)))) == 1


# --- ranges ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(registry):
    frame, _ = registry
    condition = frame["year"].between(2020, 2021) & (frame["ward"] == "A") & (frame["cost"] > 10.5)
    return question(frame[condition & (frame["day"] >= dt.date(2020, 2, 1))]["cost"].mean())


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["year=2020..2025"], "year.1 from 2020 to 2025, year.2 from 2020 to 2025"),
        (["year.1=2020..2020", "year.2=2021|2023"], "year.1 from 2020 to 2020, year.2 one of 2021, 2023"),
        (["ward=A|B"], "ward one of A, B"),
        (["cost=0..1e3", "day=2020-01-01..2020-12-31"], "cost from 0.0 to 1000.0, day from 2020-01-01 to 2020-12-31"),
    ],
)
def test_ranges_in_words(asked, texts, words):
    assert ", ".join(one.in_words for one in ranges_of(texts, parameters(asked))) == words


@pytest.mark.parametrize(
    "text",
    [
        "2020..2025",
        "month=1..2",
        "year=2021..2020",
        "year=2020",  # of both, and 2021 was asked
        "year=2022..2025",
        "year=2020.0..2025.0",
        "year=2020..",
        "cost=nan..nan",
        "cost=0..inf",
        "cost=nan",
        "ward=A..B",
        "ward=B|C",
        "day=2020-02-01..2020-13-01",
        "day=2020-W01-1..2020-12-31",
        "year",
        "",
    ],
)
def test_what_is_no_range(asked, text):
    with pytest.raises(icm.InputError, match="--params"):
        ranges_of([text], parameters(asked))


def test_nothing_is_left_open_twice(asked):
    with pytest.raises(icm.InputError, match=r"year\.2 is stated twice"):
        ranges_of(["year=2020..2025", "year.2=2021..2022"], parameters(asked))


def of_kind(value, kind):
    def change(asked):
        nodes = asked.what.selections[0].where.nodes
        new = Expression(tuple(Literal(value, kind) if node == Literal(2020, "int") else node for node in nodes))
        selection = msgspec.structs.replace(asked.what.selections[0], where=new)
        statistic = msgspec.structs.replace(asked.what.statistics[0], dataset=selection.name)
        what = msgspec.structs.replace(asked.what, selections=(selection,), statistics=(statistic,))
        return msgspec.structs.replace(asked, what=what)

    return change


@pytest.mark.parametrize(
    ("value", "kind", "allowed"),
    [
        (2021, "int", True),
        (2016, "int", True),
        (2015, "int", False),
        (2021.0, "int", False),
        (2021.0, "float", False),
        (float("nan"), "float", False),
        (float("nan"), "int", False),
        ("2021", "int", False),
        (True, "int", False),
        (None, "int", False),
        (None, "null", False),
        ("2021-01-01", "date32[day]", False),
    ],
)
def test_a_range_widens_no_kind(registry, tmp_path, value, kind, allowed):
    frame, _ = registry
    first = question(frame[frame["year"] >= 2020]["cost"].mean())
    kept = Requests(tmp_path)
    number = kept.add("alice", "1" * 16, first, "").number
    kept.approve(number, 9, LATER, ["year=2016..2025"])
    other = replace_asked(first, of_kind(value, kind))
    assert kept.of(number).covers(first)
    assert kept.of(number).covers(other) == allowed
    if not allowed:
        with pytest.raises(icm.PolicyError):
            kept.use("alice", other)
        assert not kept.of(number).used


def replace_asked(question, change):
    return msgspec.structs.replace(question, asked=change(question.asked))


def test_what_was_denied_is_denied_within_a_range_too(registry, tmp_path):
    frame, _ = registry
    kept = Requests(tmp_path)
    first, other = (question(frame[frame["year"] >= year]["cost"].mean()) for year in (2020, 2023))
    kept.add("alice", "1" * 16, first, "")
    kept.approve(1, 9, LATER, ["year=2016..2025"])
    assert kept.use("alice", other).number == 1
    kept.add("alice", "2" * 16, other, "")
    assert kept.use("alice", other).number == 1  # undecided
    kept.deny(2, "not that year")
    with pytest.raises(icm.PolicyError, match="denied: not that year"):
        kept.use("alice", other)
    kept.approve(2, 1, LATER)
    assert kept.use("alice", other).number == 2
    assert kept.use("alice", other).number == 1
    assert kept.use("alice", first).number == 1
    with pytest.raises(icm.PolicyError, match="nobody approved"):
        kept.use("mallory", other)
    kept.deny(1, "over")
    assert not kept.of(1).ranges


def test_the_narrower_owner_wins(registry, tmp_path):
    """Each owner holds a question against what it approved itself."""
    frame, _ = registry
    first, other = (question(frame[frame["year"] >= year]["cost"].mean()) for year in (2020, 2024))
    owners = [Requests(tmp_path / name) for name in ("bob", "dora")]
    for kept, params in zip(owners, ("year=2016..2025", "year=2020..2022"), strict=True):
        kept.add("alice", "1" * 16, first, "")
        kept.approve(1, 9, LATER, [params])
    assert [kept.use("alice", first).used for kept in owners] == [1, 1]
    assert owners[0].use("alice", other).used == 2
    with pytest.raises(icm.PolicyError, match="approved for year from 2020 to 2022 alone"):
        owners[1].use("alice", other)
    owners[1].deny(1, "")
    with pytest.raises(icm.PolicyError, match="denied"):
        owners[1].use("alice", first)


# --- between instances ----------------------------------------------------------------------------------------------


def test_other_values_run_without_another_request(registry, organisations):
    frame, bob = registry
    home, rows = organisations["bob"][0], table()

    def query(year):
        return frame[frame["year"] >= year]["cost"].mean()

    def wanted(year):
        return pytest.approx(rows[rows["year"] >= year]["cost"].mean(), rel=1e-12)

    handle = query(2020).request()
    number = number_of(bob, handle)
    assert "parameters: year = 2020" in invoked(home, "show", str(number))
    said = invoked(home, "approve", str(number), "--times", "3", "--until", "2090-01-01", "--params", "year=2018..2025")
    assert "left open: year from 2018 to 2025" in said
    assert query(2022).reveal() == wanted(2022)  # before the one that was requested
    assert handle.result() == wanted(2020)
    with pytest.raises(icm.PolicyError, match="approved for year from 2018 to 2025 alone"):
        query(2017).reveal()
    assert bob.requests.of(number).used == 2
    assert query(2024).reveal() == wanted(2024)
    with pytest.raises(icm.PolicyError, match="was approved 3 times"):
        query(2023).reveal()
    assert query(2022).reveal() == wanted(2022)  # the stored answer: nothing is opened again
    told = json.loads(invoked(home, "show", str(number), "--json"))
    assert (told["parameters"], told["left_open"], told["used"]) == ({"year": 2020}, "year from 2018 to 2025", 3)
    assert "left open: year from 2018 to 2025; 3 of 3 uses" in invoked(home, "show", str(number))
    listed = json.loads(invoked(organisations["alice"][0], "jobs", "--json"))
    assert [one["owners"] for one in listed if one["id"] == handle.id] == [["bob: approved (year from 2018 to 2025)"]]
    entries = [entry for entry in bob.audit.entries() if entry.facts.get("request") == str(number)]
    assert [entry.facts["values"] for entry in entries] == ["year 2022", "year 2020", "year 2024"]


def test_thresholds_that_differ_in_few_rows_are_the_ledgers(registry):
    frame, bob = registry
    handle = frame[frame["cost"] >= 200.0]["age"].mean().request()
    number = number_of(bob, handle)
    bob.requests.approve(number, 100, LATER, ["cost=0..1000"])
    rows = table()
    assert handle.result() == pytest.approx(rows[rows["cost"] >= 200.0]["age"].mean(), rel=1e-12)
    near = float(rows["cost"][rows["cost"] > 201].min())
    with pytest.raises(icm.PolicyError, match="differ"):
        frame[frame["cost"] >= near]["age"].mean().reveal()


def lies(asked):
    """By name, what a driver that lies makes of a question within the range."""
    within = of_kind(2023, "int")(asked)
    statistic, selection, facts = within.what.statistics[0], within.what.selections[0], within.facts[0]
    where = selection.where
    unused = Expression((Literal(1, "int"), *(shifted(node) for node in where.nodes)))
    filled = Expression(
        tuple(Literal(True, "bool") if node == Literal(False, "bool") else node for node in where.nodes)
    )
    turned = Expression(
        tuple(replaced(node, function="less") if getattr(node, "function", "") == "greater_equal" else node
              for node in where.nodes)
    )  # fmt: skip

    def of(**changes):
        return msgspec.structs.replace(within, what=msgspec.structs.replace(within.what, **changes))

    def with_where(where):
        new = msgspec.structs.replace(selection, where=where)
        return of(selections=(new,), statistics=(msgspec.structs.replace(statistic, dataset=new.name),))

    return {
        "column": of(statistics=(msgspec.structs.replace(statistic, column="age"),)),
        "recipient": of(to="bob"),
        "one more": of(statistics=(statistic, msgspec.structs.replace(statistic, column="age"))),
        "policy": msgspec.structs.replace(
            within, facts=(msgspec.structs.replace(facts, policy=msgspec.structs.replace(facts.policy, min_rows=3)),)
        ),
        "unused node": with_where(unused),
        "missing values": with_where(filled),
        "turned": with_where(turned),
        "no filter": of(selections=(), statistics=(msgspec.structs.replace(statistic, dataset=selection.dataset),)),
    }


def shifted(node):
    return replaced(node, arguments=tuple(one + 1 for one in node.arguments)) if isinstance(node, Apply) else node


def replaced(node, **changes):
    return msgspec.structs.replace(node, **changes)


def test_a_lying_driver_changes_nothing_but_the_value(registry):
    frame, bob = registry
    handle = frame[frame["year"] >= 2020]["cost"].sum().request()
    number = number_of(bob, handle)
    bob.requests.approve(number, 1000, LATER, ["year=2016..2025"])
    (name,) = handle._job.datasets
    call = MayRun("question", handle._job.question, ("registry",), {name: "registry"}, handle._job.parties)
    for lie in lies_of(call):
        before = bob.requests.of(number).used
        with pytest.raises(icm.PolicyError):
            told(bob, changed(call, lie))
        assert bob.requests.of(number).used == before
    assert told(bob, changed(call, of_kind(2023, "int"))).counted
    assert bob.requests.of(number).used == 1


def test_what_did_not_begin_leaves_no_place_for_other_values(registry):
    """Nobody prepares one value after the other, to see which of them rows refuse."""
    frame, bob = registry
    handle = frame[frame["year"] >= 2020]["age"].sum().request()
    number = number_of(bob, handle)
    bob.requests.approve(number, 1000, LATER, ["year=2016..2025"])
    (name,) = handle._job.datasets
    call = MayRun("question", handle._job.question, ("registry",), {name: "registry"}, handle._job.parties, "v" * 16)

    def used(year, back=False):
        told(bob, msgspec.structs.replace(changed(call, of_kind(year, "int")), back=back))
        return bob.requests.of(number).used

    assert [used(2023), used(2023, back=True), used(2022), used(2022, back=True)] == [1, 1, 2, 2]
    assert [used(2023), used(2022), used(2023)] == [2, 2, 3]


def lies_of(call):
    names = ("column", "recipient", "one more", "policy", "unused node", "missing values", "turned", "no filter")
    return [lambda asked, name=name: lies(asked)[name] for name in names]
