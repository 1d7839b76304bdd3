"""A worker as a process of its own: `python -m icm_ray.runtime.worker.worker_main NAME FD`, started by `processes`.

The descriptor carries public data alone, as msgpack: settings in, endpoint out, plan in, how joining went out. Until
settings come it has no key and is nobody's. The environment (threads of OpenMP, MKL, Numba) is set by whoever starts
the process, before numpy is imported here.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from multiprocessing.connection import Connection
from typing import Final

import msgspec

from icm_ray.config import EngineConfig
from icm_ray.errors import IcmError
from icm_ray.payload import decode
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.house import HouseFacts
from icm_ray.runtime.orders.lane_plan import Place, decode_plan
from icm_ray.runtime.worker.ahead import load_ahead
from icm_ray.runtime.worker.malloc import keep_freed_memory
from icm_ray.runtime.worker.sealed import seal_process
from icm_ray.runtime.worker.worker import Worker

__all__ = ["DRIVER_SILENT", "Settings", "decode_settings", "main"]

DRIVER_SILENT: Final = 3
"""The status of a worker's process that ended itself since its driver was silent, or gone."""
_FAILED: Final = 2
"""... and of one that has said why."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a worker is started with. threads: that it may keep at work. house: the instance that starts it, if one
    does.
    """

    config: EngineConfig
    place: Place
    threads: int = 1
    house: HouseFacts | None = None


_DECODER = msgspec.msgpack.Decoder(Settings)


def decode_settings(payload: bytes) -> Settings:
    """What the driver starts a worker with; raises `Desynchronised` for anything else."""
    return decode(payload, _DECODER, "settings", "driver")


def main() -> None:
    """Serve one lane, then end."""
    seal_process()
    name, descriptor = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the driver's to answer
    pipe = Connection(int(descriptor))
    keep_freed_memory()
    try:
        if not pipe.poll():
            load_ahead()
        settings = decode_settings(pipe.recv_bytes())
        lapse = partial(os._exit, DRIVER_SILENT)
        try:
            worker = Worker.over_tcp(name, settings.config, settings.place, lapse, settings.threads, settings.house)
        except OSError as error:
            pipe.send_bytes(say.encode(say.failed(0, settings.place.refused(name, error), name)))
            os._exit(_FAILED)
        pipe.send_bytes(msgspec.msgpack.encode(worker.endpoint()))
        plan = decode_plan(pipe.recv_bytes())
        try:
            worker.join(plan)
        except IcmError as error:
            pipe.send_bytes(say.encode(say.failed(0, error, name)))
            os._exit(_FAILED)
        pipe.send_bytes(say.encode(say.Done(0)))
    except (EOFError, OSError):
        os._exit(DRIVER_SILENT)
    worker.serve()
    worker.close()


if __name__ == "__main__":
    main()
