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
from icm_ray.instance.messages import EndWorker, Forward, JoinLane, StartWorker, VouchForDriver
from icm_ray.instance.one_user import OneUser
from icm_ray.instance.user_link import UserLink
from icm_ray.names import DEALER, DRIVER
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.transport import Identity


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
    """A process of alice's that had workers started, at bob's and at her own, and no more than that; their vouchers."""
    link, session = UserLink(organisations["alice"][0]), secrets.token_hex(8)
    vouchers = {}
    for name in ("bob", "alice"):
        vouchers[name] = link.call(Forward(name, StartWorker(session, 0))).voucher
        assert organisations[name][1].halves.found(session, 0) is not None
    yield link, session, vouchers
    link.close()


def test_the_process_that_asked_is_gone(organisations, started):
    link, session, _ = started
    link.close()
    for name in ("bob", "alice"):
        assert gone(organisations[name][1], session), name


def hung_up(organisations, name):
    """What there is between alice's and another instance ends: for that one, hers is gone."""
    for conversation in list(organisations["alice"][1]._conversations[name]):
        conversation.close()


@pytest.mark.slow
def test_the_askers_instance_is_gone(organisations, started):
    hung_up(organisations, "bob")
    assert gone(organisations["bob"][1], started[1])


@pytest.mark.slow
def test_the_askers_instance_is_gone_while_a_worker_joins(organisations, started):
    """It waits for links to others, half a minute if need be, and is told to end before."""
    link, session, vouchers = started
    carol, driver = organisations["carol"][1], (DRIVER, "", 0, Identity.create(DRIVER).certificate)
    vouchers[DEALER] = link.call(Forward("carol", StartWorker(session, 0))).voucher
    vouchers[DRIVER] = link.call(VouchForDriver(session, 0, driver)).voucher
    members = tuple(vouchers[name].member for name in ("alice", "bob", DEALER))
    plan = LanePlan(session, 0, ("alice", "bob"), (), members, vouchers[DRIVER].member)
    link.submit(Forward("carol", JoinLane(plan, tuple(vouchers.values()))))
    until = monotonic() + 10
    while not carol.halves.found(session, 0).joining:
        assert monotonic() < until
        Event().wait(0.02)
    hung_up(organisations, "carol")
    assert gone(carol, session)


@pytest.mark.slow
def test_the_askers_instance_is_gone_while_a_worker_starts(organisations):
    bob, session = organisations["bob"][1], secrets.token_hex(8)
    bob._to_peer("one who has left", "alice", StartWorker(session, 0))
    assert gone(bob, session)


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
