"""Links between the threads of one process, found by their names as those over sockets are."""

from __future__ import annotations

import threading
from itertools import count
from weakref import WeakSet

from icm_ray.errors import AddressReused, PeerLost
from icm_ray.transport.config import TransportConfig
from icm_ray.transport.memory import MemoryLink, memory_pair
from icm_ray.transport.pending_links import Endpoint

__all__ = ["MemoryStation", "Switchboard"]


class Switchboard:
    """Joins the two ends of every link. Whoever opens a link first need not wait for the other."""

    def __init__(self, config: TransportConfig) -> None:
        self.config = config
        self._numbers = count(1)
        self._changing = threading.Lock()
        self._half_open: dict[str, dict[bool, MemoryLink]] = {}
        self._used: set[str] = set()
        self._links: dict[int, WeakSet[MemoryLink]] = {}

    def station(self, name: str) -> MemoryStation:
        """A new place. Several may bear one name, in different lanes."""
        with self._changing:
            number = next(self._numbers)
            self._links[number] = WeakSet()
        return MemoryStation(self, Endpoint(name, "memory", number, b""))

    def join(self, here: Endpoint, peer: Endpoint, name: str, initiator: bool) -> MemoryLink:
        """This side's end of the link `name`. Raises PeerLost where the peer's station is closed, AddressReused."""
        with self._changing:
            if peer.port not in self._links or here.port not in self._links:
                gone = peer.name if here.port in self._links else here.name
                raise PeerLost(f"{gone} has left (link {name!r})", party=gone, step="connect")
            ends = self._half_open.get(name)
            if ends is None:
                if name in self._used:
                    raise AddressReused(f"a link named {name!r} was already opened at {here.name}", step="connect")
                self._used.add(name)
                mine, theirs = memory_pair(here.name, peer.name, self.config)
                ends = self._half_open[name] = {initiator: mine, not initiator: theirs}
                self._links[here.port].add(mine)
                self._links[peer.port].add(theirs)
            elif initiator not in ends:
                raise AddressReused(f"link {name!r} was opened twice from one side", step="connect")
            link = ends.pop(initiator)
            if not ends:
                del self._half_open[name]
            return link

    def leave(self, number: int) -> None:
        """Cut every link of a station, those too that others have opened towards it."""
        with self._changing:
            links = list(self._links.pop(number, ()))
        for link in links:
            link.abort()


class MemoryStation:
    """One member's place at a switchboard. Closing it cuts its links: to the others it is gone."""

    def __init__(self, board: Switchboard, endpoint: Endpoint) -> None:
        self.endpoint = self.inside = endpoint
        self._board = board

    def only(self, session: str) -> None:
        """Nobody else can reach a switchboard."""

    def expect(self, name: str, peer: Endpoint) -> None:
        """Links wait for their other end by themselves."""

    def open(self, peer: Endpoint, name: str, initiator: bool, config: TransportConfig | None = None) -> MemoryLink:
        return self._board.join(self.endpoint, peer, name, initiator)

    def close(self) -> None:
        self._board.leave(self.endpoint.port)
