"""The three runners behind one fixture, and the test session's Ray cluster."""

import logging

import pytest

from icm_ray.config import EngineConfig
from icm_ray.runtime.processes import ProcessEngine
from icm_ray.runtime.threads import ThreadEngine

PARTIES, OWNERS, LANES = ("alice", "bob"), ("carol",), 2


@pytest.fixture(scope="session")
def ray_cluster():
    """A Ray of 2 CPUs that this process has initialised; shared with tests/chaos."""
    import ray

    if ray.is_initialized():
        yield ray
        return
    logging.getLogger("ray").setLevel(logging.ERROR)
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield ray
    ray.shutdown()


def start(kind: str):
    if kind == "threads":
        return ThreadEngine(PARTIES, OWNERS, LANES)
    if kind == "processes":
        return ProcessEngine(PARTIES, OWNERS, LANES, EngineConfig())
    from icm_ray.runtime.session import Session

    return Session(PARTIES, OWNERS, lanes=LANES)


KINDS = ["threads", "processes", pytest.param("ray", marks=pytest.mark.ray)]


@pytest.fixture(scope="module", params=KINDS)
def engine(request):
    """Two lanes of alice, bob, the outside owner carol and a dealer."""
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    with start(request.param) as running:
        yield running


@pytest.fixture(scope="module", params=KINDS[1:])
def lanes(request):
    """The same, of processes and actors alone."""
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    with start(request.param) as running:
        yield running
