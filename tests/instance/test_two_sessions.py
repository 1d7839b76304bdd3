"""Two sessions about one dataset, of one asker and of two: both are answered, and every question is held against the
other's.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

import icm_ray as icm
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.offer import offer
from icm_ray.instance.settings import Settings
from icm_ray.runtime.worker.answer_ledger import read_entries
from tests.instance.conftest import meet, rows

pytestmark = pytest.mark.slow

ROWS = rows(5)


@pytest.fixture(scope="module")
def sessions(organisations, alice):
    """Two of alice, and one of gina; what bob offers all of them, and the folder of his ledgers."""
    folder, bob = organisations["bob"]
    path = folder.parent / "shared.parquet"
    ROWS.to_parquet(path)
    home = folder.parent / "gina"
    found(home, Settings("gina", "organisation", "127.0.0.1:0", spare_workers=0))
    with Instance(home) as gina:
        meet(gina, bob)
        meet(organisations["carol"][1], gina)
        offer(bob.catalogue, "shared", [str(path)], icm.Policy(min_rows=10, row_sets=500), ("alice", "gina"))
        with icm.connect(organisations["alice"][0]) as other, icm.connect(home) as his:
            yield {"alice": alice, "alice again": other, "gina": his}, folder / "ledger"
        bob.catalogue.remove("shared")


def asked(session, low, high=100):
    frame = session.peer("bob")["shared"]
    return frame[(frame["age"] >= low) & (frame["age"] < high)]["cost"].sum().reveal()


def wanted(low, high=100):
    return ROWS[(ROWS["age"] >= low) & (ROWS["age"] < high)]["cost"].sum()


def test_in_turn(sessions):
    """... and what one asked, the other's question is held against."""
    mine, again, his = sessions[0].values()
    for low, session in ((10, mine), (20, again), (30, his), (40, mine), (50, his), (60, again), (20, mine)):
        assert asked(session, low) == wanted(low)
    for session in (again, his, mine):
        with pytest.raises(icm.PolicyError, match="fewer than 10 rows are the difference"):
            asked(session, 40, 98)


@pytest.fixture
def counted(sessions, organisations):
    """Rows of alice's own, and of bob's, about which she may request questions."""
    path = organisations["bob"][0].parent / "counted.parquet"
    ROWS.to_parquet(path)
    organisations["alice"][1]._answers._outbox._fresh = 0.0
    for name, requests in (("alice", ()), ("bob", ("alice",))):
        offer(organisations[name][1].catalogue, "counted", [str(path)], icm.Policy(min_rows=10), (), requests)
    yield {"alice": "counted", "bob": "counted"}
    for name in ("alice", "bob"):
        organisations[name][1].catalogue.remove("counted")


def test_a_question_that_came_too_late_takes_one_use(sessions, organisations, counted):
    """Of bob's approval, where alice's worker has heard of her other session's question: it is asked again."""
    mine, again = (sessions[0][name] for name in ("alice", "alice again"))
    requests = organisations["bob"][1].requests
    frame, elsewhere = mine.frame(counted), again.peer("alice")["counted"]
    handle = frame[frame["age"] >= 20]["cost"].sum().request()
    (number,) = [one.number for one in requests.all if one.job == handle.id]
    requests.approve(number, 1, 4e9)
    assert elsewhere[elsewhere["age"] >= 60]["cost"].sum().reveal() == wanted(60)
    assert handle.result() == 2 * wanted(20)
    assert requests.of(number).used == 1


def test_at_the_same_time(sessions):
    """Four questions of each, as soon as they can be asked."""
    edges = {name: range(place, 12, 3) for place, name in enumerate(sessions[0])}

    def ask(name):
        return [asked(sessions[0][name], 5 * low, 5 * low + 15) for low in edges[name]]

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, edges))
    assert answers == [[wanted(5 * low, 5 * low + 15) for low in lows] for lows in edges.values()]
    (path,) = sessions[1].glob("bob.shared/bob.jsonl")
    entries, _ = read_entries(path)
    assert len({entry.session for entry in entries}) == 3
