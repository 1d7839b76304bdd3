"""A worker's data link with the driver: answers go out, arrays and tables that the driver brings come in."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec
import numpy as np

from icm_ray.errors import Desynchronised, InputError, ProgramError
from icm_ray.names import DRIVER
from icm_ray.payload import Shape, decode
from icm_ray.query.tasks import Given
from icm_ray.ring.array import RingArray
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Job
from icm_ray.runtime.orders.limits import GIVEN_BYTES
from icm_ray.runtime.orders.value_frames import END, GIVEN, TABLE, given_frame
from icm_ray.transport import WatchedLink

__all__ = ["DriverLink"]

_SHAPES: msgspec.msgpack.Decoder[tuple[int, ...]] = msgspec.msgpack.Decoder(Shape)


class DriverLink:
    """max_frame_bytes: the largest array that the link carries. max_table_bytes: the largest partition of a table;
    between tables the driver says little on it.
    """

    def __init__(self, link: WatchedLink, max_frame_bytes: int, max_table_bytes: int) -> None:
        self._link, self._max_frame_bytes, self._max_table_bytes = link, max_frame_bytes, max_table_bytes
        link.set_receive_limits(0, 0)  # what arrays it brings is said before
        link.set_message_limit(GIVEN_BYTES)

    def say(self, answer: say.Answer) -> None:
        """Send an answer."""
        self._link.send_message(say.encode(answer))

    def take_given(self, job: Job, owner: str) -> dict[str, RingArray]:
        """Arrays that the driver sends for this owner: taken off the link first, so that nothing stays on it."""
        names = [name for name, task in job.tasks.get(owner, {}).items() if isinstance(task, Given)]
        arrays: dict[str, RingArray] = {}
        for step, name in enumerate(names):
            shape = decode(self._message(GIVEN), _SHAPES, "the shape of an array", DRIVER)
            if math.prod(shape) * 8 > self._max_frame_bytes:
                raise Desynchronised(f"an array of shape {shape} was announced", party=DRIVER, step="input")
            arrays[name] = np.empty(shape, np.uint64)
            self._link.receive(given_frame(job, step), (arrays[name].reshape(-1),))
        return arrays

    def pushed(self, count: int) -> Iterator[tuple[int, bytes]]:
        """So many partitions of a table as they come: each one's number, and its Arrow stream."""
        self._link.set_message_limit(self._max_table_bytes if count else GIVEN_BYTES)
        left = count
        try:
            while left:
                message = self._link.receive_message()
                left -= 1
                if message == END:
                    raise InputError("the table ended before its last partition")
                if not message.startswith(TABLE):
                    raise ProgramError("the driver sent something else than a table")
                body = message[len(TABLE) :]
                yield int.from_bytes(body[:4], "big"), body[4:]
        finally:
            self._link.set_message_limit(GIVEN_BYTES)

    def _message(self, kind: bytes) -> bytes:
        message = self._link.receive_message()
        if not message.startswith(kind):
            raise ProgramError(f"the driver sent something else than {kind.decode()}")
        return message[len(kind) :]

    def close(self) -> None:
        """Flush what is queued (bounded), then close. Idempotent."""
        self._link.close()
