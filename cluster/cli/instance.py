"""One instance for each organisation: `icm init`, `serve`, `invite`, `join`, `peers`, `data`."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cluster.cli.health import serving_link
from cluster.cli.mock_rows import stated
from cluster.cli.models import AddCommand, add_model_command, check_peers, put_pictures
from cluster.cli.options import HOME, Home, Json
from cluster.cli.tables import Cell, table
from cluster.cli.terminal import outcome, say

if TYPE_CHECKING:
    from icm_ray.instance.roster import Kind, State

__all__ = ["add_commands"]

_HOUR: Final = 3600
_DATASETS: Final = ("name", "rows", "columns", "answered at once", "may request", "mock", "asleep")


def init(
    name: Annotated[str, typer.Argument(help="the organisation's name, as its peers will call it")],
    home: Home = HOME,
    listen: Annotated[str, typer.Option(help="where the instance listens, host:port")] = "127.0.0.1:7800",
    dealer: Annotated[bool, typer.Option(help="deal randomness for others, and own no data")] = False,
    dial_only: Annotated[bool, typer.Option(help="nobody can reach this organisation: it dials")] = False,
    json: Json = False,
) -> None:
    """Make an instance: a key, and icm.toml, which says nothing to anybody yet.

    Example: icm init alice --listen 192.0.2.7:7800
    """
    from icm_ray.instance.found import found
    from icm_ray.instance.settings import WILDCARDS, Settings, address_of

    host, _ = address_of(listen, "--listen")
    workers = "127.0.0.1" if host in WILDCARDS else host  # of a wildcard the file must say how others reach them
    kind: Kind = "dealer" if dealer else "organisation"
    folder = home.expanduser()
    key = found(folder, Settings(name, kind, listen, dial_only=dial_only, workers_bind=workers))
    fingerprint = key.identity.fingerprint
    outcome(
        {"name": name, "kind": kind, "folder": str(folder), "fingerprint": fingerprint},
        json,
        f"{name}'s instance is in {folder}; its certificate is {fingerprint[:16]}...",
        "next: icm serve, and icm invite NAME or icm join TICKET",
    )


def serve(
    home: Home = HOME,
    dealer: Annotated[bool, typer.Option("--dealer", help="refuse where the instance is no dealer's")] = False,
) -> None:
    """Serve until Ctrl-C or SIGTERM: as an organisation or as a dealer, as `icm init` made it.

    Example: icm serve
    """
    from icm_ray.errors import InstanceError
    from icm_ray.instance.instance import Instance
    from icm_ray.instance.settings import read_settings
    from icm_ray.instance.web.gate import TOKEN_FILE

    settings = read_settings(home.expanduser())
    if dealer and settings.kind != "dealer":
        raise InstanceError(f"{settings.name} is no dealer: icm init NAME --dealer --home FOLDER makes one")
    stop = threading.Event()

    def ends_by_signals() -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())

    ends_by_signals()
    while not stop.is_set():
        with Instance(home.expanduser()) as instance:
            ends_by_signals()  # again: a Ray that was joined has put its own
            say(f"{instance.settings.name} serves at port {instance.port}; Ctrl-C ends it")
            if instance.settings.web:
                token = home.expanduser() / TOKEN_FILE
                say(f"the data officer's page: http://localhost:{instance.pages[0]} (its token is in {token})")
            while not stop.wait(1.0) and not instance.stale:
                continue


def invite(
    name: Annotated[str, typer.Argument(help="the guest's name")],
    home: Home = HOME,
    hours: Annotated[float, typer.Option(help="how long the ticket is good")] = 24.0,
    json: Json = False,
) -> None:
    """Print a ticket by which one organisation may join, once. Send it by a way that nobody else reads.

    Example: icm invite bob
    """
    from icm_ray.errors import InputError
    from icm_ray.instance.keys import InstanceKey
    from icm_ray.instance.roster import Roster
    from icm_ray.instance.settings import read_settings
    from icm_ray.instance.tickets import Ticket
    from icm_ray.runtime.driver.checked_names import checked_names

    if not 0 < hours <= 24 * 30:
        raise InputError(f"--hours {hours:g}: more than 0, a month (720) at most")
    folder = home.expanduser()
    settings = read_settings(folder)
    key = InstanceKey.load(settings.name, folder)
    checked_names((settings.name, name), ())
    ticket = Ticket.made(settings.name, name, settings.addresses, key.certificate, time() + hours * _HOUR)
    Roster(folder).invite(ticket)
    outcome({"guest": name, "ticket": ticket.as_text(), "expires": ticket.expires}, json, ticket.as_text())


def join(
    ticket: Annotated[str, typer.Argument(help="the line that icm invite printed")],
    home: Home = HOME,
    yes: Annotated[bool, typer.Option("--yes", help="the words were compared: do not ask")] = False,
    json: Json = False,
) -> None:
    """Join another organisation's roster by its ticket. Both then compare six words, by telephone.

    --json asks nothing: without --yes the peer is joined, and approved by icm peers --approve.

    Example: icm join icm1-...
    """
    from icm_ray.instance.joining import join as joined
    from icm_ray.instance.keys import InstanceKey
    from icm_ray.instance.roster import Peer, Roster
    from icm_ray.instance.settings import read_settings
    from icm_ray.instance.tickets import Ticket
    from icm_ray.instance.words import six_words
    from icm_ray.runtime.driver.checked_names import checked_names

    folder = home.expanduser()
    settings, found = read_settings(folder), Ticket.of_text(ticket)
    found.check_time(time())
    checked_names((settings.name, found.inviter), ())
    key = InstanceKey.load(settings.name, folder)
    certificate, kind = joined(key, settings.kind, settings.addresses, found)
    words = six_words(key.certificate, certificate)
    if not json:
        say(f"the six words of {settings.name} and {found.inviter}: {words}")
    same = yes or (not json and typer.confirm(f"does {found.inviter} read the same (icm peers)?"))
    state: State = "approved" if same else "joined"
    Roster(folder).add(Peer(found.inviter, certificate, kind, found.addresses, state))
    facts = {"name": found.inviter, "state": state, "six_words": words}
    outcome(facts, json, f"{found.inviter} is {state}; it approves with: icm peers --approve {settings.name}")


def peers(
    home: Home = HOME,
    approve: Annotated[str, typer.Option(help="a peer whose six words were compared")] = "",
    revoke: Annotated[str, typer.Option(help="a peer who is hung up on, and let in no more")] = "",
    rotate: Annotated[
        bool, typer.Option("--rotate", help="take a new key; peers pin it by the old one's word")
    ] = False,
    json: Json = False,
) -> None:
    """List peers with the six words; approve or revoke one; take a new key.

    A key that may have been stolen is not rotated: peers revoke it, and are met anew.

    Example: icm peers --approve bob
    """
    from icm_ray.instance.audit import AuditLog
    from icm_ray.instance.keys import InstanceKey
    from icm_ray.instance.messages import LookAgain
    from icm_ray.instance.roster import Roster
    from icm_ray.instance.rotation import rotate as rotated
    from icm_ray.instance.settings import read_settings
    from icm_ray.instance.words import six_words

    folder = home.expanduser()
    settings, roster, audit = read_settings(folder), Roster(folder), AuditLog(folder)
    key = InstanceKey.load(settings.name, folder)
    if rotate:
        key = rotated(folder, settings.name)
        audit.add(settings.name, "rotated", fingerprint=key.identity.fingerprint)
        if not json:
            say("the new key is in place; links end, and peers take it when they meet it. The words are others now")
    if approve:
        roster.set_state(approve, "approved")
        audit.add(settings.name, "approved", peer=approve)
    if revoke:
        roster.set_state(revoke, "revoked")
        audit.add(settings.name, "revoked", peer=revoke)
        with serving_link(folder) as link:
            if link is not None:
                link.call(LookAgain())
    found = [
        (
            peer.name,
            peer.kind,
            peer.state,
            [f"{host}:{port}" for host, port in peer.addresses],
            six_words(key.certificate, peer.certificate),
        )
        for peer in roster.peers.values()
    ]
    table(f"peers of {settings.name}", ("name", "kind", "state", "reached at", "six words"), found, json, "it dials")


def data(
    name: Annotated[str, typer.Argument(help="of a dataset; left out: list them")] = "",
    files: Annotated[list[str] | None, typer.Argument(help="Parquet or CSV files, wildcards")] = None,
    home: Home = HOME,
    policy: Annotated[Path | None, typer.Option(help="a policy as TOML (icm policy check)")] = None,
    standing: Annotated[list[str] | None, typer.Option(help="a peer whose questions are answered at once")] = None,
    requests: Annotated[
        list[str] | None, typer.Option("--request", help="a peer who may ask, each question approved (icm requests)")
    ] = None,
    mock: Annotated[int, typer.Option(help="so many invented rows, or pictures, that peers try questions on")] = 0,
    mock_values: Annotated[
        list[str] | None, typer.Option(help="what they hold: ward=A,B,C, age=0..120, patient=1.. (each once)")
    ] = None,
    images: Annotated[bool, typer.Option(help="Parquet files hold pictures, too")] = False,
    column: Annotated[str | None, typer.Option(help="of Parquet files, that of pictures")] = None,
    graph: Annotated[list[str] | None, typer.Option(help="of a model that peers may ask about them")] = None,
    remove: Annotated[bool, typer.Option(help="offer it no more")] = False,
    json: Json = False,
) -> None:
    """List, offer or remove datasets. A dataset has a policy, whoever asks; nobody else learns where its files are.

    Pictures (.png and the like, .npy) have none: models predict on them for this organisation, and say labels to whom
    `--standing` names of the models that `--graph` names (icm model shows a model's), or to whom `--request` names once
    each prediction is approved.

    Mock rows are invented where they are asked, of names and kinds of columns and of --mock-values: no real row is
    looked at.

    Example: icm data visits north/*.parquet --policy visits.toml --request alice --mock 1000 --mock-values age=0..120
    """
    from icm_ray.errors import InputError
    from icm_ray.instance.catalogue import Catalogue
    from icm_ray.instance.offer import offer
    from icm_ray.instance.pictures import PictureShelf, are_pictures
    from icm_ray.instance.settings import read_settings
    from icm_ray.policy import Policy

    folder = home.expanduser()
    settings, catalogue, shelf = read_settings(folder), Catalogue(folder), PictureShelf(folder)
    if remove:
        if not name:
            raise InputError("icm data --remove: which dataset? icm data NAME --remove")
        (shelf if name in shelf.pictures else catalogue).remove(name)
    elif name:
        if settings.kind == "dealer":
            raise InputError(f"{settings.name} is a dealer, and owns no data")
        if not files:
            raise InputError(f"icm data {name}: which files? paths of Parquet or CSV files follow")
        check_peers(folder, "--standing", standing or ())
        check_peers(folder, "--request", requests or ())
        invented = stated(mock, mock_values or ())
        if images or are_pictures(files):
            if policy is not None:
                raise InputError("a policy guards rows of tables; pictures have --standing with --graph, or --request")
            if mock_values:
                raise InputError("mock pictures have no values to state: --mock alone says how many")
            put_pictures(folder, name, files, column, standing or (), graph or (), mock, requests or ())
        else:
            rules = Policy.from_toml(policy) if policy is not None else Policy()
            paths = [os.path.abspath(os.path.expanduser(file)) for file in files]
            offer(catalogue, name, paths, rules, standing or (), requests or (), invented)
    found: list[tuple[Cell, ...]] = [
        (
            held.public.name,
            held.public.rows,
            len(held.public.columns),
            list(held.standing),
            list(held.requests),
            held.public.mock.rows if held.public.mock is not None else 0,
            list(catalogue.asleep[held.public.name]),
        )
        for held in catalogue.datasets.values()
    ]
    for one in shelf.pictures.values():
        askers = list(one.standing), list(one.requests)
        asleep = list(shelf.asleep[one.public.name])
        found.append((one.public.name, one.public.images, "pictures", *askers, one.public.mock, asleep))
    table(f"datasets of {settings.name}", _DATASETS, found, json, "nobody")


def add_commands(app: typer.Typer) -> None:
    """Give the `icm` command those of an instance."""
    for command in (init, serve, invite, join, peers):
        app.command(command.__name__)(command)
    app.command("data", cls=AddCommand)(data)
    add_model_command(app)
