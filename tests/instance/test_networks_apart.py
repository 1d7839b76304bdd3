"""Three organisations in networks of their own, 40 ms apart. Nobody can reach Bob's: his instance and workers dial."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import ExitStack

import pandas as pd
import pytest

from cluster.local_instances import free_port
from tests.instance.conftest import NAMES, rows
from tests.instance.served import changed, met, serving
from tests.instance.served import icm as typed

pytestmark = [pytest.mark.slow]

ASKED = """
import json, sys, time
import icm_ray as icm
with icm.connect(sys.argv[1]) as session:
    both = session.frame({"alice": "visits", "bob": "visits"})
    answers = [both["cost"].sum().reveal()]
    started = time.monotonic()
    answers.append(both[both["age"] >= 65]["age"].mean().reveal())
    json.dump([*answers, time.monotonic() - started], sys.stdout)
"""


def listening(process: subprocess.Popen[bytes]) -> set[str]:
    """Addresses, as the kernel writes them, at which a process's network has listeners."""
    with open(f"/proc/{process.pid}/net/tcp") as table:
        found = [line.split() for line in table.readlines()[1:]]
    return {words[1].partition(":")[0] for words in found if words[3] == "0A"}


def test_one_side_dials_across_a_slow_network(root, tmp_path):
    sys.path.insert(0, str(root / "benchmarks" / "peers"))
    try:
        import network
    finally:
        sys.path.pop(0)
    if missing := network.available():
        pytest.skip(missing)
    homes = {name: tmp_path / name for name in NAMES}
    with network.Relay(40, 100) as relay, ExitStack() as stack:
        inside, port = {}, free_port()
        for number, (name, home) in enumerate(homes.items()):
            own = network.address(number)
            host = "127.0.0.1" if name == "bob" else own
            typed(
                home,
                "init",
                name,
                "--listen",
                f"{host}:{port}",
                *{"bob": ["--dial-only"], "carol": ["--dealer"]}.get(name, []),
            )
            changed(home, workers_bind=f'"{host}"')
            enter = (sys.executable, network.__file__, relay.path, str(number))
            process = stack.enter_context(serving(home, launcher=enter))
            inside[name] = process, ("nsenter", "-t", str(process.pid), "-n")
        alice, bob, carol = homes.values()
        for inviter, guest in ((alice, bob), (alice, carol), (carol, bob)):
            met(inviter, guest, inside[guest.name][1])
        frames = []
        for number, (name, other) in enumerate((("alice", "bob"), ("bob", "alice"))):
            frames.append(rows(number))
            frames[-1].to_parquet(tmp_path / f"{name}.parquet")
            typed(homes[name], "data", "visits", str(tmp_path / f"{name}.parquet"), "--standing", other)
        command = (*inside["alice"][1], sys.executable, "-c", ASKED, str(alice))
        found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        assert found.returncode == 0, found.stderr
        total, mean, seconds = json.loads(found.stdout)
        wanted = pd.concat(frames)
        assert total == wanted["cost"].sum()
        assert mean == pytest.approx(wanted[wanted["age"] >= 65]["age"].mean(), rel=1e-12)
        assert seconds > 0.04, "the network was not slow"
        assert listening(inside["bob"][0]) == {"0100007F"}
