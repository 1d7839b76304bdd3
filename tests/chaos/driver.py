"""A driver to be killed: starts lanes, prints its workers' processes, works on. `python -m tests.chaos.driver KIND`."""

import json
import sys

from tests.chaos.victims import QUICK, work


def main() -> None:
    if sys.argv[1] == "ray":
        from icm_ray.runtime.session import Session

        engine = Session(config=QUICK)
        workers = [handle._pid for lane in engine._lanes for handle in lane.handles.values()]
    else:
        from icm_ray.runtime.processes import ProcessEngine

        engine = ProcessEngine(owners=("carol",), config=QUICK)
        workers = [handle.process.pid for handle in engine.handles]
    print(json.dumps(workers), flush=True)
    work(engine)


if __name__ == "__main__":
    main()
