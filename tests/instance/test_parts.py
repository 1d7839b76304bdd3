"""Questions that are asked in parts, under one approval: one use for all parts of a run, each derived by the owner."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import pandas as pd
import pytest

import analytics as an
import icm_ray as icm
from icm_ray.instance.canonical import canonical
from icm_ray.instance.offer import offer
from icm_ray.query.question import decode_asked, encode_asked
from icm_ray.runtime.orders.house import MayRun
from tests.instance.test_requests import LATER, changed, invoked, number_of, told


def table(count: int = 500) -> pd.DataFrame:
    random = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "age": random.integers(0, 100, count),
            "cost": np.round(random.gamma(2.0, 150.0, count) * 64) / 64,
            "ward": random.choice(["A", "B", "C"], count),
        }
    )


@pytest.fixture(scope="module")
def wards(organisations, alice) -> Iterator[tuple]:
    organisations["alice"][1]._answers._outbox._fresh = 0.0
    folder, bob = organisations["bob"]
    path = folder.parent / "wards.parquet"
    table().to_parquet(path)
    offer(bob.catalogue, "wards", [str(path)], icm.Policy(min_rows=5), (), ("alice",))
    yield alice.peer("bob")["wards"], bob
    bob.catalogue.remove("wards")


def approved(query, bob, times=1, params=()):
    handle = query.request()
    number = number_of(bob, handle)
    bob.requests.approve(number, times, LATER, params)
    return handle, number


@pytest.mark.slow
def test_a_quantile_is_searched_for_in_one_use(wards):
    frame, bob = wards
    handle, number = approved(frame["cost"].median(), bob, 2)
    assert handle.result() == table()["cost"].median()
    assert bob.requests.of(number).used == 1
    entries = [entry for entry in bob.audit.entries() if entry.facts.get("request") == str(number)]
    assert [entry.facts["use"] for entry in entries] == ["1 of 2"]
    bob.requests.deny(number, "enough")


def test_several_statistics_take_one_use(wards):
    frame, bob = wards
    rows = table()
    chosen, older = frame[frame["age"] >= 40], rows[rows["age"] >= 40]
    handle, number = approved(chosen[["cost", "age"]].quantile([0.25, 0.75]), bob)
    pd.testing.assert_frame_equal(handle.result(), older[["cost", "age"]].quantile([0.25, 0.75]), check_exact=True)
    assert bob.requests.of(number).used == 1
    handle, number = approved(frame.groupby("ward", domain=["A", "B", "C"])["cost"].agg(["mean", "median"]), bob)
    wanted = rows.groupby("ward")["cost"].agg(["mean", "median"])
    pd.testing.assert_frame_equal(handle.result(), wanted, check_exact=False, rtol=1e-9)
    assert bob.requests.of(number).used == 1
    handle, number = approved(frame["cost"].describe(), bob)
    assert handle.result()["50%"] == rows["cost"].median()
    assert bob.requests.of(number).used == 1


@pytest.mark.slow
def test_batches_take_one_use(wards, monkeypatch):
    frame, bob = wards
    monkeypatch.setattr("analytics.batches._MOST_WORDS", 40)
    query = frame.groupby("ward", domain=["A", "B", "C"])["cost"].agg(["sum", "mean", "std"])
    handle, number = approved(query, bob)
    pd.testing.assert_frame_equal(handle.result(), table().groupby("ward")["cost"].agg(["sum", "mean", "std"]))
    assert bob.requests.of(number).used == 1


@pytest.mark.slow
def test_values_that_are_left_open_are_one_runs(wards):
    frame, bob = wards
    rows = table()
    approved(frame[frame["age"] >= 50]["cost"].median(), bob, 2, ["age=20..80"])
    for age in (30, 60):
        assert frame[frame["age"] >= age]["cost"].median().reveal() == rows[rows["age"] >= age]["cost"].median()
    with pytest.raises(icm.PolicyError, match="approved 2 times"):
        frame[frame["age"] >= 70]["cost"].median().reveal()


@pytest.mark.slow
def test_row_sets_with_values_of_their_own_are_one_runs(wards):
    """... also in steps that ask of one of them alone: what is found of groups takes more of these."""
    frame, bob = wards
    rows = table()

    def query(young, old):
        first = frame[frame["age"] < young]["cost"].median()
        second = frame[frame["age"] >= old].groupby("ward", domain=["A", "B", "C"])["cost"].median()
        return an.Query((*first._parts, *second._parts), "medians", list)

    _, number = approved(query(50, 60), bob, 1, ["age.1=20..80", "age.2=20..80"])
    found = query(40, 70).reveal()
    assert found[0] == rows[rows["age"] < 40]["cost"].median()
    assert list(found[-1]) == rows[rows["age"] >= 70].groupby("ward")["cost"].median().tolist()
    assert bob.requests.of(number).used == 1


@pytest.mark.slow
def test_what_follows_in_the_groups_that_open_is_of_the_same_use(wards, organisations):
    frame, bob = wards
    rows = table()
    handle, number = approved(frame.groupby("ward")["cost"].agg(["mean", "median"]), bob, 3)
    told = invoked(organisations["bob"][0], "show", str(number))
    for words in (
        "mean of cost",
        "by the values of the groups that this opens, which the asker states",
        "median of cost",
    ):
        assert words in told
    wanted = rows.groupby("ward")["cost"].agg(["mean", "median"])
    pd.testing.assert_frame_equal(handle.result(), wanted, check_exact=False, rtol=1e-9)
    assert bob.requests.of(number).used == 1
    bob.requests.deny(number, "enough")  # of which the next one's first question is a part, too
    text = "SELECT ward, COUNT(*) AS n, MEDIAN(cost) AS middle FROM wards GROUP BY ward"
    handle, number = approved(an.sql(text, wards=frame), bob)
    assert handle.result()["middle"].tolist() == wanted["median"].tolist()
    assert bob.requests.of(number).used == 1


def test_what_follows_from_a_result_alone_cannot_be_requested(wards):
    frame, _ = wards
    query = an.Query(frame["cost"].sum()._parts, "sums", lambda results: results, follows=True)
    with pytest.raises(icm.InputError, match="standing approval"):
        query.request()


@pytest.fixture(scope="module")
def following(wards):
    """A median by private wards that is approved, and what the worker would tell its instance of each question."""
    frame, bob = wards
    handle, number = approved(frame.groupby("ward")["age"].median(), bob, 1000)
    (name,) = handle._job.datasets
    call = MayRun("question", handle._job.question, ("wards",), {name: "wards"}, handle._job.parties, "u" * 16)
    return bob, number, call, decode_asked(handle._job.follows)


@pytest.mark.parametrize("to", ["bob", "alice"])
def test_what_follows_is_for_whom_the_question_is_for(following, to):
    _, _, call, then = following
    other = encode_asked(msgspec.structs.replace(then, what=msgspec.structs.replace(then.what, to=to)))
    facts = call.asked, "bob", call.names, call.parties, {"wards": "v"}, other
    if to == then.what.to:
        assert canonical(*facts).follows is not None
    else:
        with pytest.raises(icm.PolicyError, match="what follows is for somebody else"):
            canonical(*facts)


def grouped(asked, **changes):
    """What follows, by other groups."""
    (selection,) = asked.what.selections
    key = msgspec.structs.replace(selection.by[0], **changes)
    new = msgspec.structs.replace(selection, by=(key,))
    statistics = tuple(msgspec.structs.replace(one, dataset=new.name) for one in asked.what.statistics)
    what = msgspec.structs.replace(asked.what, selections=(new,), statistics=statistics)
    return msgspec.structs.replace(asked, what=what)


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({"domain": ("A", "B")}, True),
        ({"domain": ("Z",)}, True),  # the policy withholds what has few rows, whoever states it
        ({"of": "age", "domain": (5, 7)}, False),
        ({"domain": tuple(f"ward {number}" for number in range(5000))}, False),
        ({"domain": (1, 2)}, False),
    ],
)
def test_what_follows_is_by_any_groups_of_the_same_keys(following, changes, allowed):
    bob, number, call, then = following
    told(bob, msgspec.structs.replace(call, session=repr(changes)[:40]))
    before = bob.requests.of(number).used
    lie = msgspec.structs.replace(call, asked=encode_asked(grouped(then, **changes)), session=repr(changes)[:40])
    if allowed:
        told(bob, lie)
        told(bob, lie)
        assert bob.requests.of(number).used == before + 1  # the second time it is another run
    else:
        with pytest.raises(icm.PolicyError):
            told(bob, lie)
        assert bob.requests.of(number).used == before


# --- lies -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def searched(wards):
    """A median and a mean that are approved, as the worker would tell its instance."""
    frame, bob = wards
    handle, number = approved(frame["cost"].agg(["median", "mean"]), bob, 1000)
    (name,) = handle._job.datasets
    call = MayRun("question", handle._job.question, ("wards",), {name: "wards"}, handle._job.parties, "q" * 16)
    return bob, number, call


def step(asked, digits, prefix=0):
    """A part: the median alone, at a step of its search."""
    (median,) = [one for one in asked.what.statistics if hasattr(one, "digits")]
    ranks = 2 if len(table()) % 2 == 0 else 1
    at = msgspec.structs.replace(median, digits=digits, prefixes=((prefix,),) * ranks)
    return msgspec.structs.replace(asked, what=msgspec.structs.replace(asked.what, statistics=(at,)))


def test_each_step_and_each_statistic_is_once_in_a_use(searched):
    bob, number, call = searched
    before = bob.requests.of(number).used

    def used(asked=None, session="q" * 16, stage=0):
        payload = call.asked if asked is None else encode_asked(asked)
        told(bob, msgspec.structs.replace(call, asked=payload, session=session, stage=stage))
        return bob.requests.of(number).used - before

    whole = decode_asked(call.asked)
    assert used() == 1
    assert [used(step(whole, 1)), used(step(whole, 2))] == [1, 1]
    assert used(step(whole, 1, 3)) == 2  # other digits, of another run
    assert used(step(whole, 2, 3)) == 2
    assert used(step(whole, 3), session="r" * 16) == 3  # and of another session
    mean = msgspec.structs.replace(whole.what, statistics=whole.what.statistics[1:])
    assert used(msgspec.structs.replace(whole, what=mean)) == 3  # of the second run, which did not ask it


def turned(asked):
    what = msgspec.structs.replace(asked.what, statistics=asked.what.statistics[::-1])
    return msgspec.structs.replace(asked, what=what)


def twice(asked):
    what = msgspec.structs.replace(asked.what, statistics=(asked.what.statistics[-1],) * 2)
    return msgspec.structs.replace(asked, what=what)


def other_rank(asked):
    found = step(asked, 1)
    (median,) = found.what.statistics
    other = msgspec.structs.replace(median, q=0.9)
    return msgspec.structs.replace(found, what=msgspec.structs.replace(found.what, statistics=(other,)))


def other_column(asked):
    found = step(asked, 1)
    (median,) = found.what.statistics
    other = msgspec.structs.replace(median, column="age")
    return msgspec.structs.replace(found, what=msgspec.structs.replace(found.what, statistics=(other,)))


def other_recipient(asked):
    found = step(asked, 1)
    return msgspec.structs.replace(found, what=msgspec.structs.replace(found.what, to="bob"))


def no_digits(asked):
    return step(asked, 0, 5)


@pytest.mark.parametrize("lie", [turned, twice, other_rank, other_column, other_recipient, no_digits])
def test_what_is_no_part(searched, lie):
    bob, number, call = searched
    before = bob.requests.of(number).used
    with pytest.raises(icm.PolicyError):
        told(bob, changed(call, lie))
    assert bob.requests.of(number).used == before


def test_a_run_does_not_outlive_its_approval(searched):
    bob, number, call = searched
    told(bob, msgspec.structs.replace(call, session="s" * 16))
    bob.requests.deny(number, "no more")
    with pytest.raises(icm.PolicyError, match="denied"):
        told(bob, changed(msgspec.structs.replace(call, session="s" * 16), lambda asked: step(asked, 1)))
    bob.requests.approve(number, 1000, LATER)
