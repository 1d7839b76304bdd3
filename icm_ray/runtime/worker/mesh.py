"""A worker's links: to the other members of its lane, with the secrets agreed on with each, and to the same party's
workers in other lanes.
"""

from __future__ import annotations

import threading

from icm_ray.config import EngineConfig
from icm_ray.ops.seams import Link
from icm_ray.runtime.orders.lane_plan import LanePlan
from icm_ray.runtime.orders.limits import MEMBER_MESSAGE_BYTES, ORDER_BYTES
from icm_ray.transport import DelayedLink, Endpoint, Station, WatchedLink, derive_pair_secret

__all__ = ["Mesh"]


class Mesh:
    """The links of one worker. `links` and `secrets` keep their identity: those who hold them see the new ones."""

    def __init__(self, station: Station, config: EngineConfig) -> None:
        self.links: dict[str, WatchedLink] = {}
        self.secrets: dict[str, bytes] = {}
        self._station, self._config = station, config
        self._delayed: list[DelayedLink] = []
        self._lanes: dict[tuple[int, int], WatchedLink] = {}
        self._changing = threading.Lock()

    def open(self, plan: LanePlan, generation: int) -> None:
        """Open every link, in place of those of an earlier generation. Raises `FaultError` naming the peer."""
        self._leave()
        me = self._station.endpoint.name
        peers = plan.peers(me)
        names = {peer: plan.link_name(me, peer, generation) for peer in peers}
        for peer in peers:
            if not plan.dials(me, peer):
                self._station.expect(names[peer], plan.endpoint(peer))
        with self._changing:
            self.links.clear()
            self.secrets.clear()
        for peer in peers:
            link = self._station.open(plan.endpoint(peer), names[peer], plan.dials(me, peer))
            link.set_message_limit(MEMBER_MESSAGE_BYTES)
            link.set_receive_limits(0, 0)  # until a run says what it lets in
            with self._changing:
                self.links[peer] = link
        for peer in peers:
            self.secrets[peer] = derive_pair_secret(self.links[peer], me < peer)

    def seams(self) -> dict[str, Link]:
        """The links as protocols use them: behind a slow network where the settings ask for one."""
        rtt, mbit = self._config.rtt_ms, self._config.mbit
        if not rtt and not mbit:
            return dict(self.links)
        self._delayed = [DelayedLink(link, rtt, mbit or None) for link in self.links.values()]
        return {link.peer: link for link in self._delayed}

    def open_lanes(self, plan: LanePlan, lanes: tuple[int, int], generation: int, peer: Endpoint) -> None:
        """Open the link from the first of two lanes, which dials, to the second; one that there was is ended."""
        name = plan.lanes_link(*lanes, generation, peer.name)
        with self._changing:
            old = self._lanes.pop(lanes, None)
        if old is not None:
            old.abort()
        link = self._station.open(peer, name, plan.lane == lanes[0])
        link.set_message_limit(ORDER_BYTES)  # whose rows a share is made of came in an order
        link.set_receive_limits(0, 0)  # what arrays it brings is said before
        with self._changing:
            self._lanes[lanes] = link

    def between(self, lanes: tuple[int, int]) -> WatchedLink | None:
        """The link between two lanes, if it was opened."""
        with self._changing:
            return self._lanes.get(lanes)

    def cut(self) -> None:
        """End every link at once, whoever waits in it. For any thread."""
        for link in self._all():
            link.abort()

    def _leave(self) -> None:
        """Cut links that nobody uses any more: a member with no part in what failed has them open still."""
        self.cut()
        for delayed in self._delayed:
            delayed.abort()
        self._delayed = []

    def _all(self) -> list[WatchedLink]:
        with self._changing:
            return [*self.links.values(), *self._lanes.values()]

    def close(self) -> None:
        """End every link after what is queued was sent."""
        for delayed in self._delayed:
            delayed.close()
        for link in self._all():
            link.close()
