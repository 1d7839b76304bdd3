"""Work that goes on until it fails, and processes that are looked after."""

import os
import threading
from pathlib import Path
from time import monotonic, sleep

import numpy as np

from icm_ray.config import EngineConfig
from icm_ray.errors import FaultError
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.driver.lane_engine import LaneEngine
from tests.runtime import programs

QUICK = EngineConfig(heartbeat=0.5, silence=3.0, lease=5.0, free_programs=True)
ROWS = 20_000


def work(engine: LaneEngine, seconds: float = 60.0) -> None:
    """Runs in every lane, over and over, each result compared with the right one; ends with the first error."""
    owner = (engine.parties + engine.owners)[-1]
    values = np.arange(ROWS, dtype=np.uint64)
    program = programs.compared(engine, ROWS, engine.parties[0], 3)
    right = sum(int((values >= threshold).sum()) for threshold in range(3))
    until, part = monotonic() + seconds, 0
    while monotonic() < until:
        jobs = [LaneJob(lane, program, part + lane, given={owner: {"x": values}}) for lane in range(engine.lanes)]
        for done in engine.execute(jobs):
            assert done.results["count"].tolist() == [right]
        part += engine.lanes
    raise AssertionError(f"nothing failed within {seconds} s")


def fails_after(engine: LaneEngine, pid: int, signal: int, delay: float = 0.4) -> tuple[FaultError, float]:
    """Send a signal to a process in the middle of work; the error that work ends with, and the seconds that it took."""
    sent = []

    def strike() -> None:
        os.kill(pid, signal)
        sent.append(monotonic())

    timer = threading.Timer(delay, strike)
    timer.start()
    try:
        work(engine)
    except FaultError as error:
        return error, monotonic() - sent[0]
    finally:
        timer.join()
    raise AssertionError("work has no other end")


def alive(pids) -> list[int]:
    """Those of these processes that are still there, zombies left out."""
    found = []
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in "ZX":
            found.append(pid)
    return found


def gone(pids, within: float) -> list[int]:
    """Wait until none of the processes is left; those that are, after `within` seconds."""
    until = monotonic() + within
    while (left := alive(pids)) and monotonic() < until:
        sleep(0.02)
    return left
