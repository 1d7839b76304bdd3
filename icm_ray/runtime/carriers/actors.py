"""Workers as Ray actors: shells that start, place and end them. Public data alone passes through Ray, as msgpack.

The actor sets the threads of numeric libraries before they are loaded; each compiled kernel runs in one thread, and
the worker has as many threads as the actor was given whole CPUs, one at least.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

import msgspec
import ray
from msgspec.structs import replace
from ray.exceptions import GetTimeoutError, OutOfMemoryError, RayActorError, RayError, RayTaskError

from icm_ray.errors import Desynchronised, IcmError, PeerLost
from icm_ray.payload import decode
from icm_ray.runtime.carriers.process_ray import connection, process_ray
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.lane_plan import LanePlan, Member, decode_plan
from icm_ray.runtime.worker.malloc import keep_freed_memory
from icm_ray.runtime.worker.sealed import seal_process
from icm_ray.runtime.worker.worker_main import DRIVER_SILENT, Settings, decode_settings

__all__ = ["ActorHandle", "LaneWorker", "threads_of"]

_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_LOOK: Final = 0.1
_FORCED: Final = 8.0
"""Ray ends a process that does not end by itself after 5 s."""

_LOW_MEMORY: Final = "running low on memory"
_USED_MEMORY: Final = re.compile(r"[\d.]+GB used / [\d.]+GB limit")
"""What Ray says when it ends workers: the list of all processes that follows is nobody's business."""

_STARTED: msgspec.msgpack.Decoder[tuple[int, Member]] = msgspec.msgpack.Decoder(tuple[int, Member])


def threads_of(cpus: float) -> int:
    """How many threads an actor with so many CPUs may keep at work."""
    return max(1, int(cpus))


class LaneWorker:
    """The actor: a `Worker` behind three methods. settings: msgpack of `Settings`; threads: that it keeps at work."""

    def __init__(self, name: str, settings: bytes, threads: int) -> None:
        seal_process()
        os.environ.update(dict.fromkeys(_THREADS, str(threads)))
        from icm_ray.runtime.worker.worker import Worker

        self._name = name
        known = decode_settings(settings)
        util: Any = ray.util
        place = known.place if known.place.host else replace(known.place, host=util.get_node_ip_address())
        keep_freed_memory()
        lapse = partial(os._exit, DRIVER_SILENT)
        self._fault: IcmError | None = None
        try:
            self._worker = Worker.over_tcp(name, known.config, place, lapse, threads, known.house)
        except OSError as error:
            self._fault = place.refused(name, error)

    def endpoint(self) -> bytes:
        """The process, and where it listens; or why it cannot. Public."""
        if self._fault is not None:
            return say.encode(say.failed(0, self._fault, self._name))
        return msgspec.msgpack.encode((os.getpid(), self._worker.endpoint()))

    def join(self, plan: bytes) -> bytes:
        """Join a lane; how it went."""
        try:
            self._worker.join(decode_plan(plan))
        except IcmError as error:
            return say.encode(say.failed(0, error, self._name))
        return say.encode(say.Done(0))

    def serve(self) -> None:
        """Carry out the driver's orders until told to exit. Runs beside the other methods, in a thread of its own."""
        if self._fault is None:
            self._worker.serve()
            self._worker.close()


class _Answer:
    """The result of a method of an actor."""

    def __init__(self, name: str, ref: Any, read: Callable[[bytes], Any]) -> None:
        self._name, self._ref, self._read = name, ref, read

    def done(self) -> bool:
        ready, _ = ray.wait([self._ref], timeout=0)
        return bool(ready)

    def result(self) -> Any:
        try:
            payload = ray.get(self._ref)
        except RayError as error:
            raise PeerLost(f"{self._name}: {_reason(error)}", party=self._name, step="start") from None
        return self._read(payload)


class ActorHandle:
    """A worker in a Ray actor. selector: labels that its node must have; cpus: what it asks for."""

    def __init__(self, name: str, settings: Settings, cpus: float, selector: dict[str, str], here: str) -> None:
        self.name = name
        self._here = here
        self._pid = 0
        self._joined = connection()
        remote: Any = ray.remote(LaneWorker)
        options: dict[str, Any] = {"label_selector": selector} if selector else {}
        actor = remote.options(max_restarts=0, max_task_retries=0, max_concurrency=4, num_cpus=cpus, **options)
        self._actor: Any = actor.remote(name, msgspec.msgpack.encode(settings), threads_of(cpus))
        self._serving: Any = self._actor.serve.remote()

    def endpoint(self) -> _Answer:
        def read(payload: bytes) -> Member:
            try:
                pid, endpoint = decode(payload, _STARTED, "where it listens", self.name)
            except Desynchronised:
                raise say.refusal(payload, self.name) from None
            if endpoint[1] == self._here:
                self._pid = pid
            return endpoint

        return _Answer(self.name, self._actor.endpoint.remote(), read)

    def join(self, plan: LanePlan) -> _Answer:
        def read(payload: bytes) -> None:
            answer = say.decode_answer(payload, self.name)
            if isinstance(answer, say.Failed):
                raise answer.error()

        return _Answer(self.name, self._actor.join.remote(msgspec.msgpack.encode(plan)), read)

    def lost(self) -> str:
        if connection() != self._joined:
            return "ray.shutdown() was called in this process while the session was open, which ended its workers"
        ready, _ = ray.wait([self._serving], timeout=0)
        if not ready:
            return ""
        try:
            ray.get(self._serving, timeout=1)
        except GetTimeoutError:
            return ""
        except RayError as error:
            return _reason(error, process_ray().dead())
        return "it ended"

    def kill(self) -> None:
        if _is_worker(self._pid):  # on this node: at once, even if it is stopped, which would cost Ray 5 s
            os.kill(self._pid, signal.SIGKILL)
        if self._reachable():
            ray.kill(self._actor, no_restart=True)

    def _reachable(self) -> bool:
        """Whether Ray can still be asked to do something with the actor."""
        return connection() == self._joined and not process_ray().dead()

    def _served(self, timeout: float) -> bool:
        """Whether it came to its end within the time: a process of this node that is gone is not asked after."""
        deadline = monotonic() + timeout
        while True:
            known = self._pid > 0
            left = deadline - monotonic()
            ready, _ = ray.wait([self._serving], timeout=max(0.0, min(left, _LOOK) if known else left))
            if ready or (known and not _is_worker(self._pid)):
                return True
            if left <= 0:
                return False

    def ended(self, timeout: float) -> bool:
        if connection() == self._joined and not self._served(timeout):
            return False
        if self._reachable():
            ray.kill(self._actor, no_restart=True)  # alone: Ray would report one that is killed otherwise
        else:
            self.kill()
        deadline = monotonic() + _FORCED
        while _is_worker(self._pid):
            if monotonic() > deadline:
                return False
            sleep(0.01)
        return True


def _is_worker(pid: int) -> bool:
    """Whether this process of this node is still an actor of ours."""
    try:
        return pid > 0 and LaneWorker.__name__.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _reason(error: RayError, died: str = "") -> str:
    """Why an actor is gone, in a line. died: which process of the Ray that was started here has ended, if one has."""
    if isinstance(error, OutOfMemoryError) or (isinstance(error, RayActorError) and _LOW_MEMORY in str(error)):
        used = _USED_MEMORY.search(str(error))
        return (
            f"Ray ended it, since its node runs out of memory{f' ({used.group()})' if used else ''}: open the session "
            "with fewer lanes, a smaller partition_bytes or in_flight, or on a node with more memory"
        )
    if died and isinstance(error, RayActorError):
        return f"its actor is gone: the Ray that this process uses is dead (its {died} ended)"
    if isinstance(error, RayTaskError):
        return f"its actor failed with {type(error.cause).__name__}"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    kind = "its actor is gone" if isinstance(error, RayActorError) else type(error).__name__
    return f"{kind}: {lines[-1][:200]}" if lines else kind
