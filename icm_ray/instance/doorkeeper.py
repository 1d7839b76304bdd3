"""Who is let in at an instance's listener, by the name of the link that is asked for."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from time import monotonic, time
from typing import Final

from icm_ray.errors import IcmError, InstanceError
from icm_ray.instance.audit import AuditLog
from icm_ray.instance.halves import Halves
from icm_ray.instance.joining import JOIN, answer_guest
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.roster import Peer, Roster
from icm_ray.instance.rotation import ROTATED, Rotation, Rotations, answer_rotated
from icm_ray.instance.settings import Settings
from icm_ray.runtime.orders.house import house_link
from icm_ray.transport import Endpoint, Hello

__all__ = ["CHECK", "INSTANCE", "USER", "Doorkeeper"]

INSTANCE = "instance/"
"""Links of peers' instances begin with that,"""
CHECK = "check/"
"""those by which peers examine the way here with that,"""
USER = "user/"
"""and those of this organisation's users with that."""

_QUIET: Final = 60.0
"""Seconds in which one refusal of guests is logged."""


class Doorkeeper:
    """user: the certificate that this organisation's users show. enter: takes a link over, in a thread of its own: its
    name, and whose it is. rotations: of this instance. take: what others show of theirs.
    """

    def __init__(
        self,
        settings: Settings,
        key: InstanceKey,
        roster: Roster,
        audit: AuditLog,
        halves: Halves,
        user: bytes,
        enter: Callable[[str, Endpoint], None],
        rotations: Rotations,
        take: Callable[[tuple[Rotation, ...]], object],
    ) -> None:
        self._settings, self._key, self._roster, self._audit = settings, key, roster, audit
        self._halves, self._user, self._enter = halves, user, enter
        self._rotations, self._take = rotations, take
        self._refused_at = -_QUIET

    def whom(self, hello: Hello) -> Endpoint | None:
        """Whose certificate whoever asks for this link must show; None where nobody may open it."""
        if hello.link.startswith((INSTANCE, CHECK)):
            peer = self._roster.peers.get(hello.sender)
            return (
                Endpoint(peer.name, "", 0, peer.certificate) if peer is not None and peer.state == "approved" else None
            )
        if hello.link.startswith(USER):
            return Endpoint("user", "", 0, self._user)
        place = hello.link.split("/")
        if len(place) == 4 and place[2].isascii() and place[2].isdigit():
            half = self._halves.found(place[1], int(place[2]))
            if half is not None and hello.link == house_link(place[1], int(place[2]), half.member[0]):
                return Endpoint(half.member[0], "", 0, half.member[3])
        return None

    def opened(self, link: str, peer: Endpoint) -> None:
        """A peer, a user or a worker has shown its certificate, and opens the link."""
        Thread(target=self._enter, args=(link, peer), name=f"icm-enter-{peer.name}", daemon=True).start()

    def stranger(self, sock: socket.socket, hello: Hello, deadline: float) -> bool:
        """Speak with a guest that has a ticket, or with one that took another key."""
        if hello.link not in {JOIN, ROTATED} or not hello.tls:
            return False
        if hello.link == JOIN:
            answer_guest(self._key, self._settings.kind, sock, deadline, self._admit)
        else:
            with suppress(IcmError):  # the own files are at fault: nothing is said
                answer_rotated(self._key, self._rotations.chain, sock, deadline, self._take)
        return True

    def _admit(self, peer: Peer, proof: bytes, fingerprint: bytes) -> None:
        try:
            self._roster.admit(peer, proof, fingerprint, time())
        except InstanceError:
            if (
                monotonic() - self._refused_at >= _QUIET
            ):  # whoever can reach the port can be refused any number of times
                self._refused_at = monotonic()
                self._audit.add("?", "a guest was refused")
            raise
        self._audit.add(peer.name, "joined", fingerprint=peer.fingerprint)
