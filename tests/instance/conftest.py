"""Three organisations on this machine: alice, bob and a dealer, each with an instance, all approved."""

from __future__ import annotations

from pathlib import Path
from time import time

import numpy as np
import pandas as pd
import pytest

import icm_ray as icm
from icm_ray.instance.found import found
from icm_ray.instance.instance import Instance
from icm_ray.instance.joining import join
from icm_ray.instance.offer import offer
from icm_ray.instance.roster import Peer
from icm_ray.instance.settings import Settings
from icm_ray.instance.tickets import Ticket

NAMES = ("alice", "bob", "carol")


def rows(seed: int, count: int = 400) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": random.integers(0, 100, count),
            "cost": np.round(random.gamma(2.0, 150.0, count) * 64) / 64,
            "ward": random.choice(["A", "B", "C"], count),
        }
    )


def meet(inviter: Instance, guest: Instance) -> None:
    """By a ticket, as people do it."""
    ticket = Ticket.made(
        inviter.settings.name,
        guest.settings.name,
        (("127.0.0.1", inviter.port),),
        inviter.key.certificate,
        time() + 60,
    )
    inviter.roster.invite(ticket)
    addresses = () if guest.settings.dial_only else (("127.0.0.1", guest.port),)
    certificate, kind = join(guest.key, guest.settings.kind, addresses, Ticket.of_text(ticket.as_text()))
    guest.roster.add(Peer(inviter.settings.name, certificate, kind, ticket.addresses, "approved"))
    inviter.roster.set_state(guest.settings.name, "approved")


@pytest.fixture(scope="package")
def organisations(tmp_path_factory: pytest.TempPathFactory):
    """By name: folder and instance. Bob can only dial."""
    root = tmp_path_factory.mktemp("organisations")
    serving: dict[str, tuple[Path, Instance]] = {}
    try:
        for name in NAMES:
            folder = root / name
            kind = "dealer" if name == "carol" else "organisation"
            found(folder, Settings(name, kind, "127.0.0.1:0", dial_only=name == "bob", spare_workers=0))
            serving[name] = folder, Instance(folder)
        alice, bob, carol = (serving[name][1] for name in NAMES)
        meet(alice, bob)
        meet(alice, carol)
        meet(carol, bob)
        for number, name in enumerate(("alice", "bob")):
            path = root / f"{name}.parquet"
            rows(number).to_parquet(path)
            other = "bob" if name == "alice" else "alice"
            offer(serving[name][1].catalogue, "visits", [str(path)], icm.Policy(min_rows=5), (other,))
            offer(serving[name][1].catalogue, "secrets", [str(path)], icm.Policy(min_rows=5))
        yield serving
    finally:
        for _, instance in serving.values():
            instance.close()


@pytest.fixture(scope="package")
def alice(organisations):
    with icm.connect(organisations["alice"][0]) as session:
        yield session


@pytest.fixture(scope="package")
def dave_there(organisations, tmp_path_factory):
    """A third organisation with data: folder and instance. Connections of before do not know it."""
    home = tmp_path_factory.mktemp("dave") / "dave"
    found(home, Settings("dave", "organisation", "127.0.0.1:0", spare_workers=0))
    alice, bob, carol = (organisations[name][1] for name in NAMES)
    with Instance(home) as instance:
        meet(alice, instance)
        meet(instance, bob)
        meet(carol, instance)
        instance._answers._outbox._fresh = 0.0
        yield home, instance


@pytest.fixture(scope="package")
def dave(dave_there):
    with icm.connect(dave_there[0]) as session:
        yield session
