"""Channels between processes: `Link` in memory, over TCP and over TLS; slow and faulty ones; liveness."""

from icm_ray.transport.config import TransportConfig
from icm_ray.transport.delayed import DelayedLink
from icm_ray.transport.fault import Fault, FaultKind, FaultLink
from icm_ray.transport.hello import Hello
from icm_ray.transport.identity import Identity, fingerprint_of
from icm_ray.transport.lease import Lease
from icm_ray.transport.listener import Door, Listener
from icm_ray.transport.memory import MemoryLink, Received, Transcript, memory_links
from icm_ray.transport.pending_links import Endpoint
from icm_ray.transport.secret import derive_pair_secret
from icm_ray.transport.station import Station, TcpStation, WatchedLink
from icm_ray.transport.switchboard import MemoryStation, Switchboard
from icm_ray.transport.tcp import TcpLink, open_link

__all__ = [
    "DelayedLink",
    "Door",
    "Endpoint",
    "Fault",
    "FaultKind",
    "FaultLink",
    "Hello",
    "Identity",
    "Lease",
    "Listener",
    "MemoryLink",
    "MemoryStation",
    "Received",
    "Station",
    "Switchboard",
    "TcpLink",
    "TcpStation",
    "Transcript",
    "TransportConfig",
    "WatchedLink",
    "derive_pair_secret",
    "fingerprint_of",
    "memory_links",
    "open_link",
]
