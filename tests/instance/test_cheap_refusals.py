"""What a peer is refused costs its instance less than a run does: nothing is written, and little is read."""

from __future__ import annotations

import hashlib
import tracemalloc

import numpy as np
import pytest

import icm_ray as icm
from icm_ray.instance import requests
from icm_ray.instance.canonical import Canonical
from icm_ray.instance.messages import EndWorker, StartWorker
from icm_ray.instance.requests import Requests
from icm_ray.runtime.orders.house import Weights
from icm_ray.runtime.worker.model_guard import ModelGuard

SESSION = "0123456789abcdef"


@pytest.mark.slow
def test_a_worker_that_is_refused_is_no_entry_of_the_log(organisations):
    bob = organisations["bob"][1]
    call = StartWorker(SESSION, 0)
    before = bob.audit.head().entries
    bob._answers.to_peer("alice", call)
    try:
        assert bob.audit.head().entries == before + 1
        with pytest.raises(icm.InstanceError, match="has a worker in this lane already"):
            bob._answers.to_peer("alice", call)
        assert bob.audit.head().entries == before + 1
    finally:
        bob._answers.to_peer("alice", EndWorker(SESSION, 0))


def test_a_log_that_cannot_be_written_lets_no_worker_start(organisations):
    bob = organisations["bob"][1]

    def full():
        raise icm.InstanceError("the disk is full")

    with pytest.raises(icm.InstanceError, match="the disk is full"):
        bob.halves.start("alice", SESSION, 7, full)
    assert bob.halves.found(SESSION, 7) is None
    assert bob.halves.lost("alice", SESSION, 7) == "it was ended"


def asked(place):
    return Canonical((), ("alice", "bob"), (("visits", str(place)),))


@pytest.fixture
def many(tmp_path, monkeypatch):
    """Twenty requests, and the numbers of those that are read from now on."""
    kept = Requests(tmp_path)
    for place in range(20):
        kept.add(("alice", "dave")[place % 2], f"{place:016x}", asked(place), "")
    kept._where(kept._numbers(), lambda _: False)  # each has been seen once
    read, seen = requests.read, []

    def reading(path, *rest):
        seen.append(int(path.stem))
        return read(path, *rest)

    monkeypatch.setattr(requests, "read", reading)
    return kept, seen


def test_one_use_reads_the_requests_of_that_question_alone(many):
    kept, seen = many
    kept.approve(7, 5, 4e9)
    kept._where(kept._numbers(), lambda _: False)  # all have been seen, the changed one too
    seen.clear()
    assert kept.use(kept.of(7).asker, asked(6)).used == 1
    assert set(seen) == {7}
    assert kept.use(kept.of(7).asker, asked(6)).used == 2
    assert set(seen) == {7}


def test_another_request_reads_those_of_its_asker_alone(many):
    kept, seen = many
    again = kept.of(3)
    seen.clear()
    assert kept.add(again.asker, again.job, asked(2), "").number == 3
    assert set(seen) == {3}
    kept.add("eve", "f" * 16, asked(2), "")
    assert set(seen) == {3}


def test_what_other_processes_change_is_seen(many, tmp_path):
    kept, _ = many
    other = Requests(tmp_path)
    found = other.approve(5, 1, 4e9)
    assert kept.use(found.asker, asked(4)).used == 1
    assert other.of(5).left(0.0) == 0
    kept._path(20).unlink()
    replaced = other.add("eve", "e" * 16, asked(50), "")
    other.approve(20, 1, 4e9)
    assert kept.use("eve", asked(50)).number == replaced.number == 20


def test_weights_are_held_once_while_they_are_loaded(tmp_path):
    path = tmp_path / "weights.npz"
    np.savez(path, w=np.arange(1 << 20, dtype=np.uint64))
    guard = ModelGuard("alice", None)
    found = Weights(str(path), hashlib.sha256(path.read_bytes()).hexdigest(), "")
    guard._loading = ("", ""), "skin", found
    tracemalloc.start()
    try:
        arrays = guard.weights(["w"])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert arrays["w"][-1] == (1 << 20) - 1
    assert peak < 1.5 * path.stat().st_size
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(icm.SourceError, match="its bytes are others than when it was offered"):
        guard.weights(["w"])
