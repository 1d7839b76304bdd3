"""Lanes and placement from a snapshot of nodes; no Ray."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icm_ray.errors import InputError, PlacementError
from icm_ray.planner.placement import LABEL, NodeFacts, place

TWO = ("alice", "bob")
FIVE = ("alice", "bob", "charlie", "dora", "eve")


def node(name: str, cpus: float, party: str | None = None) -> NodeFacts:
    return NodeFacts(name, cpus, {LABEL: party} if party else {})


@pytest.mark.parametrize("parties", [TWO, FIVE])
@pytest.mark.parametrize("owners", [(), ("frank", "grace")])
def test_one_lane_fits_two_cores_and_leaves_one_free(parties, owners):
    placed = place([node("n", 2)], parties, owners)
    assert placed.lanes == 1
    assert 0 < placed.cpus * (len(parties) + len(owners) + 1) <= 1


def test_as_many_lanes_as_there_is_a_cpu_for_each_worker():
    assert place([node("a", 16), node("b", 16)], TWO).lanes == 10
    assert place([node("a", 16), node("b", 16)], TWO).cpus == 1.0
    assert place([node("a", 4)], TWO).lanes == 1


def test_lanes_that_were_asked_for_share_what_there_is():
    placed = place([node("a", 4)], TWO, lanes=4)
    assert placed.lanes == 4
    assert placed.cpus == 0.25


def test_few_lanes_that_were_asked_for_get_whole_cpus_each():
    assert place([node("a", 16)], TWO, lanes=1).cpus == 5
    assert place([node("a", 16)], TWO, lanes=2).cpus == 2
    assert place([node("a", 16)], TWO, lanes=4).cpus == 1
    assert place([node("a", 3, "alice"), node("b", 9, "bob"), node("d", 9)], TWO, lanes=1).cpus == 3
    assert place([node("a", 16)], TWO).cpus == 1, "as many lanes as there is a CPU for each worker"


def test_a_single_core_is_shared_too():
    assert 0 < place([node("a", 1)], TWO).cpus * 3 <= 0.5


def test_without_labels_nobody_is_bound():
    assert set(map(len, place([node("a", 2)], TWO, ("carol",)).selectors.values())) == {0}


def test_labels_bind_parties_owners_and_the_dealer():
    nodes = [node("a", 2, "alice"), node("b", 2, "bob"), node("c", 2, "carol"), node("d", 2, "dealer")]
    placed = place(nodes, TWO, ("carol",))
    assert placed.selectors == {name: {LABEL: name} for name in ("alice", "bob", "carol", "dealer")}


def test_the_dealer_takes_nodes_without_the_label():
    placed = place([node("a", 2, "alice"), node("b", 2, "bob"), node("d", 2)], TWO)
    assert placed.selectors["dealer"] == {LABEL: "!in(alice,bob)"}


@pytest.mark.parametrize(
    ("nodes", "missing"),
    [
        ([node("a", 2, "alice"), node("d", 2)], "bob"),
        ([node("a", 2, "alice"), node("b", 2, "bob")], "dealer"),
        ([node("x", 2, "other")], "alice"),
    ],
)
def test_a_label_that_nobody_has(nodes, missing):
    with pytest.raises(PlacementError, match=missing) as caught:
        place(nodes, TWO)
    assert caught.value.where == {"party": missing, "missing": f"{LABEL}={missing}"}


def test_a_party_whose_nodes_are_full():
    nodes = [node("a", 2, "alice"), node("b", 0, "bob"), node("d", 2)]
    with pytest.raises(PlacementError, match="bob: no free CPU on b") as caught:
        place(nodes, TWO)
    assert caught.value.where["missing"] == "CPU"


def test_no_cpu_at_all():
    with pytest.raises(PlacementError, match="CPU"):
        place([node("a", 0)], TWO)
    with pytest.raises(PlacementError, match="CPU"):
        place([], TWO)


def test_too_many_lanes():
    with pytest.raises(PlacementError, match="fewer lanes"):
        place([node("a", 2)], TWO, lanes=1000)


def test_no_lane_is_no_session():
    with pytest.raises(InputError, match="0 lanes"):
        place([node("a", 2)], TWO, lanes=0)


@given(
    st.lists(st.integers(1, 64), min_size=1, max_size=6),
    st.integers(2, 5),
    st.integers(0, 2),
    st.one_of(st.none(), st.integers(1, 12)),
)
def test_what_is_placed_fits_the_nodes(cores, parties, owners, lanes):
    nodes = [node(f"n{index}", count) for index, count in enumerate(cores)]
    placed = place(nodes, FIVE[:parties], ("frank", "grace")[:owners], lanes)
    workers = placed.lanes * (parties + owners + 1)
    assert placed.lanes >= 1
    assert lanes is None or placed.lanes == lanes
    assert sum(int((count + 1e-9) / placed.cpus) for count in cores) >= workers
    assert workers * placed.cpus <= max(sum(cores) - 1, 0.5) + 1e-9
    assert 0 < placed.cpus <= (1 if lanes is None else max(cores))
    assert placed.cpus < 1 or placed.cpus == int(placed.cpus)


@pytest.mark.parametrize(("free", "budget"), [(4.0, 3.0), (2.0, 1.0), (1.5, 0.75), (1.0001, 0.50005), (0.5, 0.25)])
def test_workers_take_all_but_one_cpu_or_half_of_them(free, budget):
    placed = place([NodeFacts("a", free)], ("alice", "bob"))
    assert placed.lanes == 1
    assert budget - 0.001 < 3 * placed.cpus <= budget


def test_where_cpus_are_taken_the_message_says_by_whom():
    with pytest.raises(PlacementError, match="no free CPU on a; close the other session, or add a node"):
        place([NodeFacts("a", 0.0)], ("alice", "bob"), taken="close the other session")


def test_lanes_that_have_no_cpu_for_each_worker_are_announced():
    placed = place([NodeFacts("a", 2.0, memory=64e9)], ("alice", "bob"), lanes=16)
    assert placed.notice == (
        "16 lanes of 3 workers: 48 processes start, with 10.1 GB of memory before any data, on 2 free CPUs"
    )
    assert place([NodeFacts("a", 2.0)], ("alice", "bob")).notice == ""
    assert place([NodeFacts("a", 64.0)], ("alice", "bob"), lanes=4).notice == ""


def test_lanes_that_memory_cannot_hold_are_refused():
    with pytest.raises(PlacementError, match=r"16 lanes of 3 workers need 10.1 GB of memory on a") as caught:
        place([NodeFacts("a", 2.0, memory=8e9)], ("alice", "bob"), lanes=16)
    assert caught.value.where["missing"] == "memory"
    assert place([NodeFacts("a", 2.0, memory=8e9)], ("alice", "bob"), lanes=4).lanes == 4
