"""Start one engine on one workload, in processes of its own, and read what it measured. Nothing else runs meanwhile."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
from cluster.bench.plain_networks import TOLERANCE

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LIMIT = 600  # seconds of one engine's runs of one workload
PEERS = {"SPU": "spu", "CrypTen": "crypten"}
WITHOUT = {  # it has no such function
    "CrypTen": {"groupby16_100k", "groupby_100k", "join_100k", "sort_100k", "gelu_100k"}
}


class Failed(Exception):
    """An engine gave no figure."""


def bounded(command):
    """What it printed; the whole group of processes ends with it, after LIMIT seconds at most."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        out, errors = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise Failed(f"{' '.join(command)} took more than {LIMIT} s") from None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        raise Failed(f"{' '.join(command)} failed:\n{errors[-2000:]}")
    return out


def only(out, command):
    """The one record that a bench script prints."""
    lines = [line for line in out.splitlines() if line.startswith("{")]
    if not lines:
        raise Failed(f"{' '.join(command)} printed no record")
    return json.loads(lines[-1])


def own(name, runs, *options):
    """The record of `icm bench`."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        start = [sys.executable, "-m", "cluster.cli.main", "bench", name, "--repeats", str(runs), "--json", file.name]
        bounded([*start, *options])
        return json.loads(Path(file.name).read_text())[0]


def own_within(network, name, runs):
    command = [sys.executable, str(HERE / "own_bench.py"), "--network", network, "--runs", str(runs), name]
    return only(bounded(command), command)["seconds"]["min"]


def has(peer, name):
    return name not in WITHOUT.get(peer, ())


def command_of(folder, peer, *options):
    which = PEERS[peer]
    return [str(folder / which / "bin" / "python"), str(HERE / f"{which}_bench.py"), *options]


def right(record, command):
    """The record, where what was computed is what plain numbers say: that of networks alone is looked at."""
    if not record.get("error", 0.0) <= TOLERANCE:
        raise Failed(f"{' '.join(command)}: the result is off by {record['error']}")
    return record


def timed(folder, peer, name, runs, network=""):
    """Seconds of its best run."""
    inside = ["--network", network] if network else []
    command = command_of(folder, peer, "--runs", str(runs), *inside, name)
    return min(right(only(bounded(command), command), command)["seconds"])


def counted(folder, peer, name):
    """bytes, rounds and the rest, of one untimed run; of networks the error, too."""
    command = command_of(folder, peer, "--count", name)
    return right(only(bounded(command), command), command)
