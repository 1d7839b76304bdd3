"""The seams of the engine: what the protocols need of the outside, as types that others fill.

`Link` carries frames to one peer, `Correlations` hands out one party's shares of dealt randomness.
Both are filled by memory (tests) and by the real thing (TCP/TLS, AES); protocols cannot tell which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_PROGRAM", "SECOND", "Address", "Correlations", "Counters", "Frame", "Link", "Words", "party_after"]

Words = NDArray[np.unsignedinteger]
"""A contiguous array of unsigned words (uint8, 16, 32 or 64): what travels and what is dealt."""


NO_PROGRAM: Final = bytes(32)
"""In place of a program's digest, where what travels belongs to none."""

SECOND: Final = 1 << 31
"""Tags from here on are corrected at the party after the one whose turn the operation is: its corrections come over two
lines at a time.
"""


@dataclass(frozen=True, slots=True)
class Address:
    """Where in the work of a lane a mask or a frame belongs. An address is consumed once.

    `program` is the digest of the stamped program (32 bytes), `attempt` is given by the lane's dealer.
    """

    job: int
    program: bytes
    partition: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Frame:
    """The header of every frame between peers: an address and the step within it."""

    address: Address
    step: int
    tag: int = 0


@dataclass(slots=True)
class Counters:
    """What went over a link: payload bytes and frames, without headers and heartbeats."""

    sent_bytes: int = 0
    sent_frames: int = 0
    received_bytes: int = 0
    received_frames: int = 0


@runtime_checkable
class Link(Protocol):
    """An ordered, authenticated connection to one peer; both directions are independent.

    Frames arrive in the order of sending. Every wait ends: by data, or by a `FaultError` that names the peer.
    A link may be used by one sending and one receiving thread at a time.
    """

    peer: str
    counters: Counters

    def send(self, frame: Frame, parts: Sequence[Words]) -> None:
        """Queue one frame of several contiguous arrays, without copying them; they must not change until they left.

        Returns at once unless the (bounded, in bytes) queue is full; then it waits for room.
        """

    def receive(self, frame: Frame, parts: Sequence[Words]) -> None:
        """Wait for the next frame and fill `parts` in place. Raises `Desynchronised` if its header is not `frame`
        or its length is not that of `parts`."""

    def receive_any(self, frame: Frame) -> tuple[int, int, NDArray[np.uint8]]:
        """Wait for the next frame of `frame.address`; returns its step, tag and payload. Other addresses raise."""

    def read_ahead(self) -> int:
        """Take in one frame, where one is there and nobody is receiving; the next `receive*` gets it. Bytes taken."""

    def set_send_buffer(self, queued: int) -> None:
        """From now on let so many bytes wait to be sent; a single larger frame may, where nothing else waits."""

    def set_receive_limits(self, frame: int, ahead: int) -> None:
        """From now on refuse larger frames than this before memory is taken for them (`Desynchronised`), where their
        size is not known already; read ahead until so many bytes are kept. 0: nothing comes."""

    def set_message_limit(self, largest: int) -> None:
        """From now on refuse larger control messages than this before memory is taken for them (`Desynchronised`)."""

    def send_message(self, payload: bytes) -> None:
        """Queue a control message (msgpack or so) of any length."""

    def receive_message(self, timeout: float | None = None) -> bytes:
        """Wait for the next frame, which must be a control message. `timeout` (seconds) replaces the link's own."""

    def close(self) -> None:
        """Flush what is queued (bounded), then close. Idempotent."""


class Correlations(Protocol):
    """One party's view of the randomness dealt for one operation. Each tag is used once."""

    def words(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        """This party's share of `count` uniform words that nobody corrected: a mask."""

    def dealt(self, tag: int, count: int, dtype: type[np.unsignedinteger] = np.uint64) -> Words:
        """This party's share of `count` words that the dealer chose: expanded, or the correction itself."""


def party_after(parties: Sequence[str], name: str) -> str:
    """The one whose turn comes next."""
    return parties[(parties.index(name) + 1) % len(parties)]
