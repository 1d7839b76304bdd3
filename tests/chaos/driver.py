"""A driver to be killed: starts lanes, prints its workers' processes, works on. `python -m tests.chaos.driver KIND`."""

import json
import sys

from tests.chaos.victims import QUICK, work


def main() -> None:
    if sys.argv[1] == "ray":
        from icm_ray.runtime.carriers.process_ray import process_ray
        from icm_ray.runtime.session import Session

        engine = Session(config=QUICK)
        workers = [handle._pid for lane in engine._lanes for handle in lane.handles.values()]
        folder = str(process_ray()._folder.path)
    else:
        from icm_ray.runtime.carriers.processes import ProcessEngine

        engine = ProcessEngine(owners=("carol",), config=QUICK)
        workers, folder = [handle.process.pid for handle in engine.handles], ""
    sys.stdout.write(json.dumps([workers, folder]) + "\n")
    sys.stdout.flush()
    work(engine)


if __name__ == "__main__":
    main()
