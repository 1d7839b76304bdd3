"""Two organisations with a Ray cluster of their own each, and a dealer without: several lanes, one side only dials."""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp

import pandas as pd
import pytest

import icm_ray as icm
from cluster.local_instances import free_port, running
from tests.instance.conftest import NAMES, rows
from tests.instance.served import awaited, changed, met, serving
from tests.instance.served import icm as typed

pytestmark = [pytest.mark.slow, pytest.mark.ray]


@pytest.fixture
def root():
    folder = Path(mkdtemp(prefix="icm-two-", dir="/tmp"))  # Ray's sockets need a short path
    yield folder
    rmtree(folder, ignore_errors=True)


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def cluster(stack: ExitStack, root: Path, name: str) -> tuple[dict[str, str], int]:
    """The organisation's own, with a token, a folder and a label of its own: what reaches it, and its port."""
    port = free_port()
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32), "RAY_USAGE_STATS_ENABLED": "0"}
    environment = {**os.environ, **token}
    words = f"start --head --block --port={port} --num-cpus=2 --include-dashboard=false --temp-dir={root}/ray-{name}"
    head = stack.enter_context(running(("ray", *words.split(), f"--labels=organisation={name}"), environment))
    awaited(f"the Ray of {name}", lambda: listens(port), head)
    return environment, port


def test_lanes_are_spread_over_two_clusters(root: Path):
    homes = {name: root / name for name in NAMES}
    with ExitStack() as stack:
        for name, home in homes.items():
            listen = ("--listen", f"127.0.0.1:{free_port()}")
            kind = {"bob": ("--dial-only",), "carol": ("--dealer",)}.get(name, ())
            typed(home, "init", name, *listen, *kind)
            environment = dict(os.environ)
            if name != "carol":
                environment, port = cluster(stack, root, name)
                own = f'{{ organisation = "{name}" }}'
                address = f'"127.0.0.1:{port}"'
                changed(home, carrier='"ray"', ray_address=address, workers_bind='""', worker_labels=own)
                changed(home, partition_bytes="8192")
            stack.enter_context(serving(home, environment))
        alice, bob, carol = homes.values()
        met(alice, bob)
        met(alice, carol)
        met(carol, bob)
        frames = {}
        for number, (name, other) in enumerate((("alice", "bob"), ("bob", "alice"))):
            frames[name] = rows(number, 4000)
            frames[name].to_parquet(root / f"{name}.parquet", row_group_size=500)
            typed(homes[name], "data", "visits", str(root / f"{name}.parquet"), "--standing", other)
        with icm.connect(alice, lanes=2) as session:
            both = session.frame({"alice": "visits", "bob": "visits"})
            wanted = pd.concat(frames.values())
            assert both["cost"].sum().reveal() == wanted["cost"].sum()
            old = both[both["age"] >= 65]["cost"].std()
            assert old.reveal() == pytest.approx(wanted[wanted["age"] >= 65]["cost"].std(), rel=1e-12)
            shares = session.peer("bob")["visits"].share(domain={"ward": ["A", "B", "C"]})
            theirs = frames["bob"]
            assert shares[shares["age"] >= 65]["cost"].median().reveal() == theirs[theirs["age"] >= 65]["cost"].median()
            engine = session._engine(("bob",))
            assert engine.usable_lanes == (0, 1)
            for table in both._dataset.facts.tables:
                assert set(table.lanes) == {0, 1}
