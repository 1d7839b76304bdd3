"""Sessions: where they run, what they refuse, how they end."""

import os
import subprocess
import sys
import threading
from time import monotonic

import numpy as np
import pytest

import icm_ray as icm
from icm_ray import errors
from icm_ray.config import EngineConfig
from icm_ray.planner.placement import NodeFacts
from icm_ray.policy import Policy
from icm_ray.query.tasks import PushedSource
from icm_ray.runtime.carriers import cluster
from icm_ray.runtime.carriers.cluster import Cluster
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.driver.engine import LaneJob
from tests.chaos.victims import alive, gone
from tests.runtime import programs

BAD_NAMES = [
    (("alice",), (), "two parties or more"),
    ((), (), "two parties or more"),
    ("alice", (), "tuples of names"),
    (3, (), "tuples of names"),
    (("alice", "alice"), (), "named twice"),
    (("alice", "bob"), ("bob",), "named twice"),
    (("alice", "dealer"), (), "the engine's own"),
    (("alice", "Driver"), (), "the engine's own"),
    (("alice", "b/ob"), (), "cannot be a name"),
    (("alice", ""), (), "cannot be a name"),
    (("alice", "b" * 40), (), "cannot be a name"),
    (("alice", "bob"), ("9carol",), "cannot be a name"),
]


@pytest.mark.parametrize(("parties", "owners", "words"), BAD_NAMES)
def test_names_that_cannot_be(parties, owners, words):
    for make in (icm.Session, ProcessEngine):
        with pytest.raises(icm.OwnerError, match=words):
            make(parties, owners)


def test_settings_that_cannot_be():
    with pytest.raises(icm.InputError, match="no setting 'fractionbits'; there are fraction_bits"):
        icm.Session(fractionbits=20)
    with pytest.raises(icm.InputError, match="0 lanes"):
        icm.Session(lanes=0)
    with pytest.raises(icm.InputError, match="-1 lanes"):
        icm.Session(lanes=np.int64(-1))
    for lanes in ("two", True, 2.0, np.ones(2, int)):
        with pytest.raises(icm.InputError, match="lanes must be a whole number"):
            icm.Session(lanes=lanes)
    with pytest.raises(icm.InputError, match="address is text"):
        icm.Session(address=6379)
    with pytest.raises(icm.InputError, match="silence"):
        ProcessEngine(config=EngineConfig(silence=1.0))


def run(code: str, timeout: float = 60.0, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, "-c", code],
        env=clean | environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def test_import_is_light():
    code = (
        "import time; start = time.process_time(); import icm_ray; spent = time.process_time() - start; import sys; "
        "assert not {'ray', 'numba', 'torch', 'pyarrow'} & set(sys.modules); print(spent)"
    )
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.3


def test_everything_exported_is_there():
    assert set(icm.__all__) == {"Noise", "Policy", "Session", "Withheld", "connect", "reveal", *errors.__all__}
    assert len(icm.__all__) == len(set(icm.__all__))
    for name in icm.__all__:
        assert getattr(icm, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        icm.nothing  # noqa: B018


@pytest.mark.parametrize("address", ["ray://head:10001"])
@pytest.mark.slow
def test_ray_client_is_refused(address):
    code = f"import icm_ray; icm_ray.Session(address={address!r})"
    for done in (run(code), run("import icm_ray; icm_ray.Session()", RAY_ADDRESS=address)):
        assert "SessionError" in done.stderr
        assert "Ray Client address" in done.stderr


@pytest.mark.slow
def test_a_cluster_that_is_not_there():
    code = (
        "import icm_ray, time; start = time.monotonic()\n"
        "try: icm_ray.Session(address='127.0.0.1:1')\n"
        "except icm_ray.SessionError as error: print(error)\n"
    )
    done = run(code)
    assert "127.0.0.1:1" in done.stdout, done.stderr
    assert "RAY_AUTH_MODE=token" in done.stdout


@pytest.mark.slow
def test_after_an_interrupted_run_the_lane_is_usable_until_it_is_closed():
    engine = ProcessEngine(config=EngineConfig(free_programs=True))
    handles = [handle.process.pid for handle in engine.handles]
    _interrupt_a_run_of(engine)
    engine.close()
    engine.close()
    assert alive(handles) == []
    for action in (
        lambda: engine.execute([]),
        lambda: engine.open_table("alice", PushedSource(1), [b""]),
        lambda: engine.gather({}),
        lambda: engine.forget(["x"]),
        lambda: engine.set_policy("x", Policy()),
    ):
        with pytest.raises(icm.SessionClosed):
            action()


def _interrupt_a_run_of(engine: ProcessEngine) -> None:
    values = np.arange(1000, dtype=np.uint64)
    job = LaneJob(0, programs.compared(engine, 1000, "alice", 3), given={"bob": {"x": values}})
    timer = threading.Timer(0.5, engine._lanes[0].interrupt)
    timer.start()
    with pytest.raises(icm.SessionError, match="interrupted"):
        engine.execute([job] * 100_000)
    timer.join()
    engine._lanes[0].resume()
    (done,) = engine.execute([job])
    assert done.results["count"].tolist() == [1000 + 999 + 998]


@pytest.mark.ray
def test_joins_the_ray_of_this_process_and_leaves_it_running(ray_cluster):
    with icm.Session(fraction_bits=20) as session:
        assert session.lanes == 1
        assert session.config.fraction_bits == 20
        assert "open" in repr(session)
        workers = [handle._pid for lane in session._lanes for handle in lane.handles.values()]
        assert len(alive(workers)) == 3
        with pytest.raises(icm.SessionError, match="initialised Ray already"):
            icm.Session(address="auto")
    assert "closed" in repr(session)
    assert gone(workers, 1.0) == []
    assert ray_cluster.is_initialized()
    with pytest.raises(icm.SessionClosed):
        session.execute([])


@pytest.mark.ray
def test_five_parties_fit_two_cores(ray_cluster):
    names = ("alice", "bob", "charlie", "dora", "eve")
    with icm.Session(names, free_programs=True) as session:
        given = {name: {f"from {name}": np.full(4, 5, np.uint64)} for name in ("alice", "eve")}
        for to in ("charlie", "driver"):
            program = programs.pooled_sum(session, to, 4, ("alice", "eve"))
            (done,) = session.execute([LaneJob(0, program, given=given)])
            assert done.results["total"].tolist() == [40]


@pytest.mark.ray
def test_an_exception_in_the_block_leaves_nothing(ray_cluster):
    def block(workers: list[int]) -> None:
        with icm.Session() as session:
            workers += [handle._pid for handle in session._lanes[0].handles.values()]
            raise RuntimeError("the user's own")

    workers: list[int] = []
    with pytest.raises(RuntimeError, match="the user's own"):
        block(workers)
    assert len(workers) == 3
    assert gone(workers, 1.0) == []


@pytest.mark.ray
def test_a_full_cluster_is_an_error_that_names_party_and_resource(ray_cluster, monkeypatch):
    looks = []

    def full():
        looks.append(monotonic())
        return [NodeFacts("n", 0.0)]

    assert cluster._SETTLE == 5.0
    monkeypatch.setattr(cluster, "_SETTLE", 0.5)
    monkeypatch.setattr(Cluster, "nodes", staticmethod(full))
    with pytest.raises(icm.PlacementError, match="alice: no free CPU on n") as caught:
        icm.Session()
    assert caught.value.where == {"party": "alice", "missing": "CPU"}
    assert 0.5 <= looks[-1] - looks[0] < 5  # CPUs of workers that have just ended come back a little later
    assert ray_cluster.is_initialized()


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("between", ["", "ray.init(address='local', num_cpus=1, include_dashboard=False)"])
def test_a_ray_that_was_shut_down_under_a_session(between):
    code = f"""
import icm_ray, ray
ray.init(address="local", num_cpus=2, include_dashboard=False)
session = icm_ray.Session()
workers = [handle._pid for handle in session._lanes[0].handles.values()]
ray.shutdown()
{between}
try: session.set_policy("x", icm_ray.Policy())
except icm_ray.IcmError as error: print(type(error).__name__)
session.close()
from tests.chaos.victims import gone
print(gone(workers, 2.0), ray.is_initialized())
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["PeerLost", f"[] {bool(between)}"]


@pytest.mark.ray
@pytest.mark.slow
def test_starts_a_cluster_of_its_own_quietly_and_ends_it():
    code = """
import glob, icm_ray
with icm_ray.Session() as session:
    print(session.lanes, len(glob.glob("/tmp/icm-ray-*/ray/session_latest")) > 0)
"""
    done = run(code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[1] == "True"
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
