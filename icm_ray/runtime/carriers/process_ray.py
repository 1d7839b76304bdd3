"""The Ray of this process: joined or started once, whichever threads open sessions on it, and left with the last one.

All of it happens in one keeper's thread. So Ray's own processes, which end with the *thread* that started them, live as
long as this process; two sessions that are opened at once take turns; and an interruption never stops Ray where it does
not stand that: what has begun comes to its end, and is undone then.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import signal
import socket
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from functools import cache, partial
from types import FrameType
from typing import Any, Final

from icm_ray.errors import SessionError
from icm_ray.private_folder import PrivateFolder
from icm_ray.runtime.carriers.given_up import Start, kill_children, kill_trees
from icm_ray.runtime.driver.keeper import Keeper, keeper, made_once, stubbornly

__all__ = ["ProcessRay", "connection", "process_ray"]

# Read when Ray is imported and initialised: no environment derived from uv, no usage reports, no GPU warning.
_QUIET: Final = {
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
_RECONNECT: Final = "RAY_gcs_rpc_server_reconnect_timeout_s"
"""After so many seconds without the cluster's head Ray would end this whole process, the user's."""
_NEVER: Final = "100000000"
_REGISTERED: Final = "RAY_raylet_start_wait_time_s"
"""For so many seconds Ray waits for its new node in one call, which nothing ends; it calls again for half a minute."""
_KNOCK: Final = 5.0
_LEAVING: Final = 3.0
"""Seconds that a dead Ray is waited for: it goes on by itself."""
_HEAD: Final = "gcs_server"
_FOLDER: Final = "icm-ray-"
_NO_HOME: Final = (
    ". The home directory {home} is missing or cannot be written, and Ray keeps its token there: set HOME to a "
    "directory that can be written, or RAY_AUTH_TOKEN_PATH to a file of this user's alone"
)
_SHORT: Final = "/tmp"  # noqa: S108 - Ray's sockets need a short path; the folder in it is this user's alone


def process_ray() -> ProcessRay:
    """That of this process. Raises `SessionError` in a child that was forked from a process with a Ray."""
    found = made_once(_process_ray)
    if found.process != os.getpid():
        raise SessionError(
            "this process was forked from one that uses Ray, which does not survive that: start it afresh "
            "(multiprocessing: start method 'spawn')"
        )
    return found


@cache
def _process_ray() -> ProcessRay:
    return ProcessRay()


class ProcessRay:
    """users: connections that sessions hold, by number; what they name may have been shut down by the user since.
    takers: sessions by number, and what of the cluster each has taken, in words.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self._keeper: Keeper = keeper("icm-ray")
        self._numbers = 0
        self._users: dict[int, str] = {}
        self.takers: dict[int, tuple[weakref.ref[Any], str]] = {}
        self._started = ""  # the connection whose Ray was started here, or joined: it is ended with its last user
        self._folder: PrivateFolder | None = None
        os.register_at_fork(after_in_child=self._forked)

    def join(self, address: str | None) -> int:
        """Join a cluster for one more session; a number to leave it by. Raises `SessionError`.

        address: None for the Ray that this process has initialised, else that of RAY_ADDRESS, else a new one, here.
        """
        future: Future[int] | None = None
        start = Start()
        try:
            future = self._keeper.submit(partial(self._join, address, start))
            number = future.result()
        except BaseException:
            start.given_up.set()
            if future is not None:
                stubbornly(self._keeper.submit(partial(self._undo, future)), start.end_processes)
            raise
        _end_on_sigterm()
        return number

    def leave(self, number: int) -> None:
        """One session less; the last one ends what was started. Idempotent; bounded where Ray is dead."""
        if os.getpid() != self.process:
            return
        self.takers.pop(number, None)
        future = self._keeper.submit(partial(self._leave, number))
        if self.dead():
            wait([future], _LEAVING)
        else:
            stubbornly(future)

    def dead(self) -> str:
        """Which of the processes of the Ray that was started here, or of the cluster that was joined (its head alone),
        has died; empty for none.
        """
        died = next((kind for kind, process in _processes() if process.poll() is not None), "")
        return died or (_HEAD if _head_refuses() else "")

    # --- in the keeper's thread -----------------------------------------------------------------------------------

    def _join(self, address: str | None, start: Start) -> int:
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        import ray

        if not ray.is_initialized():
            self._give_up_folder()  # of a Ray that the user has shut down
            try:
                with start.abandonable():
                    self._initialise(address or os.environ.get("RAY_ADDRESS") or "local")
            except BaseException:
                self._shut_down()
                raise
            self._started = connection()
        elif address is not None:
            raise SessionError(
                f"this process has initialised Ray already: leave address={address!r} out to use that, "
                "or call ray.shutdown() first"
            )
        elif died := self.dead():
            raise SessionError(
                f"the Ray that this process uses is dead (its {died} ended): close the sessions that use it, "
                "or call ray.shutdown(), then open a new one"
            )
        self._numbers += 1
        self._users[self._numbers] = connection()
        return self._numbers

    def _initialise(self, address: str) -> None:
        import ray

        if address.startswith("ray://"):
            raise SessionError(
                f"{address!r} is a Ray Client address: the driver would have no links to the workers. "
                "Run the driver on a node of the cluster, with address='auto' or the head's host:port"
            )
        quietly: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        with _quiet(), _patient():
            try:
                if address == "local":
                    self._folder = PrivateFolder(_FOLDER, _SHORT)
                    folder = str(self._folder.path / "ray")  # which Ray opens to all users
                    ray.init(address="local", include_dashboard=False, _temp_dir=folder, **quietly)
                else:
                    _knock(address)
                    ray.init(address=address, **quietly)
            except Exception as error:  # where its processes are too slow to come up Ray raises that
                raise SessionError(_refusal(address, error)) from error

    def _undo(self, joined: Future[int]) -> None:
        if joined.exception() is None:
            self._leave(joined.result())

    def _leave(self, number: int) -> None:
        joined = self._users.pop(number, "")
        if joined and joined == self._started and joined not in self._users.values():
            self._started = ""
            if joined == connection():
                self._shut_down()
            self._give_up_folder()

    def _shut_down(self) -> None:
        import ray

        if self.dead():  # a Ray that asks its dead head to end would wait for it
            _kill_processes()
        with suppress(Exception):  # half of a Ray, or a dead one: it is not there any more, which is what was wanted
            ray.shutdown()
        _kill_processes()
        kill_children()
        self._give_up_folder()

    def _give_up_folder(self) -> None:
        folder, self._folder = self._folder, None
        if folder is not None:
            folder.close()

    # --- in a forked child ----------------------------------------------------------------------------------------

    def _forked(self) -> None:
        """What Ray does when a process ends, it would do to the parent's Ray, or crash: its threads are not here."""
        ray: Any = sys.modules.get("ray")
        if ray is not None:
            worker = ray._private.worker
            atexit.unregister(worker.shutdown)
            state = ray._private.state.state
            for kept in (worker.global_worker, worker._global_node, state):
                for held in (kept, *getattr(kept, "__dict__", {}).values()):
                    ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))  # never destroyed
            worker._global_node = None
            libc = ctypes.CDLL(None)
            with suppress(AttributeError):  # glibc's: nothing of Ray's runs after the interpreter has ended
                libc.on_exit(libc._exit, None)


def connection() -> str:
    """Which connection to Ray this process has; empty for none. Ray would start a cluster where it has none."""
    ray = sys.modules.get("ray")
    if ray is None or not ray.is_initialized():
        return ""
    context = ray.get_runtime_context()
    return f"{context.get_node_id()}/{context.get_job_id()}"


def _processes() -> list[tuple[str, Any]]:
    """The processes that Ray has started for this one, by what they are."""
    ray: Any = sys.modules.get("ray")
    node = None if ray is None else ray._private.worker._global_node
    found = {} if node is None else node.all_processes
    return [(kind, info.process) for kind, infos in list(found.items()) for info in infos]


def _head_refuses() -> bool:
    """Whether nobody listens any more where the head of the cluster did. One that does not answer may come back."""
    if not connection():
        return False
    import ray

    try:
        _knock(ray.get_runtime_context().gcs_address)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def _kill_processes() -> None:
    kill_trees([process.pid for _, process in _processes() if process.poll() is None])


def _end_on_sigterm() -> None:
    """Let SIGTERM end this process as a program ends, sessions closed: Ray would print a stack and leave its files.

    Where the user has put a handler of his own, it stays; from other threads than the main one nothing can be put.
    Ray's own is Python's alone: what Ray's C++ part installs after it comes first.
    """
    if threading.current_thread() is threading.main_thread():
        present = signal.getsignal(signal.SIGTERM)
        if present is signal.SIG_DFL or getattr(present, "__module__", "").startswith("ray."):
            signal.signal(signal.SIGTERM, _exit)


def _exit(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


def _knock(address: str) -> None:
    """Raise OSError where nobody listens at host:port; Ray would take more than a minute to say so."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK).close()


def _refusal(address: str, error: Exception) -> str:
    said = (str(error).splitlines() or [type(error).__name__])[0]
    if address == "local":
        home = os.path.expanduser("~")
        place = "" if os.access(home, os.W_OK) else _NO_HOME.format(home=home)
        return f"no Ray could be started on this machine: {said}{place}"
    return (
        f"no Ray cluster could be joined at {address!r}: {said}. Is it running? If it uses token authentication, set "
        "RAY_AUTH_MODE=token (and RAY_AUTH_TOKEN or its file)"
    )


@contextmanager
def _patient() -> Iterator[None]:
    """Ray waits for a lost head instead of ending this process, and looks up often while it waits for its node, unless
    the user said for how long.
    """
    ours = {name: value for name, value in ((_RECONNECT, _NEVER), (_REGISTERED, "1")) if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray's log above warnings alone, while it starts."""
    logger = logging.getLogger("ray")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
