"""Workers are not dumpable and write no core: another process of the same user reads nothing of their memory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.processes import ProcessHandle
from icm_ray.runtime.driver.lane_engine import LaneEngine

# Root may look into every process: without these capabilities it is a user like others.
PLAIN = ("setpriv", "--bounding-set", "-sys_ptrace,-perfmon,-sys_admin") if os.geteuid() == 0 else ()
OPEN = "import sys; print(flush=True); sys.stdin.read()"

pytestmark = pytest.mark.skipif(bool(PLAIN) and shutil.which("setpriv") is None, reason="needs setpriv to leave root")


def reads(pid: int) -> bool:
    """Whether another process of this user may read the environment, which is memory, of process `pid`."""
    look = [*PLAIN, "cat", f"/proc/{pid}/environ"]
    return bool(subprocess.run(look, capture_output=True, check=False).stdout)


def core_limit(pid: int) -> list[str]:
    (line,) = [text for text in Path(f"/proc/{pid}/limits").read_text().splitlines() if "core file" in text]
    return line.split()[4:6]


def test_other_processes_may_be_read():
    """Without which the next test would show nothing."""
    command = [*PLAIN, sys.executable, "-c", OPEN]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # until then it may be what is about to become it, which nobody may read
        assert reads(process.pid)
        process.stdin.close()


def test_workers_may_not():
    def start(name):
        return ProcessHandle(name, EngineConfig(), launcher=("prlimit", "--core=1000:unlimited", *PLAIN))

    with LaneEngine(("alice", "bob"), ("carol",), 1, EngineConfig(), start) as engine:
        for handle in engine._lanes[0].handles.values():
            assert not reads(handle.process.pid)
            assert core_limit(handle.process.pid) == ["0", "0"]
            assert Path(f"/proc/{handle.process.pid}/stat").read_text()  # what is public stays so


@pytest.mark.ray
def test_actors_write_no_core(ray_cluster):
    import icm_ray as icm

    with icm.Session() as session:
        for handle in session._lanes[0].handles.values():
            assert core_limit(handle._pid) == ["0", "0"]
