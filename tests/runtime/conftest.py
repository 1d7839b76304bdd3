"""The three runners behind one fixture, and the test session's Ray cluster."""

import logging

import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import SessionError
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.carriers.threads import ThreadEngine

PARTIES, OWNERS, LANES = ("alice", "bob"), ("carol",), 2
FREE = EngineConfig(free_programs=True)  # programs of these tests are written by hand


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
        return ThreadEngine(PARTIES, OWNERS, LANES, FREE)
    if kind == "processes":
        return ProcessEngine(PARTIES, OWNERS, LANES, FREE)
    from icm_ray.runtime.session import Session

    return Session(PARTIES, OWNERS, lanes=LANES, config=FREE)


class Runners:
    """Engines that are started when they are first asked for, and again when a test has broken them."""

    def __init__(self):
        self._running = {}

    def get(self, kind: str):
        engine = self._running.get(kind)
        if engine is not None:
            try:
                engine.execute([])
            except SessionError:
                engine.close()
                engine = None
        if engine is None:
            engine = self._running[kind] = start(kind)
        return engine

    def close(self):
        for engine in self._running.values():
            engine.close()


@pytest.fixture(scope="session")
def runners():
    kept = Runners()
    yield kept
    kept.close()


@pytest.fixture(scope="session")
def ray_runners(ray_cluster):
    """Apart, so that they are closed before their cluster is."""
    kept = Runners()
    yield kept
    kept.close()


KINDS = ["threads", "processes", pytest.param("ray", marks=pytest.mark.ray)]


@pytest.fixture(params=KINDS)
def engine(request):
    """Two lanes of alice, bob, the outside owner carol and a dealer."""
    return running(request)


@pytest.fixture(params=KINDS)
def lanes(request):
    """The same, by the name under which tests look into them."""
    return running(request)


def running(request):
    kept = request.getfixturevalue("ray_runners" if request.param == "ray" else "runners")
    return kept.get(request.param)
