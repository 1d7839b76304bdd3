"""A lane that is not assembled to its end leaves no worker behind: whoever had one started may be gone."""

from __future__ import annotations

import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import monotonic, time

import pytest

import icm_ray as icm
from icm_ray.instance.files import sweep
from icm_ray.instance.messages import EndWorker, Forward, StartWorker
from icm_ray.instance.one_user import OneUser
from icm_ray.instance.user_link import UserLink


def gone(instance, session, seconds=10.0):
    """Whether it has no worker in lanes of a session any more, within so many seconds."""
    deadline = monotonic() + seconds
    while any(name == session for (name, _), _ in instance.halves.running()):
        if monotonic() > deadline:
            return False
        Event().wait(0.02)
    return True


@pytest.fixture
def started(organisations):
    """A process of alice's that had workers started, at bob's and at her own, and no more than that."""
    link, session = UserLink(organisations["alice"][0]), secrets.token_hex(8)
    for name in ("bob", "alice"):
        link.call(Forward(name, StartWorker(session, 0)))
        assert organisations[name][1].halves.found(session, 0) is not None
    yield link, session
    link.close()


def test_the_process_that_asked_is_gone(organisations, started):
    link, session = started
    link.close()
    for name in ("bob", "alice"):
        assert gone(organisations[name][1], session), name


@pytest.mark.slow
def test_the_askers_instance_is_gone(organisations, started):
    _, session = started
    for conversation in list(organisations["alice"][1]._conversations["bob"]):
        conversation.close()
    assert gone(organisations["bob"][1], session)


def test_what_was_ended_is_not_ended_again():
    heard = []
    user = OneUser(heard.append)
    place = "5" * 16, 0
    user.answer(Forward("bob", StartWorker(*place)))
    user.answer(Forward("bob", EndWorker(*place)))
    user.left()
    assert len(heard) == 2


@pytest.mark.slow
def test_a_worker_that_is_ended_while_it_starts(organisations):
    """... does not stay: nobody waits for it any more."""
    halves, session = organisations["bob"][1].halves, secrets.token_hex(8)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(halves.start, "alice", session, 0)
        while (session, 0) not in halves._askers:
            Event().wait(0.001)
        halves.end("alice", session, 0)
        with pytest.raises(icm.InstanceError, match="was ended while it started"):
            starting.result(30)
    assert (session, 0) not in halves._askers
    assert halves.start("alice", session, 0)[0] == "bob"
    halves.end("alice", session, 0)


def test_what_was_left_half_written_goes_at_the_next_start(tmp_path):
    folder = tmp_path / "requests"
    folder.mkdir()
    old, new, other = (folder / name for name in (f".1.json.{'a' * 16}", f".2.json.{'b' * 16}", ".all.lock"))
    for path in (old, new, other):
        path.write_bytes(b"{")
    for path in (old, other):
        os.utime(path, (time() - 3600,) * 2)
    sweep(tmp_path)
    assert sorted(folder.iterdir()) == sorted((new, other)), "somebody may be writing what is new"
