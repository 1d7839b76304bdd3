"""Instances as processes of this machine, as `icm serve` runs them: for the demonstration, benchmarks and tests."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep, time
from typing import Final

from icm_ray.errors import PeerSilent

__all__ = ["await_serving", "free_port", "meet", "running", "started"]

_PATIENCE: Final = 60.0
_ENDING: Final = 20.0
_TICKET: Final = 600.0


def free_port() -> int:
    """A port of loopback that nobody has now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is told to end with the block, and that has ended after it: within 20 s, or it is killed."""
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_ENDING)


@contextmanager
def started(
    home: Path, environment: Mapping[str, str] | None = None, launcher: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """The instance in a folder, which `await_serving` waits for. launcher: the command that starts its process, where
    that is not python.
    """
    (home / "serving.json").unlink(missing_ok=True)
    command = (*launcher, sys.executable, "-m", "cluster.cli.main", "serve", "--home", str(home))
    with running(command, environment or os.environ) as process:
        yield process


def await_serving(home: Path, process: subprocess.Popen[bytes]) -> None:
    """Until it serves. Errors: `PeerSilent` where it has ended, or does not within a minute."""
    until = monotonic() + _PATIENCE
    while not (home / "serving.json").exists():
        if process.poll() is not None or monotonic() > until:
            raise PeerSilent(f"{home.name}'s instance does not serve", party=home.name, step="start")
        sleep(0.02)


def meet(inviter: Path, guest: Path) -> None:
    """As `icm invite`, `icm join` and `icm peers --approve` do it, six words compared."""
    from icm_ray.instance.joining import join
    from icm_ray.instance.keys import InstanceKey
    from icm_ray.instance.roster import Peer, Roster
    from icm_ray.instance.settings import read_settings
    from icm_ray.instance.tickets import Ticket

    settings, theirs = read_settings(inviter), read_settings(guest)
    key = InstanceKey.load(settings.name, inviter)
    ticket = Ticket.made(settings.name, theirs.name, settings.addresses, key.certificate, time() + _TICKET)
    Roster(inviter).invite(ticket)
    certificate, kind = join(InstanceKey.load(theirs.name, guest), theirs.kind, theirs.addresses, ticket)
    Roster(guest).add(Peer(settings.name, certificate, kind, ticket.addresses, "approved"))
    Roster(inviter).set_state(theirs.name, "approved")
