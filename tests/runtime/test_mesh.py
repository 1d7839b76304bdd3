"""A worker's links to its lane: those of an earlier generation end when new ones take their place."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import PeerLost
from icm_ray.ops.seams import NO_PROGRAM, Address, Frame
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.worker.mesh import Mesh
from icm_ray.transport import DelayedLink, Switchboard, TransportConfig

NAMES = ("alice", "bob")
FRAME = Frame(Address(1, NO_PROGRAM, 0, 0), 0)


@pytest.fixture
def opened():
    """Opens the links of both members' meshes, in a generation; returns what protocols of each get."""
    board, meshes = Switchboard(TransportConfig(message_timeout=10)), {}
    stations = {name: board.station(name) for name in NAMES}
    members = tuple((name, here.endpoint.host, here.endpoint.port, b"") for name, here in stations.items())
    plan = LanePlan("session", 0, NAMES, (), members, ("driver", "", 0, b""))

    def open_all(generation, **slow):
        for name, station in stations.items():
            meshes.setdefault(name, Mesh(station, EngineConfig(**slow)))
        with ThreadPoolExecutor(len(NAMES)) as pool:
            list(pool.map(lambda mesh: mesh.open(plan, generation), meshes.values()))
        return {name: mesh.seams() for name, mesh in meshes.items()}

    yield open_all
    for mesh in meshes.values():
        mesh.close()


def delayed(seams):
    found = [link for links in seams.values() for link in links.values()]
    assert all(isinstance(link, DelayedLink) for link in found)
    return found


@pytest.mark.parametrize("slow", [{"rtt_ms": 3_600_000.0}, {"mbit": 1e-6}])
def test_a_relink_ends_what_slowed_the_old_links_and_what_was_on_its_way(opened, slow):
    old = delayed(opened(0, **slow))
    old[0].send(FRAME, (np.zeros(1, np.uint64),))  # hours from its peer
    new = delayed(opened(1, **slow))
    assert not any(link._thread.is_alive() for link in old)
    assert all(link._thread.is_alive() for link in new)
    with pytest.raises(PeerLost):
        old[0].send(FRAME, (np.zeros(1, np.uint64),))


def test_a_relink_cuts_old_links_that_nobody_has_cut(opened):
    old = opened(0)["alice"]["bob"]
    opened(1)
    with pytest.raises(PeerLost, match="closed on this side"):
        old.send(FRAME, (np.zeros(1, np.uint64),))
    with pytest.raises(PeerLost):
        old.receive_message()
