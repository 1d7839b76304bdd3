"""The driver is killed or stopped: its workers end by themselves."""

import json
import shutil
import signal
import subprocess
import sys

import pytest

from tests.chaos.victims import QUICK, alive, gone

pytestmark = pytest.mark.chaos


@pytest.fixture
def driver(root):
    """Starts a driver; returns it and its workers' processes."""
    running, folders = [], []

    def start(kind: str):
        command = [sys.executable, "-m", "tests.chaos.driver", kind]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        running.append(process)
        workers, folder = json.loads(process.stdout.readline())
        folders.append(folder)
        assert len(alive(workers)) == len(workers) > 0
        return process, workers

    yield start
    for process in running:
        process.kill()
        process.wait()
        process.stdout.close()
    for folder in filter(None, folders):
        shutil.rmtree(folder, ignore_errors=True)


def test_killed(driver):
    process, workers = driver("processes")
    process.kill()
    assert gone(workers, 2.0) == []


@pytest.mark.slow
def test_stopped(driver):
    process, workers = driver("processes")
    process.send_signal(signal.SIGSTOP)
    assert gone(workers, QUICK.lease + 3) == []


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize(("how", "within"), [(signal.SIGKILL, 5.0), (signal.SIGSTOP, QUICK.lease + 5)])
def test_workers_on_ray(driver, how, within):
    process, workers = driver("ray")
    process.send_signal(how)
    assert gone(workers, within) == []
