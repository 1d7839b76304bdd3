"""Why an actor is gone, in Ray's words and in ours."""

import socket
from types import SimpleNamespace

import msgspec
import pytest
from ray.exceptions import ActorDiedError, OutOfMemoryError, RayActorError

from icm_ray.config import EngineConfig
from icm_ray.errors import Desynchronised, PlacementError
from icm_ray.runtime.carriers import actors
from icm_ray.runtime.carriers.actors import ActorHandle, LaneWorker, _reason
from icm_ray.runtime.orders.lane_plan import Place
from icm_ray.runtime.worker.worker_main import Settings

KILLED = (
    "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 192.0.2.2, ID: c021) was "
    "22.56GB used / 23.59GB limit (0.956)\nOOM kill reason: Memory usage 24745032704B exceeded threshold\nTop 10 "
    "memory users: PID\tMEM(GB)\tCOMMAND\n23302\t0.42\tpython private_script.py\nRefer to the documentation"
)
"""As Ray 2.60 says it."""


@pytest.mark.parametrize("error", [OutOfMemoryError(KILLED), RayActorError(error_msg=f"The actor died. {KILLED}")])
def test_an_actor_that_ray_ended_for_want_of_memory(error):
    said = _reason(error)
    assert said.startswith("Ray ended it, since its node runs out of memory (22.56GB used / 23.59GB limit)")
    assert "fewer lanes, a smaller partition_bytes" in said
    assert "private_script" not in said
    assert len(said.splitlines()) == 1


def test_memory_without_figures():
    said = _reason(OutOfMemoryError("the node is running low on memory"))
    assert said.startswith("Ray ended it, since its node runs out of memory: open")


def test_an_actor_that_died_otherwise_is_not_said_to_lack_memory():
    """Ray lists memory among the possible causes of any death."""
    error = RayActorError(error_msg="The actor died.\nSome causes: (1) it was killed by the OOM killer, (2) ray stop")
    assert _reason(error).startswith("its actor is gone: Some causes")


def test_a_dead_ray_is_named():
    said = _reason(ActorDiedError(), "raylet")
    assert said == "its actor is gone: the Ray that this process uses is dead (its raylet ended)"
    assert _reason(OutOfMemoryError(KILLED), "raylet").startswith("Ray ended it")


@pytest.mark.parametrize("now", ["", "another node/another job"], ids=["shut down", "and started again"])
def test_a_ray_that_the_user_has_shut_down(monkeypatch, now):
    handle = object.__new__(ActorHandle)
    handle._joined = "node/job"
    monkeypatch.setattr(actors, "connection", lambda: now)
    assert "ray.shutdown() was called in this process while the session was open" in handle.lost()


def test_an_actor_that_finds_no_port(monkeypatch):
    for name in ("seal_process", "keep_freed_memory"):
        monkeypatch.setattr(actors, name, lambda: None)
    for name in actors._THREADS:
        monkeypatch.setenv(name, "1")
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        settings = Settings(EngineConfig(), Place("127.0.0.1", ports=(port, port)))
        worker = LaneWorker("bob", msgspec.msgpack.encode(settings), 1)
    worker.serve()  # ends at once
    handle = object.__new__(ActorHandle)
    handle.name, handle._actor = "bob", SimpleNamespace(endpoint=SimpleNamespace(remote=lambda: None))
    with pytest.raises(PlacementError, match=f"bob cannot listen: port {port} is taken"):
        handle.endpoint()._read(worker.endpoint())
    with pytest.raises(Desynchronised, match="something else"):
        handle.endpoint()._read(b"nothing")
