"""Workers for peers share so many cores, whoever asks; those of the own organisation have all of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import icm_ray as icm
from icm_ray.config import EngineConfig
from icm_ray.instance import halves as module
from icm_ray.instance.halves import Halves
from icm_ray.instance.settings import Settings, read_settings, write_settings
from icm_ray.runtime.carriers.processes import ProcessHandle
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.orders.lane_plan import Place

HOUSE = ("bob", "127.0.0.1", 1, b"")
SESSION = "0" * 16
LINES = """
import os, threading
from pathlib import Path
from icm_ray.runtime.worker.core_limit import limit_cores

def cores():
    return {frozenset(os.sched_getaffinity(int(path.name))) for path in Path("/proc/self/task").iterdir()}

here, wait = sorted(os.sched_getaffinity(0)), threading.Event()
before = [threading.Thread(target=wait.wait, daemon=True) for _ in range(4)]
for one in before: one.start()
limit_cores(0)
assert cores() == {frozenset(here)}
limit_cores(1)
threading.Thread(target=wait.wait, daemon=True).start()
assert cores() == {frozenset(here[-1:])}, cores()
assert len(list(Path("/proc/self/task").iterdir())) == 6
"""


def test_threads_that_run_and_those_that_are_started_later_are_held():
    subprocess.run([sys.executable, "-c", LINES], check=True, timeout=60)


class Started:
    """Stands for the workers of an instance, and keeps what each is given."""

    here = ""

    def __init__(self):
        self.given = []

    def start(self, name, place, house):
        self.given.append((house.asker, house.cores))
        member = SimpleNamespace(done=lambda: True, result=lambda: HOUSE)
        return SimpleNamespace(
            name=name, endpoint=lambda: member, lost=lambda: "", kill=lambda: None, ended=lambda _: True
        )

    def close(self):
        pass


def started(monkeypatch, *askers, **settings):
    """What workers of so many askers are given, one after the other."""
    workers = Started()
    monkeypatch.setattr(module, "_workers", lambda *_: workers)
    halves = Halves(Settings("bob", **settings), EngineConfig(), lambda: HOUSE)
    for lane, asker in enumerate(askers):
        halves.start(asker, SESSION, lane)
    return halves, workers.given


def test_processes_for_peers_share_them_and_own_ones_do_not(monkeypatch):
    askers = ("alice", "bob", "dave", "alice")
    _, given = started(monkeypatch, *askers, peer_cores=2)
    assert given == [("alice", 2), ("bob", 0), ("dave", 2), ("alice", 2)]
    _, given = started(monkeypatch, *askers)
    assert {cores for _, cores in given} == {0}


def test_on_a_cluster_no_more_are_started_than_have_so_many_together(monkeypatch):
    askers = ("bob", "alice", "dave", "bob")
    halves, given = started(monkeypatch, *askers, carrier="ray", worker_cpus=1.5, peer_cores=3)
    assert {cores for _, cores in given} == {0}, "Ray gives each its own"
    for asker in ("alice", "erin"):
        with pytest.raises(icm.InstanceError, match=r"those for peers have as many CPUs as they may \(peer_cores\)"):
            halves.start(asker, SESSION, 4, lambda: pytest.fail("nothing is noted of it"))
    halves.start("bob", SESSION, 5)
    halves.end("alice", SESSION, 1)
    monkeypatch.setattr(halves.found(SESSION, 1).handle, "lost", lambda: "it was ended")
    halves.start("erin", SESSION, 6)


def test_on_a_cluster_no_peer_takes_the_last_of_several(monkeypatch):
    halves, _ = started(monkeypatch, "alice", "alice", carrier="ray", peer_cores=3)
    with pytest.raises(icm.InstanceError, match="peer_cores"):
        halves.start("alice", SESSION, 2)
    halves.start("dave", SESSION, 2)


@pytest.mark.slow
def test_a_worker_that_stood_by_holds_to_them():
    """A real process, whose libraries may have threads before it hears for whom it works."""
    handle = ProcessHandle("bob", None)
    try:
        handle.begin(EngineConfig(), Place("127.0.0.1"), HouseFacts(HOUSE, "alice", 4 << 30, 1))
        assert handle.endpoint().result()[0] == "bob"
        threads = [int(path.name) for path in Path(f"/proc/{handle.process.pid}/task").iterdir()]
        assert {frozenset(os.sched_getaffinity(one)) for one in threads} == {
            frozenset(sorted(os.sched_getaffinity(0))[-1:])
        }
    finally:
        handle.kill()
        assert handle.ended(20)


def test_the_file_says_what_they_are(tmp_path):
    write_settings(tmp_path, Settings("bob", peer_cores=3))
    assert "peer_cores = 3" in (tmp_path / "icm.toml").read_text().splitlines()
    assert read_settings(tmp_path).peer_cores == 3
    (tmp_path / "icm.toml").write_text('name = "bob"\npeer_cores = -1\n')
    with pytest.raises(icm.InstanceError, match="peer_cores"):
        read_settings(tmp_path)
    (tmp_path / "icm.toml").write_text('name = "bob"\ncarrier = "ray"\npeer_cores = 1\nworker_cpus = 2.0\n')
    with pytest.raises(icm.InstanceError, match=r"peer_cores = 1: no worker, of worker_cpus = 2.0, fits"):
        read_settings(tmp_path)
