"""Jobs between organisations outlive restarts: of an owner, of the asker, of the process that asked."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import icm_ray as icm
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.jobs import Jobs
from tests.chaos.organisations import ROWS, awaited
from tests.instance.conftest import rows

pytestmark = pytest.mark.chaos
STOPPED, KILLED = signal.SIGTERM, signal.SIGKILL
WAKING = 15.0
"""Seconds within which instances that are back have told one another what they had to."""


def sum_of(table, more):
    return pytest.approx((table["cost"] + more).sum(), rel=1e-12)


@pytest.mark.slow
def test_an_owner_starts_again_between_approval_and_result(organisations):
    """The approval stands, and what was used of it counts on."""
    studies = organisations.session.peer("bob")["studies"]
    name = (studies["cost"] + 0.25).sum().request(reason="restarts").id
    awaited(lambda: organisations.request(name))
    organisations.approve(name, times=2)
    for used, how in ((1, STOPPED), (2, KILLED)):
        organisations.stop("bob", how)
        organisations.start("bob")
        assert organisations.session.job(name).result() == sum_of(ROWS, 0.25)
        assert organisations.request(name).used == used
    with pytest.raises(icm.PolicyError, match="was approved 2 times, and was asked so often"):
        organisations.session.job(name).result()
    said = [(one.what, one.facts.get("use")) for one in AuditLog(organisations.homes["bob"]).entries()]
    assert [use for what, use in said if what == "question" and use is not None][-2:] == ["1 of 2", "2 of 2"]
    assert said.count(("serving", None)) >= 3


@pytest.mark.slow
def test_a_peer_who_is_away_is_told_when_all_are_back(organisations):
    """... without anybody asking for it: also where the asker's instance has ended meanwhile."""
    asked = (organisations.session.peer("bob")["studies"]["cost"] + 0.5).sum()
    asked.check()  # his rows are opened while he is there
    organisations.stop("bob")
    job = asked.request(reason="away")
    assert job.status == "queued"
    with pytest.raises(icm.InstanceError, match="not approved yet by bob"):
        job.result(timeout=0)
    organisations.stop("alice", KILLED)
    organisations.start("alice", "bob")
    awaited(lambda: organisations.request(job.id), WAKING)
    organisations.approve(job.id)
    assert organisations.session.job(job.id).result() == sum_of(ROWS, 0.5)


ASKS = """
import sys, time
import icm_ray as icm
session = icm.connect(sys.argv[1])
print((session.peer("bob")["studies"]["cost"] + 0.75).sum().request(reason="gone").id, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_the_process_that_asked_is_gone(organisations, root):
    command = [sys.executable, "-c", ASKS, str(organisations.homes["alice"])]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        name = process.stdout.readline().strip()
        process.kill()
    assert [job.state for job in Jobs(organisations.homes["alice"]).all if job.id == name] == ["waiting"]
    organisations.approve(name)
    assert organisations.session.job(name).result() == sum_of(ROWS, 0.75)


@pytest.mark.slow
def test_two_owners_of_whom_one_approves_after_a_restart(organisations):
    theirs = rows(9)
    organisations.join("dora", theirs)
    try:
        both = organisations.session.frame({"bob": "studies", "dora": "studies"})
        name = (both["cost"] + 1.5).sum().request(reason="both").id
        for owner in ("bob", "dora"):
            awaited(lambda owner=owner: organisations.request(name, owner))
        organisations.approve(name, "bob")
        said = lambda: {one.owner: one.state for one in organisations.session.job(name)._job.owners}  # noqa: E731
        awaited(lambda: said() == {"bob": "approved", "dora": "waiting"})  # the asker knows
        organisations.stop("bob", KILLED)
        organisations.stop("dora")
        with pytest.raises(icm.InstanceError, match="not approved yet by dora"):
            organisations.session.job(name).result(timeout=0)
        organisations.start("bob", "dora")
        organisations.approve(name, "dora")
        job = organisations.session.job(name)
        awaited(lambda: job.status == "approved")
        assert job.result() == sum_of(pd.concat([ROWS, theirs]), 1.5)
        assert {organisations.request(name, owner).used for owner in ("bob", "dora")} == {1}
    finally:
        organisations.disconnect()
        if "dora" in organisations.serving:
            organisations.stop("dora")


@pytest.mark.slow
def test_quotas_of_predictions_count_on(organisations, tmp_path):
    import torch

    from analytics.nn.offering import offered
    from icm_ray.instance.models import ModelShelf
    from icm_ray.instance.pictures import PictureShelf, offer_pictures

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 3)).eval()
    images = np.random.default_rng(7).normal(size=(5, 1, 4, 4)).astype(np.float32)
    np.save(tmp_path / "scans.npy", images)
    public, weights = offered("scans", net, input_bound=8.0, example_inputs=(torch.zeros(2, 1, 4, 4),))
    ModelShelf(organisations.homes["bob"]).offer(public, weights, {"alice": 8}, ("alice",))
    offer_pictures(PictureShelf(organisations.homes["alice"]), "scans", [str(tmp_path / "scans.npy")])

    def labels():
        session = organisations.session
        return session.peer("bob").model("scans").predict(session.peer("alice")["scans"], output="label").reveal()

    assert np.asarray(labels()).tolist() == net(torch.from_numpy(images)).argmax(1).tolist()
    organisations.stop("bob", KILLED)
    organisations.start("bob")
    with pytest.raises(icm.PolicyError, match="3 images are left of its quota"):
        labels()
