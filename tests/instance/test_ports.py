"""A range of ports that is used up is said to be."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest

import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.instance.engine import OrganisationEngine
from icm_ray.instance.halves import Halves
from icm_ray.instance.settings import Settings


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield held.getsockname()[1]


def test_a_worker_says_that_its_ports_are_taken(taken):
    settings = Settings("bob", worker_ports=(taken, taken))
    halves = Halves(settings, EngineConfig(), lambda: ("bob", "127.0.0.1", taken, b""))
    try:
        with pytest.raises(icm.PlacementError, match=f"bob cannot listen: port {taken} is taken") as refused:
            halves.start("alice", "0123456789abcdef", 0)
        assert refused.value.where["party"] == "bob"
        assert halves.lost("alice", "0123456789abcdef", 0) == "it was ended"
    finally:
        halves.close()


def test_a_users_own_process_does_so(taken):
    settings = Settings("alice", worker_ports=(taken, taken))
    own = SimpleNamespace(name="alice", peers={}, dealer="carol", link=SimpleNamespace(settings=settings))
    with pytest.raises(icm.PlacementError, match="driver cannot listen"):
        OrganisationEngine(own, ("bob",))
