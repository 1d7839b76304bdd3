"""Jobs as they come over lanes: a window that slides, so that no lane waits for another, nor for its next inputs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import Final

from icm_ray.errors import IcmError
from icm_ray.runtime.driver.engine import Execution, LaneJob, More, Streamed
from icm_ray.runtime.driver.lane import Lane

__all__ = ["stream"]

_AHEAD: Final = 2
"""What a lane is given at a time: jobs at work, and jobs that are ready to follow."""


def stream(
    lanes: Sequence[Lane], more: More, execute: Callable[[Sequence[LaneJob]], list[Execution]]
) -> Generator[Streamed]:
    """As `Engine.stream`, the first of the lanes first. execute: runs jobs of one lane, in their order."""
    threads = {lane.index: ThreadPoolExecutor(1, f"icm-stream-{lane.index}") for lane in lanes}
    taking, given = [lane.index for lane in lanes], Counter[int]()
    running: dict[Future[list[Execution]], tuple[int, tuple[LaneJob, ...]]] = {}
    stop = Event()  # for this stream's jobs: others run theirs on the same lanes
    try:
        while True:
            while taking:
                lane = min(taking, key=given.__getitem__)
                if given[lane] == _AHEAD or (jobs := more(lane)) is None:
                    break
                if not jobs:
                    taking.remove(lane)
                    continue
                running[threads[lane].submit(execute, [replace(job, stop=stop) for job in jobs])] = lane, tuple(jobs)
                given[lane] += 1
            if not running:
                return
            ended, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in [one for one in running if one in ended]:  # a lane's own in their order
                lane, told = running.pop(future)
                given[lane] -= 1
                yield _streamed(told, future)
    finally:
        stop.set()
        wait([future for future in running if not future.cancel()])
        for thread in threads.values():
            thread.shutdown()


def _streamed(jobs: tuple[LaneJob, ...], future: Future[list[Execution]]) -> Streamed:
    try:
        return Streamed(jobs, tuple(future.result()))
    except IcmError as error:
        return Streamed(jobs, error=error)
