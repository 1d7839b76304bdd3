"""Instances and their workers as processes that are forked from one which has loaded what they need: they are there in
hundredths of a second, where new interpreters take seconds each. They run what `icm serve` and workers' processes run.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from time import monotonic, sleep
from types import SimpleNamespace
from typing import NoReturn, Self

_LOADED = 60.0
_ENDED = 20.0
_ANSWERED = 20.0
_LOOK = 0.01
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
_ONE_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Arrow's jemalloc has a thread of its own otherwise, which may hold what a fork waits for."""
_STATUS = struct.Struct("!i")


class Forked:
    """As much of `subprocess.Popen` as is asked of one. what: ("instance", folder) or ("worker", member)."""

    def __init__(self, door: str, what: tuple[str, ...], descriptors: tuple[int, ...] = ()) -> None:
        self._news, answer = _said(door, what, descriptors)
        self.pid: int = answer
        self.returncode: int | None = None
        self._reading = threading.Lock()

    def poll(self) -> int | None:
        with self._reading:
            if self.returncode is None:
                self._news.setblocking(False)
                with suppress(BlockingIOError):
                    news = self._news.recv(_STATUS.size)
                    self.returncode = _STATUS.unpack(news)[0] if news else -signal.SIGKILL
                    self._news.close()
        return self.returncode

    def wait(self, timeout: float) -> int:
        """Others may ask meanwhile, and are answered at once."""
        deadline = monotonic() + timeout
        while (status := self.poll()) is None:
            if monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            sleep(_LOOK)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """As long as its block: whatever was forked ends with it."""

    def __init__(self, folder: Path) -> None:
        self.door = str(folder / "nursery")
        self._lifeline, theirs = socket.socketpair()
        environment = dict(os.environ) | dict.fromkeys(_THREADS, "1") | _ONE_THREAD
        command = [sys.executable, "-m", "tests.chaos.nursery", self.door, str(theirs.fileno())]
        self._process = subprocess.Popen(command, env=environment, pass_fds=[theirs.fileno()], start_new_session=True)
        theirs.close()

    def __enter__(self) -> Self:
        self._lifeline.settimeout(_LOADED)
        assert self._lifeline.recv(1) == b"."
        return self

    def __exit__(self, *_: object) -> None:
        self._lifeline.close()
        self._process.wait(_ENDED)

    def instance(self, home: Path) -> Forked:
        """Of the organisation whose folder this is, as `await_serving` waits for it."""
        (home / "serving.json").unlink(missing_ok=True)
        return Forked(self.door, ("instance", str(home)))

    def workers(self, instance: Forked) -> list[int]:
        """The processes that it has started, and that have not ended."""
        news, found = _said(self.door, ("workers", str(instance.pid)), ())
        news.close()
        return found


def _said(door: str, what: tuple[str, ...], descriptors: tuple[int, ...]):
    """The connection, and what is answered."""
    news = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    news.settimeout(_ANSWERED)
    news.connect(door)
    socket.send_fds(news, [json.dumps(what).encode()], descriptors)
    return news, json.loads(news.recv(1 << 16))


class _Forking:
    """In the process that is forked: it has one thread, and no more than that until it ends."""

    def __init__(self, door: str, lifeline: socket.socket) -> None:
        self._door, self._ready = door, selectors.DefaultSelector()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(door)
        self._listener.listen(64)
        self._ready.register(self._listener, selectors.EVENT_READ)
        self._ready.register(lifeline, selectors.EVENT_READ)
        self._lifeline = lifeline
        self._living: dict[int, tuple[int, socket.socket]] = {}
        """By process: who asked for it, and where its end is told."""

    def run(self) -> None:
        """Until the lifeline ends."""
        while True:
            for key, _ in self._ready.select():
                if key.fileobj is self._lifeline:
                    return
                if key.fileobj is self._listener:
                    self._ready.register(self._listener.accept()[0], selectors.EVENT_READ)
                elif isinstance(key.fileobj, socket.socket):
                    self._ready.unregister(key.fileobj)
                    self._asked(key.fileobj)
                else:
                    self._ended(key.fd, key.data)

    def _asked(self, news: socket.socket) -> None:
        """Whoever has come says something, or was killed before."""
        try:
            payload, descriptors, _, _ = socket.recv_fds(news, 1 << 16, 4)
        except ConnectionError:
            payload = b""
        if not payload:
            news.close()
            return
        (asker, _, _) = struct.unpack("3i", news.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        kind, name = json.loads(payload)
        if kind == "workers":
            news.send(json.dumps([pid for pid, (of, _) in self._living.items() if of == int(name)]).encode())
            news.close()
            return
        if (pid := os.fork()) == 0:
            self._lives(kind, name, descriptors, news)
        for descriptor in descriptors:
            os.close(descriptor)
        self._living[pid] = asker, news
        self._ready.register(os.pidfd_open(pid), selectors.EVENT_READ, pid)
        with suppress(OSError):  # whoever asked is gone
            news.send(json.dumps(pid).encode())

    def _ended(self, descriptor: int, pid: int) -> None:
        self._ready.unregister(descriptor)
        os.close(descriptor)
        _, status = os.waitpid(pid, 0)
        _, news = self._living.pop(pid)
        with suppress(OSError):
            news.send(_STATUS.pack(os.waitstatus_to_exitcode(status)))
        news.close()

    def _lives(self, kind: str, name: str, descriptors: list[int], news: socket.socket) -> NoReturn:
        """What is forked, in this frame to its end: nothing that it has closed is closed again."""
        status: object = 1
        try:
            for key in list(self._ready.get_map().values()):
                key.fileobj.close() if isinstance(key.fileobj, socket.socket) else os.close(key.fd)
            self._ready.close()
            for _, other in self._living.values():
                other.close()
            news.close()
            status = _instance(name, self._door) if kind == "instance" else _worker(name, descriptors)
        except SystemExit as end:
            status = end.code
        except BaseException:  # noqa: BLE001 - the process ends here
            traceback.print_exc()
        finally:
            os._exit(status if isinstance(status, int) else 0)


def _instance(home: str, door: str) -> int:
    from cluster.cli import main
    from icm_ray.runtime.carriers import processes

    def started(command, *, env, pass_fds, stdin):
        return Forked(door, ("worker", command[-2]), tuple(pass_fds))

    processes.subprocess = SimpleNamespace(
        Popen=started, DEVNULL=subprocess.DEVNULL, TimeoutExpired=subprocess.TimeoutExpired
    )
    sys.argv = ["icm", "serve", "--home", home]
    main.main()
    return 0


def _worker(name: str, descriptors: list[int]) -> int:
    from icm_ray.runtime.worker import worker_main

    sys.argv = ["worker", name, str(descriptors[0])]
    worker_main.main()
    return 0


def _loaded() -> None:
    from icm_ray.runtime.worker.ahead import load_ahead

    for name in ("cluster.cli.main", "icm_ray.instance.instance", "icm_ray.runtime.worker.worker_main"):
        import_module(name)
    load_ahead()
    assert len(os.listdir("/proc/self/task")) == 1, "a fork waits for what other threads hold"
    gc.collect()
    gc.freeze()


def main() -> None:
    door, descriptor = sys.argv[1:]
    lifeline = socket.socket(fileno=int(descriptor))
    quiet = os.open(os.devnull, os.O_RDWR)
    os.dup2(quiet, 0)
    os.dup2(quiet, 1)
    _loaded()
    forking = _Forking(door, lifeline)
    lifeline.send(b".")
    forking.run()
    os.killpg(0, signal.SIGKILL)  # a session of its own: all that was forked, and itself


if __name__ == "__main__":
    main()
