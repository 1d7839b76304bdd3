"""The links that a listener expects, and the channels that came for them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic

from icm_ray.errors import AddressReused, PeerRefused, PeerSilent, SessionClosed
from icm_ray.transport.channel import Channel
from icm_ray.transport.hello import Direction
from icm_ray.transport.identity import fingerprint_of

__all__ = ["Endpoint", "PendingLink", "PendingLinks"]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a peer listens and what it must show. Public: it may travel anywhere.

    A peer that only dials has no address of its own: host "" and port 0. Without TLS the certificate may be empty.
    """

    name: str
    host: str
    port: int
    certificate: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hex."""
        return fingerprint_of(self.certificate)


@dataclass(slots=True, eq=False)
class PendingLink:
    """One link that is waited for. welcomed: of one whom nobody expected; guest: who has shown no certificate yet."""

    link: str
    peer: Endpoint
    channels: dict[Direction, Channel] = field(default_factory=dict)
    reserved: set[Direction] = field(default_factory=set)
    refusal: str = ""
    claimed: bool = False
    guest: bool = False
    welcomed: bool = False


class PendingLinks:
    """Each name of a link is good for one link, ever."""

    def __init__(self, owner: str, connect_timeout: float) -> None:
        self._owner = owner
        self._timeout = connect_timeout
        self._changed = threading.Condition()
        self._expected: dict[str, PendingLink] = {}
        self._used: set[str] = set()
        self._session = ""
        self._closed = False

    def only(self, session: str) -> None:
        """From now on links of this session alone can be expected: their names begin with its own."""
        with self._changed:
            self._session = f"{session}/"
            self._changed.notify_all()

    def use(self, link: str) -> None:
        """Mark a name as used, for a link that this side dials."""
        with self._changed:
            if self._closed:
                raise SessionClosed(f"the listener of {self._owner} is closed")
            if link in self._used:
                raise AddressReused(f"a link named {link!r} was already opened at {self._owner}", step="connect")
            self._used.add(link)

    def expect(self, link: str, peer: Endpoint) -> PendingLink:
        """Let `peer`, and nobody else, open `link`."""
        with self._changed:
            self.use(link)
            self._expected[link] = PendingLink(link, peer)
            self._changed.notify_all()
            return self._expected[link]

    def welcome(self, link: str, peer: Endpoint) -> None:
        """Let `peer` open `link` though nobody waits for it, unless the name was used: who has shown its certificate is
        claimed then.
        """
        with self._changed:
            if not self._closed and link not in self._used:
                expected = self.expect(link, peer)
                expected.guest = expected.welcomed = True

    def unclaimed_guest(self, expected: PendingLink) -> bool:
        """Whether this is the first channel of one who came by `welcome`; True once."""
        with self._changed:
            first, expected.guest = expected.guest, False
            return first

    def unwelcome(self, expected: PendingLink) -> None:
        """Forget one who came by `welcome` and has not shown its certificate."""
        with self._changed:
            if expected.guest and not expected.channels and self._expected.get(expected.link) is expected:
                del self._expected[expected.link]
                self._used.discard(expected.link)
                self._changed.notify_all()

    def find(self, link: str, sender: str, deadline: float, gone: Callable[[], bool]) -> PendingLink | None:
        """Wait until `link` is expected, or was; None when it is not, or of somebody else, or its sender is gone.

        The name of a link of another session is not waited for.
        """
        with self._changed:
            left = max(0.0, deadline - monotonic())
            self._changed.wait_for(
                lambda: self._closed or gone() or link in self._used or not link.startswith(self._session), left
            )
            expected = self._expected.get(link)
            return expected if expected is not None and expected.peer.name == sender else None

    def look(self) -> None:
        """Let those who wait in `find` look whether their sender is gone."""
        with self._changed:
            self._changed.notify_all()

    def reserve(self, expected: PendingLink, direction: Direction) -> bool:
        """Whether this direction is still wanted; True to the first who asks."""
        with self._changed:
            if self._expected.get(expected.link) is not expected or direction in expected.reserved:
                return False
            expected.reserved.add(direction)
            return True

    def deliver(self, expected: PendingLink, direction: Direction, channel: Channel) -> bool:
        """Hand a channel to whoever waits for it; False when nobody does any more."""
        with self._changed:
            if self._expected.get(expected.link) is not expected:
                return False
            expected.channels[direction] = channel
            self._changed.notify_all()
            return True

    def claim(self, link: str, peer: Endpoint) -> dict[Direction, Channel]:
        """Wait for both channels of `link`. A link can be claimed once."""
        with self._changed:
            known = self._expected.get(link)
            if known is None or known.claimed or known.peer != peer:
                known = self.expect(link, peer)
            known.claimed = True
            wanted = known
            self._changed.wait_for(lambda: self._closed or len(wanted.channels) == len(Direction), self._timeout)
            self._expected.pop(link, None)
            if wanted.welcomed:  # its peer makes names up, and is asked for its certificate each time
                self._used.discard(link)
            if self._closed:
                raise SessionClosed(f"the listener of {self._owner} was closed while {peer.name} was waited for")
            if len(known.channels) == len(Direction):
                return known.channels
            for channel in known.channels.values():
                channel.close()
        if known.refusal:
            raise PeerRefused(f"{peer.name}: {known.refusal} (link {link!r})", party=peer.name, step="connect")
        raise PeerSilent(
            f"{peer.name} did not open link {link!r} within {self._timeout:g} s", party=peer.name, step="connect"
        )

    def close(self) -> None:
        """Expect nothing any more and drop what nobody has claimed."""
        with self._changed:
            self._closed = True
            for expected in self._expected.values():
                for channel in expected.channels.values():
                    channel.close()
            self._expected.clear()
            self._changed.notify_all()
