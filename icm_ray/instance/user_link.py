"""A user's process and its organisation's own instance."""

from __future__ import annotations

import secrets
from concurrent.futures import Future
from pathlib import Path

from icm_ray.errors import InstanceError
from icm_ray.instance.conversation import Conversation
from icm_ray.instance.doorkeeper import USER
from icm_ray.instance.files import read, read_bytes
from icm_ray.instance.instance import SERVING, USERS, Serving
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.messages import Answer, Call
from icm_ray.instance.settings import read_settings
from icm_ray.transport import Endpoint, TcpStation, TransportConfig

__all__ = ["UserLink"]


class UserLink:
    """To the instance whose folder this is, on this machine. Errors: `InstanceError`, `FaultError` where it is not."""

    def __init__(self, folder: Path) -> None:
        self.settings = read_settings(folder)
        serving = read(folder / SERVING, Serving, "address")
        certificate = read_bytes(folder / "certificate.der")
        if serving is None or certificate is None:
            raise InstanceError(f"{folder}: this instance does not serve; icm serve starts it", path=str(folder))
        key = InstanceKey.load("user", folder / USERS)
        limits = self.settings.limits
        config = TransportConfig(silence=limits.silence, heartbeat=limits.silence / 5)
        station = TcpStation(key.identity, None, True, config)
        endpoint = Endpoint(self.settings.name, serving.host, serving.port, certificate)
        link = station.open(endpoint, USER + secrets.token_hex(16), True)
        self._talk = Conversation("user", self.settings.name, link, _nothing, limits)

    def call(self, call: Call, timeout: float = 120.0) -> Answer:
        """Ask the instance. Errors: what it refuses with, `PeerSilent`, `PeerLost`."""
        return self._talk.call(call, timeout)

    def submit(self, call: Call) -> Future[Answer]:
        """Ask; the future has the answer, a `Failed` among them."""
        return self._talk.submit(call)

    @property
    def gone(self) -> bool:
        """Whether the instance has left."""
        return self._talk.gone

    def close(self) -> None:
        """Hang up. Idempotent."""
        self._talk.close()


def _nothing(call: Call) -> Answer:
    raise InstanceError(f"a user answers no {type(call).__name__}")
