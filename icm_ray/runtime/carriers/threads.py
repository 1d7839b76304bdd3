"""Lanes inside one process: every worker a thread, links in memory. For tests, and to try things out."""

from __future__ import annotations

from concurrent.futures import Future
from threading import Thread
from typing import Any

from icm_ray.config import EngineConfig, from_environment
from icm_ray.errors import IcmError, PeerLost, SessionError
from icm_ray.names import DRIVER
from icm_ray.runtime.driver.checked_names import checked_names
from icm_ray.runtime.driver.lane_engine import LaneEngine
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.lane_plan import LanePlan, Member
from icm_ray.runtime.orders.limits import transport_config
from icm_ray.runtime.worker.worker import Worker
from icm_ray.transport import Switchboard

__all__ = ["ThreadEngine", "ThreadHandle"]


class _Answer:
    """What a worker in a thread answers."""

    def __init__(self, future: Future[Any]) -> None:
        self._future = future

    def done(self) -> bool:
        return self._future.done()

    def result(self) -> Any:
        return self._future.result()


class ThreadHandle:
    """A worker in a thread of its own, reached over a switchboard. threads: that it keeps at work."""

    def __init__(self, name: str, config: EngineConfig, board: Switchboard, threads: int) -> None:
        self.name = name
        self._station = board.station(name)
        self._worker = Worker(name, config, self._station, self.kill, threads, alone=False)
        self._joined: Future[None] = Future()
        self._killed = False
        self._thread = Thread(target=self._live, name=f"icm-worker-{name}", daemon=True)
        self._plan: LanePlan | None = None

    def endpoint(self) -> _Answer:
        found: Future[Member] = Future()
        found.set_result(self._worker.endpoint())
        return _Answer(found)

    def join(self, plan: LanePlan) -> _Answer:
        self._plan = plan
        self._thread.start()
        return _Answer(self._joined)

    def _live(self) -> None:
        try:
            if self._plan is None:
                raise SessionError(f"{self.name} has no lane to join")
            self._worker.join(self._plan)
        except IcmError as error:  # one that was ended says nothing more, as no process does
            ended = PeerLost(f"{self.name}: it was ended", party=self.name, step="join")
            self._joined.set_exception(ended if self._killed else error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the driver waits for an answer
            self._joined.set_exception(say.failed(0, error, self.name).error())
        else:
            self._joined.set_result(None)
            self._worker.serve()
        finally:
            self._worker.close()

    def lost(self) -> str:
        if self._killed:
            return "it was ended"
        begun = self._thread.ident is not None
        return "its thread has ended" if begun and self._joined.done() and not self._thread.is_alive() else ""

    def kill(self) -> None:
        self._killed = True
        self._worker.stop()
        self._station.close()

    def ended(self, timeout: float) -> bool:
        if self._thread.ident is None:
            self._worker.close()
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()


class ThreadEngine(LaneEngine):
    """`Engine` whose workers are threads of this process: the whole path of a session without sockets, processes or
    Ray. threads: that each worker keeps at work.
    """

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
        board = Switchboard(transport_config(settings))

        def start(name: str) -> ThreadHandle:
            return ThreadHandle(name, settings, board, threads)

        super().__init__(parties, owners, lanes, settings, start, threads, station=board.station(DRIVER))
