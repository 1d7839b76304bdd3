"""icm-ray on the workloads, in a slow network that `network.Relay` makes: plain TCP, no delay of the engine's own.

usage: python own_bench.py --network SOCKET [--runs N] WORKLOAD...      prints one record of `icm bench` for each

The driver, which only starts the runs and hears of their end, watches over links that are not slowed.
"""

import argparse
import sys
from pathlib import Path

import msgspec
import network
import slow

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(network.__file__)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="+")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--network", required=True)
    options = parser.parse_args()
    network.join(options.network, network.OBSERVER)
    sys.path.insert(0, str(ROOT))
    from cluster.bench.run import measure, workload
    from icm_ray.config import EngineConfig
    from icm_ray.runtime.carriers.processes import ProcessHandle
    from icm_ray.runtime.driver.lane_engine import LaneEngine
    from icm_ray.runtime.orders.lane_plan import Place

    config, members = (
        EngineConfig(tls=False, in_flight=slow.IN_FLIGHT << 20, free_programs=True),
        ("alice", "bob", "dealer"),
    )

    def start(name):
        number = members.index(name)
        inside = (sys.executable, str(SCRIPT), options.network, str(number))
        return ProcessHandle(name, config, place=Place(network.address(number)), launcher=inside)

    with LaneEngine(members[:2], (), 1, config, start) as engine:
        for name in options.workloads:
            print(msgspec.json.encode(measure(engine, workload(name), options.runs, tls=False)).decode(), flush=True)


if __name__ == "__main__":
    main()
