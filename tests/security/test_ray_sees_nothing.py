"""Nothing secret is where Ray can see it: planted values are looked for while a session works, and after it.

The session and its cluster are another process's (`ray_watched`); here is who looks. Values that Ray is given on
purpose must be found in the same looks, in the same forms, so that what is not found is not there.
"""

import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.security import ray_witness
from tests.security.ray_planted import CONTROLS, PARTIES, Planted
from tests.security.ray_scan import Search, cluster_of, in_memory, in_object_store, in_process_table

pytestmark = pytest.mark.ray

LIMIT = 60.0
"""Seconds for a stage of the watched process."""
SEEN = {
    "store": {"object store", "passed"},
    "spill": {"files", "passed"},
    "log": {"files", "passed", "output", "memory of gcs_server"},
    "argument": {"passed"},
    "result": {"passed"},
    "constructor": {"passed", "memory of gcs_server"},
    "closure": {"kv", "memory of gcs_server"},
    "kv": {"kv", "memory of gcs_server"},
    "environment": {"tables", "process table", "memory of gcs_server"},
    "output": {"output"},
}
"""By what Ray is given on purpose: where that must be found."""
NOTED = {"nonce", "secret", "key", "identity", "sent", "kept"}


class Watched:
    """A process with a session, and what is found in the places that Ray has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ray_folder = tempfile.mkdtemp(prefix="icm-", dir="/tmp")  # sockets need a short path
        self.found: defaultdict[str, set[str]] = defaultdict(set)
        self._ready, ready = os.pipe()
        go, self._go = os.pipe()
        arguments = [folder, self.ray_folder, str(ready), str(go)]
        environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
        with (folder / "output.txt").open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.security.ray_watched", *arguments],
                cwd=ROOT,
                env=environment | {ray_witness.FOLDER: str(folder), "PYTHONPATH": str(ROOT)},
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(ready, go),
            )
        os.close(ready)
        os.close(go)

    def wait(self) -> None:
        """Until the next stage is reached."""
        readable, _, _ = select.select([self._ready], [], [], LIMIT)
        said = os.read(self._ready, 1) if readable else b""
        assert said == b"!", (self.folder / "output.txt").read_text()[-3000:]

    def go_on(self) -> None:
        os.write(self._go, b"!")

    def end(self) -> None:
        self.go_on()
        assert self.process.wait(LIMIT) == 0, (self.folder / "output.txt").read_text()[-3000:]

    def look_at_files(self, search: Search) -> None:
        for path in Path(self.ray_folder).rglob("*"):
            self.found["files"] |= search.file(path)
        for path in self.folder.glob("*.passed"):
            self.found["passed"] |= search.file(path)
        self.found["output"] |= search.file(self.folder / "output.txt")

    def look_at_processes(self, search: Search, processes: dict[int, str]) -> None:
        """In whose memory values are, or where nobody may look, nothing: Ray's own processes by their names."""
        pids = cluster_of(self.process.pid)
        files, stored = in_object_store(search, pids)
        assert files > 0
        self.found["object store"] |= stored
        for name in ("kv", "tables"):
            self.found[name] |= search.file(self.folder / f"{name}.bin")
        for pid in (self.process.pid, *pids):
            try:
                self.found["process table"] |= in_process_table(search, pid)
                name = processes.get(pid) or Path(f"/proc/{pid}/comm").read_text().strip()
                self.found[f"memory of {name}"] |= in_memory(search, pid)
            except (FileNotFoundError, ProcessLookupError):  # it has ended
                continue

    def close(self) -> None:
        pids = cluster_of(self.process.pid)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            for pid in pids:
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    continue
        os.close(self._ready)
        os.close(self._go)
        shutil.rmtree(self.ray_folder, ignore_errors=True)


@pytest.fixture
def planted(tmp_path):
    return Planted(tmp_path)


@pytest.fixture
def watched(tmp_path, planted):
    process = Watched(tmp_path)
    yield process
    process.close()


def test_planted_values_are_nowhere_that_ray_sees(watched, planted, tmp_path):
    import time; t0=time.time()
    watched.wait()
    print("ready", time.time()-t0)
    processes = {pid: name for name, pid in json.loads((tmp_path / "workers.json").read_text()).items()}
    processes[watched.process.pid] = "driver"
    planted.made()
    noted = planted.noted(processes)
    search = Search(planted.needles.found_as)
    print(len(planted.needles.found_as), time.time()-t0)
    watched.look_at_processes(search, processes)
    print("proc", time.time()-t0)
    watched.look_at_files(search)
    print("files", time.time()-t0)
    watched.go_on()
    watched.wait()
    watched.look_at_files(search)
    print("spilled", time.time()-t0)
    watched.end()
    watched.look_at_files(search)
    print("end", time.time()-t0)
    for place, names in sorted(watched.found.items()): print(place, sorted(names))
    print(noted)
