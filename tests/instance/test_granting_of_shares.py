"""Runs under approvals that share rows, at the owner's instance alone."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

import icm_ray as icm
from icm_ray.instance.canonical import canonical, in_words
from icm_ray.instance.granting import Granting
from icm_ray.instance.requests import Requests
from icm_ray.query.owner_rows import OwnerRows, OwnerTable
from icm_ray.query.question import Asked, Question, SharedColumn, Sharing, encode_asked
from icm_ray.query.sharing import secret_rows
from icm_ray.query.statistics.mean import Mean
from icm_ray.query.tasks import ColumnInfo
from icm_ray.runtime.orders.house import MayRun

LATER = 4e9
COLUMNS = ColumnInfo("age", "int", nullable=False), ColumnInfo("cost", "float", nullable=False)
PARTIES = ("alice", "bob")
VERSIONS = {"people": "1"}


def asked(column: str, into: str = "shares-1", table: str = "table-1", lanes: tuple[int, ...] = (0, 1)):
    """A mean of shares of 300 rows, and the sharing that makes them."""
    rows = OwnerRows(
        table, COLUMNS, (OwnerTable(table, "bob", (100, 200), lanes),), policy=icm.Policy(name="bob.people", min_rows=5)
    )
    columns = tuple(SharedColumn(info.name, info.name) for info in COLUMNS)
    sharing = Asked(Sharing(table, into, columns, 16, 20), (rows,))
    question = Asked(Question((Mean(into, column),), "alice"), (secret_rows(sharing.what, rows),))
    return encode_asked(question), encode_asked(sharing)


def calls(column: str, into: str = "shares-1", **facts):
    """What bob's worker would tell of the sharing, and of the question."""
    question, sharing = asked(column, into, **facts)
    names = {facts.get("table", "table-1"): "people"}
    share = MayRun("question", sharing, ("people",), names, PARTIES, "s" * 16, shared=(sharing,), purpose=question)
    return share, MayRun(
        "question", question, ("people",), {**names, into: "people"}, PARTIES, "s" * 16, shared=(sharing,)
    )


@pytest.fixture
def kept(tmp_path):
    """Requests 1 and 2, of the means of age and of cost: both approved twice."""
    requests = Requests(tmp_path)
    for number, column in enumerate(("age", "cost"), 1):
        question, sharing = asked(column, "shares-9", "table-9", (0, 0))
        form = canonical(question, "bob", {"table-9": "people"}, PARTIES, VERSIONS, shared=(sharing,))
        assert "shared for this question alone: age, cost; 300 rows of bob (bob.people)" in in_words(form)
        assert requests.add("alice", str(number) * 16, form, "").number == number
        requests.approve(number, 2, LATER)
    return requests


def used(kept):
    return [one.used for one in kept.all]


def test_what_is_shared_and_what_is_asked_of_it_are_one_use(kept):
    """In names, lanes and partitions of any session; stages of a sharing are of one run."""
    granting = Granting("bob", kept)
    share, ask = calls("age")
    assert granting.grant("alice", share, VERSIONS).request.used == 1
    assert granting.grant("alice", replace(share, stage=1, lane=1), VERSIONS) is None
    assert granting.grant("alice", ask, VERSIONS) is None
    assert used(kept) == [1, 0]
    assert granting.grant("alice", ask, VERSIONS).request.used == 2  # another time, for which rows may be shared again
    assert granting.grant("alice", share, VERSIONS) is None
    with pytest.raises(icm.PolicyError, match="approved 2 times, and was asked so often"):
        granting.grant("alice", ask, VERSIONS)
    with pytest.raises(icm.PolicyError, match="approved 2 times, and was asked so often"):
        granting.grant("alice", share, VERSIONS)


def test_nothing_is_asked_of_what_was_not_shared_for_it(kept):
    """... also where so many other runs were begun since that it is not known any more."""
    granting = Granting("bob", kept)
    share, ask = calls("age")
    with pytest.raises(icm.PolicyError, match="were not shared"):
        granting.grant("alice", ask, VERSIONS)
    granting.grant("alice", share, VERSIONS)
    granting._runs["alice"].clear()
    with pytest.raises(icm.PolicyError, match="were not shared"):
        granting.grant("alice", ask, VERSIONS)
    assert used(kept) == [1, 0]


def test_a_job_that_did_not_begin_leaves_its_place(kept):
    granting = Granting("bob", kept)
    share, ask = calls("age")
    granting.grant("alice", share, VERSIONS)
    granting.give_back("alice", replace(share, back=True))
    for call in (share, ask, ask):
        assert granting.grant("alice", call, VERSIONS) is None
        if call is ask:
            granting.give_back("alice", replace(ask, back=True))
    assert used(kept) == [1, 0]


def test_shares_of_one_request_serve_no_other(kept):
    granting = Granting("bob", kept)
    share, _ = calls("age")
    _, other = calls("cost")
    granting.grant("alice", share, VERSIONS)
    with pytest.raises(icm.PolicyError, match="shared for request 1, which does not cover this"):
        granting.grant("alice", other, VERSIONS)
    granting.grant("alice", calls("cost", "shares-2")[0], VERSIONS)
    assert granting.grant("alice", calls("cost", "shares-2")[1], VERSIONS) is None
    assert used(kept) == [1, 1]


@pytest.mark.parametrize("end", ["deny", "expire", "offered anew"])
def test_shares_do_not_outlive_their_approval(kept, end):
    granting = Granting("bob", kept)
    share, ask = calls("age")
    granting.grant("alice", share, VERSIONS)
    versions = VERSIONS
    if end == "deny":
        kept.deny(1, "no more")
    elif end == "expire":
        kept._clock = lambda: LATER
    else:
        versions = {"people": "2"}
    with pytest.raises(icm.PolicyError, match=r"denied: no more|has expired|does not cover this"):
        granting.grant("alice", ask, versions)


def test_who_did_not_ask_shares_nothing(kept):
    granting = Granting("bob", kept)
    share, ask = calls("age")
    granting.grant("alice", share, VERSIONS)
    for call, refusal in ((share, "nobody approved"), (ask, "were not shared")):
        with pytest.raises(icm.PolicyError, match=refusal):
            granting.grant("mallory", call, VERSIONS)


@pytest.mark.parametrize(
    "lie",
    [
        lambda share, ask: replace(share, purpose=b""),
        lambda share, ask: replace(share, shared=()),
        lambda share, ask: replace(share, purpose=share.asked),
        lambda share, ask: replace(share, asked=calls("age", "shares-2")[0].asked),
        lambda share, ask: replace(ask, shared=()),
        lambda share, ask: replace(ask, shared=ask.shared * 2),
        lambda share, ask: replace(ask, shared=(*ask.shared, asked("age", "shares-3")[1])),
        lambda share, ask: replace(ask, shared=(asked("age", "shares-1", "table-2")[1],)),
    ],
)
def test_a_lie_is_refused_and_takes_no_use(kept, lie):
    granting = Granting("bob", kept)
    with pytest.raises(icm.PolicyError):
        granting.grant("alice", lie(*calls("age")), VERSIONS)
    assert used(kept) == [0, 0]
