"""A driver's desk: where other processes of its Ray cluster ask it something, over TLS links of their own.

Through Ray pass certificates alone: whoever wants to ask posts its own on a board, and pins the desk's.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import ray
from ray.exceptions import RayError

from icm_ray.config import EngineConfig
from icm_ray.errors import FaultError, PeerLost, SessionClosed, SessionError
from icm_ray.names import DRIVER
from icm_ray.runtime.orders.limits import transport_config
from icm_ray.transport import Endpoint, Identity, TcpStation, WatchedLink

__all__ = ["Desk", "DeskAddress", "DeskVisitor"]

_VISITOR: Final = "visitor"
_DAY: Final = 86_400.0
"""Seconds that an answer may take, or the next question; who is gone is noticed by its heartbeats."""


class _Board:
    """The actor: certificates, in the order in which they were posted."""

    def __init__(self) -> None:
        self._posted: list[bytes] = []
        self._more = asyncio.Event()

    async def post(self, certificate: bytes) -> int:
        """The number of a visitor."""
        self._posted.append(certificate)
        self._more.set()
        return len(self._posted) - 1

    async def after(self, seen: int) -> list[bytes]:
        """Those that were posted after so many, once there are some."""
        while len(self._posted) == seen:
            self._more.clear()
            await self._more.wait()
        return self._posted[seen:]


@dataclass(frozen=True, slots=True)
class DeskAddress:
    """Where a desk is and what it shows: public, and picklable. board: the actor's handle."""

    name: str
    host: str
    port: int
    certificate: bytes
    board: Any
    config: EngineConfig


def _link_name(number: int) -> str:
    return f"desk/{number}"


class Desk:
    """Answers one question at a time, whoever asks it. `answer` is called in a thread of the desk's.

    Raises `SessionError` where this process has joined no cluster.
    """

    def __init__(self, answer: Callable[[bytes], bytes], config: EngineConfig) -> None:
        if not ray.is_initialized():
            raise SessionError("this process has joined no Ray cluster, whose processes could ask it: use icm.Session")
        util: Any = ray.util
        host = util.get_node_ip_address()
        self._answer, self._config = answer, config
        self._station = TcpStation(Identity.create(DRIVER), host, config.tls, transport_config(config))
        self._board: Any = ray.remote(num_cpus=0)(_Board).remote()
        self._links: set[WatchedLink] = set()
        self._one, self._closed = threading.Lock(), False
        threading.Thread(target=self._let_in, name="icm-desk", daemon=True).start()

    @property
    def address(self) -> DeskAddress:
        """To be given to visitors."""
        at = self._station.endpoint
        return DeskAddress(at.name, at.host, at.port, at.certificate, self._board, self._config)

    def _let_in(self) -> None:
        seen = 0
        while not self._closed:
            try:
                posted: list[bytes] = ray.get(self._board.after.remote(seen))
            except (RayError, SystemExit):  # it was closed, or Ray was: which ends whatever thread asks it something
                return
            for certificate in posted:
                visitor, name = Endpoint(_VISITOR, "", 0, certificate), _link_name(seen)
                threading.Thread(target=self._serve, args=(visitor, name), name=f"icm-{name}", daemon=True).start()
                seen += 1

    def _serve(self, visitor: Endpoint, name: str) -> None:
        try:
            link = self._station.open(visitor, name, False)
        except (FaultError, SessionClosed):  # it is gone, or this desk is
            return
        self._links.add(link)
        try:
            while not self._closed:
                asked = link.receive_message(_DAY)
                with self._one:
                    answer = self._answer(asked)
                link.send_message(answer)
        except (FaultError, SessionClosed):
            return
        finally:  # whatever happens here, the visitor is not left waiting
            link.abort()
            self._links.discard(link)

    def close(self) -> None:
        """Let nobody in any more. Idempotent."""
        if not self._closed:
            self._closed = True
            self._station.close()
            for link in tuple(self._links):
                link.abort()
            if ray.is_initialized():
                ray.kill(self._board)


class DeskVisitor:
    """Asks at a desk, in a process of the same cluster. Raises `FaultError` where it is not reached."""

    def __init__(self, address: DeskAddress) -> None:
        identity = Identity.create(_VISITOR)
        try:
            number: int = ray.get(address.board.post.remote(identity.certificate))
        except RayError:
            raise PeerLost(f"{address.name} lets nobody in any more", party=address.name, step="connect") from None
        station = TcpStation(identity, None, address.config.tls, transport_config(address.config))
        desk = Endpoint(address.name, address.host, address.port, address.certificate)
        self._link = station.open(desk, _link_name(number), True)

    def close(self) -> None:
        """End the link. Idempotent."""
        self._link.close()

    def ask(self, question: bytes) -> bytes:
        """The answer. Raises `FaultError` where the desk is gone."""
        self._link.send_message(question)
        return self._link.receive_message(_DAY)
