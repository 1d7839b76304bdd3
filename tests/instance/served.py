"""Instances as processes, as `icm serve` runs them, each in an environment of its own: a Ray cluster, a network."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from cluster.local_instances import await_serving, started

_CLI = (sys.executable, "-m", "cluster.cli.main")
_PATIENCE = 60.0


def awaited(what: str, there, process: subprocess.Popen[bytes]) -> None:
    """Until that is there, within a minute, while the process lives."""
    deadline = monotonic() + _PATIENCE
    while not there():
        assert process.poll() is None, f"{what}: ended with status {process.returncode}"
        assert monotonic() < deadline, f"{what}: not within {_PATIENCE:g} s"
        sleep(0.05)


def icm(home: Path, *words: str) -> str:
    """What a command of the instance in a folder prints."""
    command = (*_CLI, words[0], "--home", str(home), *words[1:])
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=_PATIENCE).stdout


def changed(home: Path, **settings: str) -> None:
    """Settings in icm.toml, each put as TOML writes it."""
    path = home / "icm.toml"
    lines = path.read_text().splitlines()
    for name, value in settings.items():
        (place,) = [number for number, line in enumerate(lines) if line.startswith(f"{name} = ")]
        lines[place] = f"{name} = {value}"
    path.write_text("\n".join(lines) + "\n")


@contextmanager
def serving(
    home: Path, environment: Mapping[str, str] | None = None, launcher: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """An instance that serves. launcher: the command that starts its process, where that is not python."""
    with started(home, environment, launcher) as process:
        await_serving(home, process)
        yield process


def met(inviter: Path, guest: Path, launcher: Sequence[str] = ()) -> None:
    """By a ticket, which the guest uses in its own network."""
    ticket = icm(inviter, "invite", guest.name).strip()
    command = (*launcher, *_CLI, "join", "--home", str(guest), ticket, "--yes")
    subprocess.run(command, check=True, timeout=_PATIENCE, stdout=subprocess.DEVNULL)
    icm(inviter, "peers", "--approve", guest.name)
