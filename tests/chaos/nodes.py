"""A cluster of three nodes, two of them labelled; what happens is printed as JSON. `python -m tests.chaos.nodes`."""

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from time import monotonic

from icm_ray.errors import FaultError, PlacementError, SessionError
from icm_ray.runtime.session import Session
from tests.chaos.victims import QUICK, gone, work

HEALTH = {"health_check_initial_delay_ms": 1000, "health_check_period_ms": 500, "health_check_failure_threshold": 4}
"""Ray finds a dead raylet within 4 s; by itself it takes 15."""
HEAD = {"num_cpus": 1, "include_dashboard": False, "_system_config": HEALTH}


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def main() -> None:
    from ray.cluster_utils import Cluster

    logging.getLogger("ray").setLevel(logging.ERROR)
    cluster = Cluster(initialize_head=True, head_node_args=HEAD)
    nodes = {
        name: cluster.add_node(num_cpus=1, labels={"icm-party": name}, include_dashboard=False)
        for name in ("alice", "bob")
    }
    raylets = {name: node.all_processes["raylet"][0].process.pid for name, node in nodes.items()}
    found: dict[str, object] = {}

    started = monotonic()
    try:
        Session(("alice", "dave"), address=cluster.address)
    except PlacementError as error:
        found["unknown label"] = [str(error), error.where["party"], error.where["missing"], monotonic() - started]

    with Session(address=cluster.address, config=QUICK) as session:
        found["lanes"] = session.lanes
        handles = session._lanes[0].handles
        workers = {name: handle._pid for name, handle in handles.items()}
        found["on their nodes"] = [parent(workers[name]) == raylets[name] for name in ("alice", "bob")]
        found["dealer elsewhere"] = parent(workers["dealer"]) not in raylets.values()
        struck: list[float] = []

        def strike() -> None:
            os.kill(raylets["bob"], signal.SIGKILL)
            struck.append(monotonic())

        threading.Timer(0.5, strike).start()
        try:
            work(session, 40.0)
        except FaultError as error:
            found["raylet"] = [str(error), error.party, type(error).__name__, monotonic() - struck[0]]
        try:
            session.execute([])
        except SessionError as error:
            found["afterwards"] = str(error)
        started = monotonic()
    found["closed"] = monotonic() - started
    found["left"] = gone(workers.values(), 3.0)
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    cluster.shutdown()


if __name__ == "__main__":
    main()
