"""Workers whose listeners anybody can reach: useless connections cost neither runs nor the links made anew."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.transport.hello import Direction, Hello
from tests.runtime import programs

ROWS = 100
AT_ONCE = 200
"""Connections to each worker, more than it examines at a time."""


class Crowd:
    """Clients without credentials at every worker of a lane, from `with` to its end: some say nothing, some speak
    slowly, some talk nonsense, some name links of other sessions. Who is thrown out comes again.
    """

    def __init__(self, addresses):
        self._addresses, self._over = addresses, threading.Event()
        self.thrown_out = 0

    def _speak(self, address, number):
        with ExitStack() as opened:
            said = (b"", b"", Hello("x/0/0/a-b", "a", Direction.FORTH, True).encode(), os.urandom(40))[number % 4]
            for _ in range(AT_ONCE // 8):
                with suppress(OSError):
                    sock = opened.enter_context(socket.create_connection(address, 5))
                    sock.sendall(said)
                    if number % 4 == 1:
                        self._over.wait(0.01)
                        sock.sendall(b"ICMH")
            self._over.wait(0.05)
            self.thrown_out += AT_ONCE // 8

    def _press(self, address, number):
        while not self._over.is_set():
            self._speak(address, number)

    def __enter__(self):
        self._pool = ThreadPoolExecutor(8 * len(self._addresses))
        self._running = [self._pool.submit(self._press, at, number) for at in self._addresses for number in range(8)]
        return self

    def __exit__(self, *_):
        self._over.set()
        for one in self._running:
            one.result(30)
        self._pool.shutdown()


@pytest.mark.parametrize("tls", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "tls"])
def test_runs_and_relinks_among_strangers(tls):
    with ProcessEngine(("alice", "bob"), config=EngineConfig(tls=tls, free_programs=True)) as engine:
        (lane,) = engine._lanes
        program = programs.pooled_sum(engine, "alice", ROWS, ("alice", "bob"))
        given = {name: {f"from {name}": np.ones(ROWS, np.uint64)} for name in ("alice", "bob")}
        job = LaneJob(0, program, given=given)
        engine.execute([job])
        with Crowd([(member[1], member[2]) for member in lane.plan.members]) as crowd:
            relinks = 0
            while relinks < 2 or crowd.thrown_out <= 3 * AT_ONCE:  # until more came than may wait at once
                with lane.using():
                    lane.relink()
                (done,) = engine.execute([job])
                assert done.results["total"].tolist() == [2 * ROWS]
                relinks += 1
