"""Nothing secret is where Ray can see it: planted values are looked for while a session works, and after it.

The session and its cluster are another process's (`ray_watched`); here is who looks. Values that Ray is given on
purpose must be found in the same looks, in the same forms, so that what is not found is not there.
"""

import base64
import json
import os
import pickle
import select
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from time import monotonic

import msgspec
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.security import ray_witness
from tests.security.ray_planted import CONTROLS, PARTIES, Planted
from tests.security.ray_scan import Needles, Search, cluster_of, in_memory, in_object_store, in_process_table

LIMIT = 90.0
"""Seconds for the watched process."""
SEEN = {
    "store": {"object store", "passed"},
    "spill": {"files", "passed"},
    "log": {"files", "passed"},
    "argument": {"passed"},
    "result": {"passed"},
    "constructor": {"passed", "memory of gcs_server"},
    "closure": {"kv", "memory of gcs_server"},
    "kv": {"kv", "memory of gcs_server"},
    "environment": {"tables", "process table", "memory of gcs_server"},
    "output": {"output"},
}
"""By what Ray is given on purpose: where that must be found."""
NOTED = {"nonce", "link", "secret", "key", "identity", "sent", "kept"}


WHOLE = np.random.default_rng(7).integers(2**47, 2**48, 40)
PART = WHOLE / 2**16
FORMS = {
    "arrays": lambda values: values.tobytes(),
    "the other byte order": lambda values: values.astype(values.dtype.newbyteorder()).tobytes(),
    "pickled arrays": pickle.dumps,
    "pickled numbers": lambda values: pickle.dumps(values.tolist()),
    "msgpack": lambda values: msgspec.msgpack.encode(values.tolist()),
    "json": lambda values: json.dumps(values.tolist()).encode(),
    "printed arrays": lambda values: str(values).encode(),
    "formatted numbers": lambda values: f"beyond the bound: {values[0]}, {values[1]:.9g}".encode(),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("before", range(2))
def test_the_search_knows_numbers_in_every_form(form, before):
    needles = Needles()
    needles.integers("whole", WHOLE[:2])
    needles.floats("part", PART[:2])
    search = Search(needles.found_as)
    for name, values in (("whole", WHOLE), ("part", PART)):
        assert search(bytes(before) + FORMS[form](values)) == {name}, values[:2]
        assert search(bytes(before) + FORMS[form](values[2:])) == set()


def test_the_search_knows_bytes_in_every_form():
    needles, secret = Needles(), os.urandom(32)
    needles.raw("secret", secret)
    search = Search(needles.found_as)
    forms = [secret, secret.hex().encode(), *(base64.b64encode(bytes(left) + secret) for left in range(3))]
    for form in forms:
        for start in (0, 1, (1 << 22) - 3):
            assert search(bytes(start) + form) == {"secret"}
    assert search(secret[:-1]) == set()


class Watched:
    """A process with a session, and what is found in the places that Ray has."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ray_folder = tempfile.mkdtemp(prefix="icm-", dir="/tmp")  # sockets need a short path
        self.found: defaultdict[str, set[str]] = defaultdict(set)
        self.blind_for: set[str] = set()  # memory, where the system lets nobody look
        self._deadline = monotonic() + LIMIT
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

    def places(self, name: str) -> set[str]:
        """Where `name` was found."""
        return {place for place, names in self.found.items() if name in names}

    def wait(self) -> None:
        """Until the next stage is reached."""
        readable, _, _ = select.select([self._ready], [], [], self._left())
        said = os.read(self._ready, 1) if readable else b""
        assert said == b"!", (self.folder / "output.txt").read_text()[-3000:]

    def _left(self) -> float:
        return max(0.0, self._deadline - monotonic())

    def go_on(self) -> None:
        os.write(self._go, b"!")

    def end(self) -> None:
        self.go_on()
        assert self.process.wait(self._left()) == 0, (self.folder / "output.txt").read_text()[-3000:]

    def look_at_files(self, search: Search) -> None:
        for path in Path(self.ray_folder).rglob("*"):
            self.found["files"] |= search.file(path)
        for path in self.folder.glob("*.passed"):
            self.found["passed"] |= search.file(path)
        self.found["output"] |= search.file(self.folder / "output.txt")

    def look_at_processes(self, search: Search, processes: dict[int, str]) -> None:
        """At the object store, the control store, and every process: memory, arguments, environment.

        processes: names of the driver and the workers; all others are Ray's, or the careless actor's.
        """
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
            except PermissionError:
                self.blind_for = {place for places in SEEN.values() for place in places if "memory" in place}

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


@pytest.mark.ray
@pytest.mark.slow
def test_planted_values_are_nowhere_that_ray_sees(watched, planted, tmp_path):
    watched.wait()
    processes = {pid: name for name, pid in json.loads((tmp_path / "workers.json").read_text()).items()}
    processes[watched.process.pid] = "driver"
    planted.made()
    noted = planted.noted(processes)
    search = Search(planted.needles.found_as)
    watched.look_at_processes(search, processes)
    watched.look_at_files(search)
    watched.go_on()
    watched.wait()
    watched.look_at_files(search)
    watched.end()
    watched.look_at_files(search)

    for name, places in SEEN.items():
        assert places - watched.blind_for <= watched.places(f"control {name}"), f"the search does not see {name}"
    assert noted == {"alice": NOTED, "bob": NOTED, "dealer": NOTED - {"kept"}, "driver": {"identity", "link", "sent"}}
    if not watched.blind_for:
        for owner in PARTIES:
            for name in ("whole", "part", "text"):
                assert "memory of driver" in watched.places(f"pushed {owner} {name}")
            # what it was sent for one run may be overwritten by the next; the shares that it keeps are there
            assert planted.kept[owner] & watched.found[f"memory of {owner}"]
        for name in ("images", "coded images", "model 3.weight", "coded linear_1"):
            assert "memory of driver" in watched.places(name)

    allowed = {name: {f"memory of {holder}" for holder in holders} for name, holders in planted.holders.items()}
    leaks = {
        f"{place}: {name}"
        for place, names in watched.found.items()
        for name in names - {f"control {known}" for known in CONTROLS}
        if place not in allowed[name]
    }
    assert leaks == set()
