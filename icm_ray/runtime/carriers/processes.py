"""Lanes of local processes over loopback TCP: for benchmarks, and for tests without Ray."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import msgspec

from icm_ray.config import EngineConfig, from_environment
from icm_ray.errors import Desynchronised, PeerLost
from icm_ray.runtime.driver.checked_names import checked_names
from icm_ray.runtime.driver.lane_engine import LaneEngine
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.orders.lane_plan import LanePlan, Member, Place, decode_member
from icm_ray.runtime.worker.worker_main import DRIVER_SILENT, Settings

__all__ = ["ProcessEngine", "ProcessHandle"]

_HERE: Final = Place("127.0.0.1")
_ROOT: Final = Path(__file__).resolve().parents[2]
_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class _Answer:
    """The next thing that comes out of a pipe."""

    def __init__(self, handle: ProcessHandle, read: Callable[[bytes], Any]) -> None:
        self._handle, self._read = handle, read

    def done(self) -> bool:
        return self._handle.pipe.poll() or bool(self._handle.lost())

    def result(self) -> Any:
        try:
            return self._read(self._handle.pipe.recv_bytes())
        except (EOFError, OSError):
            lost = self._handle.lost() or "its process closed the pipe"
            raise PeerLost(f"{self._handle.name}: {lost}", party=self._handle.name, step="start") from None


class ProcessHandle:
    """A worker in a process of its own.

    config: None for a spare one, which is told by `begin` what it is for. threads: that it keeps at work. place: where
    it listens. launcher: the command that starts it, where that is not python. house: the instance that it is started
    for.
    """

    def __init__(
        self,
        name: str,
        config: EngineConfig | None,
        threads: int = 1,
        place: Place = _HERE,
        launcher: tuple[str, ...] = (),
        house: HouseFacts | None = None,
    ) -> None:
        self.name, self._threads = name, threads
        self.pipe, theirs = Pipe()
        self._closing = threading.Lock()  # several threads may see that it has ended
        environment = dict(os.environ) | dict.fromkeys(_THREADS, str(threads))
        paths = [str(_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        command = [*launcher, sys.executable, "-m", "icm_ray.runtime.worker.worker_main", name, str(theirs.fileno())]
        self.process = subprocess.Popen(  # noqa: S603 - our own module, in our own interpreter
            command, env=environment, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL
        )
        theirs.close()
        if config is not None:
            self.begin(config, place, house)

    def begin(self, config: EngineConfig, place: Place, house: HouseFacts | None) -> None:
        """Let it listen, under an identity that it makes then. Once."""
        self._send(self.pipe, msgspec.msgpack.encode(Settings(config, place, self._threads, house)))

    @staticmethod
    def _send(pipe: Connection, payload: bytes) -> None:
        try:
            pipe.send_bytes(payload)
        except OSError:
            return  # it is gone, which `lost` will say

    def endpoint(self) -> _Answer:
        def started(payload: bytes) -> Member:
            try:
                return decode_member(payload, self.name)
            except Desynchronised:
                raise say.refusal(payload, self.name) from None

        return _Answer(self, started)

    def join(self, plan: LanePlan) -> _Answer:
        self._send(self.pipe, msgspec.msgpack.encode(plan))

        def joined(payload: bytes) -> None:
            answer = say.decode_answer(payload, self.name)
            if isinstance(answer, say.Failed):
                raise answer.error()

        return _Answer(self, joined)

    def lost(self) -> str:
        status = self.process.poll()
        if status is None:
            return ""
        if status == DRIVER_SILENT:
            return "its process ended itself, having heard nothing more of this one"
        return f"its process ended with signal {-status}" if status < 0 else f"its process ended with status {status}"

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()

    def ended(self, timeout: float) -> bool:
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        with self._closing:
            self.pipe.close()
        return True


class ProcessEngine(LaneEngine):
    """`Engine` whose workers are processes on this machine. threads: that each worker keeps at work."""

    def __init__(
        self,
        parties: tuple[str, ...] = ("alice", "bob"),
        owners: tuple[str, ...] = (),
        lanes: int = 1,
        config: EngineConfig | None = None,
        threads: int = 1,
    ) -> None:
        settings = config or from_environment()
        checked_names(parties, owners)
        self.handles: list[ProcessHandle] = []

        def start(name: str) -> ProcessHandle:
            self.handles.append(ProcessHandle(name, settings, threads))
            return self.handles[-1]

        super().__init__(parties, owners, lanes, settings, start, threads)
