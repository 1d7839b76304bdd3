"""How an organisation's instance is: `icm status`, `icm check`, `icm doctor`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console

from cluster.cli.options import HOME, Home, Json
from cluster.cli.tables import Cell, table
from cluster.cli.terminal import say, shown

if TYPE_CHECKING:
    from icm_ray.instance.finding import Finding
    from icm_ray.instance.status import Status
    from icm_ray.instance.user_link import UserLink

__all__ = ["add_commands", "serving_link", "tell"]

_FAILED: Final = 1
"""The exit status where something is not as it should be."""
_LOOKS: Final = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}


def status(home: Home = HOME, json: Json = False) -> None:
    """Say how the instance is: up or not, peers, workers, datasets, limits. Status 1 where it does not serve.

    Example: icm status --json
    """
    import msgspec

    from icm_ray.errors import Desynchronised
    from icm_ray.instance.messages import AskStatus
    from icm_ray.instance.status import Status

    folder = home.expanduser()
    with serving_link(folder) as link:
        found = link.call(AskStatus()) if link is not None else _at_rest(folder)
    if not isinstance(found, Status):
        raise Desynchronised("the own instance does not say how it is")
    if json:
        typer.echo(msgspec.json.encode(found))
    else:
        _show(found)
    if not found.since:
        raise typer.Exit(_FAILED)


def check(
    peer: Annotated[str, typer.Argument(help="a peer of the roster")], home: Home = HOME, json: Json = False
) -> None:
    """Examine the way to a peer: name, TCP, TLS, round trip, versions, clock, message sizes, bandwidth.

    Each step that fails says what mends it. Status 1 where one fails.

    Example: icm check bob
    """
    from icm_ray.instance.check import check_peer
    from icm_ray.instance.keys import InstanceKey
    from icm_ray.instance.messages import Forward
    from icm_ray.instance.roster import Roster
    from icm_ray.instance.settings import read_settings

    folder = home.expanduser()
    settings, peers = read_settings(folder), Roster(folder).peers
    if peer not in peers:
        Roster(folder).approved(peer)  # says who is there, and how one comes in
    key = InstanceKey.load(settings.name, folder)
    with serving_link(folder) as held:
        through = None if held is None else lambda call, timeout: held.call(Forward(peer, call), timeout)
        tell(f"the way to {peer}", check_peer(settings, key, peers[peer], through), json)


def doctor(home: Home = HOME, json: Json = False) -> None:
    """Examine this machine and the instance's folder: files, key, ports, disk, memory, clock, software.

    Each fault has its remedy. Status 1 where there is one.

    Example: icm doctor
    """
    from icm_ray.instance.doctor import examine

    folder = home.expanduser()
    with serving_link(folder) as link:
        serving = link is not None
    tell(f"{folder} and this machine", examine(folder, serving), json)


def add_commands(app: typer.Typer) -> None:
    """Give the `icm` command these."""
    for command in (status, check, doctor):
        app.command(command.__name__)(command)


@contextmanager
def serving_link(folder: Path) -> Iterator[UserLink | None]:
    """A link to the instance in a folder; None where it does not serve."""
    from icm_ray.errors import FaultError, InstanceError
    from icm_ray.instance.user_link import UserLink

    try:
        link = UserLink(folder)
    except (InstanceError, FaultError):
        yield None
        return
    try:
        yield link
    finally:
        link.close()


def _at_rest(folder: Path) -> Status:
    """What the files of an instance say that does not serve."""
    from importlib.metadata import version

    from icm_ray.instance.audit import AuditLog
    from icm_ray.instance.catalogue import Catalogue
    from icm_ray.instance.roster import Roster
    from icm_ray.instance.settings import read_settings
    from icm_ray.instance.status import status_of

    settings = read_settings(folder)
    return status_of(settings, Roster(folder), Catalogue(folder), AuditLog(folder), version("icm-ray"))


def _show(found: Status) -> None:
    up = f"serves at {found.listen} since {_when(found.since)}" if found.since else "does not serve: icm serve"
    say(f"{found.name} ({found.kind}, icm-ray {found.release}) {up}; {found.entries} entries in its log")
    peers: list[tuple[Cell, ...]] = [
        (peer.name, peer.kind, peer.state, "yes" if peer.linked else "no") for peer in found.peers
    ]
    most = found.limits
    taken: list[tuple[Cell, ...]] = [
        (
            peer.name,
            f"{peer.workers} of {most.workers}",
            f"{peer.hours:.1f} of {most.worker_hours:g}",
            f"{peer.taken.calls} of {most.calls}",
            peer.taken.working,
            f"{peer.taken.questions} of {most.questions}",
            f"{peer.taken.refusals} of {most.refusals}",
            f"{peer.taken.log_entries} of {most.log_entries}",
            peer.waiting,
            [f"{one.model} {one.used} of {one.quota}" for one in peer.quotas],
        )
        for peer in found.peers
        if peer.state == "approved"
    ]
    lanes: list[tuple[Cell, ...]] = [
        (one.asker, one.session[:8], one.lane, "yes" if one.joined else "no") for one in found.lanes
    ]
    datasets: list[tuple[Cell, ...]] = [(one.name, one.rows, list(one.standing)) for one in found.datasets]
    for title, heads, rows in (
        ("peers", ("name", "kind", "state", "linked"), peers),
        (
            "what they take",
            (
                "name",
                "workers",
                "hours today",
                "calls/s",
                "open",
                "questions/h",
                "refusals today",
                "log today",
                "requests",
                "predictions",
            ),
            taken,
        ),
        ("workers in lanes", ("for", "session", "lane", "joined"), lanes),
        ("datasets", ("name", "rows", "answered at once"), datasets),
    ):
        if rows:
            table(title, heads, rows, none="nobody")
        else:
            say(f"{title}: none")


def _when(since: float) -> str:
    minutes = int(time() - since) // 60
    began = datetime.fromtimestamp(since, UTC)
    return f"{began:%Y-%m-%d %H:%M} UTC ({minutes // 60} h {minutes % 60} min)"


def tell(title: str, findings: Iterable[Finding], json: bool) -> None:
    """Print findings as they come, or all at once as JSON; status 1 where one failed."""
    import msgspec

    console, held = Console(), []
    if not json:
        console.print(title, markup=False, highlight=False)
    for one in findings:
        held.append(one)
        if not json:
            look = _LOOKS[one.outcome]
            console.print(
                f"  [{look}]{one.outcome:<8}[/] {shown(one.what)}: {shown(one.said)}", highlight=False, soft_wrap=True
            )
            if one.remedy:
                console.print(f"           -> {shown(one.remedy)}", highlight=False, soft_wrap=True)
    if json:
        typer.echo(msgspec.json.encode(held))
    if any(one.outcome == "failed" for one in held):
        raise typer.Exit(_FAILED)
