"""Whether a peer's instance can be spoken with, step by step, each with what mends it."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.metadata import version
from statistics import median
from time import monotonic, time
from typing import Final, Self

from icm_ray.errors import Desynchronised, FaultError, IcmError, InstanceError, PeerRefused
from icm_ray.instance.conversation import Conversation
from icm_ray.instance.doorkeeper import CHECK
from icm_ray.instance.finding import Finding, failed, ok, skipped, warning
from icm_ray.instance.keys import InstanceKey
from icm_ray.instance.messages import VERSION, Answer, Call, Ping, Pong
from icm_ray.instance.roster import Peer
from icm_ray.instance.settings import Settings
from icm_ray.instance.tickets import Address
from icm_ray.transport import Endpoint, TcpStation, TransportConfig

__all__ = ["check_peer", "judge_clock", "judge_versions"]

_PATIENCE: Final = 10.0
"""Seconds for each step."""
_PINGS: Final = 3
_SIZES: Final = (1 << 10, 1 << 16, 1 << 20)
_HEAD: Final = 1 << 12
"""What a call weighs beside its padding, at most."""
_SLOW: Final = 10.0
"""Mbit a second, below which answers take long."""
_FAR: Final = 0.2
_APART: Final = (5.0, 300.0)
"""Seconds that clocks may be apart before it is worth a word, and before vouchers (600 s) may count as expired."""
Ask = Callable[[Ping, float], Answer]


def check_peer(settings: Settings, key: InstanceKey, peer: Peer, through: Ask | None) -> Iterator[Finding]:
    """Examine the way to a peer. through: asks it by the own instance, which serves; None: it does not."""
    mine = settings.name
    if peer.state != "approved":
        way = f"compare the six words (icm peers), then icm peers --approve {peer.name}"
        again = f"icm invite {peer.name}, or icm join TICKET"
        yield failed("roster", f"{peer.name} is {peer.state}", way if peer.state == "joined" else again)
        return
    yield ok("roster", f"{peer.name} is approved, certificate {peer.fingerprint[:16]}")
    if not peer.addresses:
        yield skipped("address", f"{peer.name} has none: it dials")
        yield from _by_own_instance(settings, peer.name, through)
        return
    for address in peer.addresses:
        reached, found = _reached(address)
        yield from found
        if not reached:
            continue
        with _Line(settings, key, peer, address) as line:
            yield line.finding
            if line.talk is not None:
                yield from _spoken(peer.name, line.talk.call, min(settings.limits.message_bytes, 1 << 20) - _HEAD)
                return
    yield skipped("conversation", f"no address of {peer.name}'s leads to it; {mine} cannot ask it anything")


def _by_own_instance(settings: Settings, name: str, through: Ask | None) -> Iterator[Finding]:
    if through is None:
        yield failed("own instance", f"{settings.name} does not serve, and only {name} can dial", "icm serve")
        return
    try:
        through(Ping(), _PATIENCE)
    except IcmError as error:
        at = ", ".join(f"{host}:{port}" for host, port in settings.addresses) or "no address: dial_only is true here"
        yield failed(
            "link",
            f"{error.message}",
            f"{name} has to run icm serve, and to reach {at}: icm check {settings.name} there",
        )
        return
    yield ok("link", f"{name} keeps a link open")
    yield from _spoken(name, through, min(settings.limits.message_bytes, 1 << 20) - _HEAD)


def _reached(address: Address) -> tuple[bool, list[Finding]]:
    """Name resolution and TCP."""
    host, port = address
    found = []
    try:
        places = sorted({item[4][0] for item in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})
    except (OSError, UnicodeError) as error:
        why = f"{host}: {error}"
        return False, [failed("name", why, "correct the address in the peer's icm.toml (advertise), or the DNS here")]
    found.append(ok("name", f"{host} is {', '.join(map(str, places))}"))
    began = monotonic()
    try:
        socket.create_connection(address, timeout=_PATIENCE).close()
    except ConnectionRefusedError:
        remedy = "icm serve there; the same port in listen of its icm.toml, and forwarded by its router"
        return False, [*found, failed("TCP", f"{host}:{port}: nothing listens there", remedy)]
    except OSError as error:
        remedy = "let the firewalls on both sides pass TCP to this port; or dial_only = true on the side that is closed"
        said = "no answer" if isinstance(error, TimeoutError) else str(error)
        return False, [*found, failed("TCP", f"{host}:{port}: {said}", remedy)]
    return True, [*found, ok("TCP", f"{host}:{port} in {1000 * (monotonic() - began):.0f} ms")]


class _Line:
    """A conversation of its own with a peer's instance. talk: None where there is none, and `finding` says why."""

    def __init__(self, settings: Settings, key: InstanceKey, peer: Peer, address: Address) -> None:
        self.talk: Conversation | None = None
        limits = settings.limits
        config = TransportConfig(
            connect_timeout=_PATIENCE, silence=limits.silence, heartbeat=limits.silence / 5, dial_tries=1
        )
        began = monotonic()
        try:
            station = TcpStation(key.identity, None, True, config)
            endpoint = Endpoint(peer.name, address[0], address[1], peer.certificate)
            link = station.open(endpoint, CHECK + secrets.token_hex(16), True)
        except FaultError as error:
            self.finding = failed("TLS", error.message, _remedy(settings.name, peer.name, error))
            return
        self.talk = Conversation(settings.name, peer.name, link, _nothing, limits)
        self.finding = ok("TLS", f"1.3, both certificates are those pinned, {1000 * (monotonic() - began):.0f} ms")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.talk is not None:
            self.talk.close()


def _nothing(call: Call) -> Answer:
    raise InstanceError(f"whoever examines answers no {type(call).__name__}")


def _remedy(mine: str, name: str, error: FaultError) -> str:
    if not isinstance(error, PeerRefused):
        return f"{name}'s instance hangs: icm status there"
    if "does not expect" in error.message:
        return f"{name} has to approve {mine}: icm peers --approve {mine} there"
    return (
        f"somebody else is at this address, or one of the two has another certificate than is pinned: compare the six "
        f"words (icm peers on both sides); where they differ, icm peers --revoke {name} and a new ticket"
    )


def _spoken(name: str, ask: Ask, most: int) -> Iterator[Finding]:
    """Round trip, versions, clock, message sizes, bandwidth."""
    try:
        times, apart, last = [], [], None
        for _ in range(_PINGS):
            began, said = monotonic(), time()
            last = _ponged(name, ask(Ping(), _PATIENCE))
            times.append(monotonic() - began)
            apart.append(last.clock - (said + times[-1] / 2))
    except IcmError as error:
        yield failed("round trip", error.message, f"{name}'s instance refuses or hangs: icm status there")
        return
    trip = median(times)
    said_trip = f"{1000 * trip:.1f} ms"
    yield (
        ok("round trip", said_trip)
        if trip < _FAR
        else warning("round trip", said_trip, "questions take long: more rows in one question, a nearer node")
    )
    if last is not None:
        yield judge_versions(name, last.release, last.version)
    yield judge_clock(name, median(apart))
    yield from _sizes(name, ask, most, trip)


def _ponged(name: str, answer: Answer) -> Pong:
    if not isinstance(answer, Pong):
        raise Desynchronised(f"{name} answers something else than was asked", party=name)
    return answer


def _sizes(name: str, ask: Ask, most: int, trip: float) -> Iterator[Finding]:
    padding, took = b"", trip
    for size in _SIZES:
        padding, began = bytes(min(size, most)), monotonic()
        try:
            same = _ponged(name, ask(Ping(padding=padding), _PATIENCE)).padding == padding
        except IcmError as error:
            remedy = "small ones pass: lower the MTU of the interface (a VPN or tunnel between), or raise message_bytes"
            yield failed("message sizes", f"{len(padding)} bytes: {error.message}", f"{remedy} in icm.toml")
            return
        if not same:
            yield failed("message sizes", f"{len(padding)} bytes came back changed", f"update icm-ray at {name}")
            return
        took = monotonic() - began
    yield ok("message sizes", f"{len(padding)} bytes there and back")
    rate = 16 * len(padding) / max(took - trip, 1e-6) / 1e6
    said = f"{rate:.0f} Mbit/s or more" if rate > 1000 else f"about {rate:.1f} Mbit/s"
    slow = warning("bandwidth", said, "answers take long: a faster line, or nodes nearer to each other")
    yield ok("bandwidth", said) if rate >= _SLOW else slow


def judge_clock(name: str, apart: float) -> Finding:
    """Of two clocks. apart: seconds that the peer's is ahead."""
    said = f"{name}'s is {abs(apart):.1f} s {'ahead' if apart > 0 else 'behind'}"
    remedy = "set both clocks by NTP: timedatectl set-ntp true"
    if abs(apart) > _APART[1]:
        return failed("clock", f"{said}: what instances sign would count as expired", remedy)
    return warning("clock", said, remedy) if abs(apart) > _APART[0] else ok("clock", said)


def judge_versions(name: str, release: str, spoken: int) -> Finding:
    """Of two instances. release: the peer's icm-ray. spoken: the version of what it says."""
    mine = version("icm-ray")
    said = f"{name} has icm-ray {release} (messages of version {spoken}), this is {mine} ({VERSION})"
    if spoken == VERSION and release == mine:
        return ok("versions", said)
    older = name if spoken < VERSION else "this side"
    if spoken != VERSION:
        return failed("versions", said, f"update icm-ray on {older}")
    with suppress(ValueError):
        older = name if _numbers(release) < _numbers(mine) else "this side"
    return warning("versions", said, f"workers of one lane have to be of one release: update icm-ray on {older}")


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))
