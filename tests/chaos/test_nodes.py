"""Placement by label on a cluster of several nodes, and the death of one node's raylet."""

import json
import subprocess
import sys

import pytest

pytestmark = [pytest.mark.chaos, pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def found(root):
    """What `tests.chaos.nodes` saw, in a process of its own: a process joins one cluster in its life."""
    command = [sys.executable, "-m", "tests.chaos.nodes"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_party_without_a_node_is_named_at_once(found):
    message, party, missing, seconds = found["unknown label"]
    assert (party, missing) == ("dave", "icm-party=dave")
    assert "dave" in message
    assert seconds < 10


def test_workers_run_on_their_partys_nodes(found):
    assert found["on their nodes"] == [True, True]
    assert found["dealer elsewhere"]


def test_a_raylet_that_dies_is_a_fault_of_its_worker(found):
    message, party, _, seconds = found["raylet"]
    assert party == "bob", message
    assert seconds < 30
    assert "bob" in found["afterwards"]
    assert found["closed"] < 15
    assert found["left"] == []
