"""Settings of the engine, and the only place that reads its environment variables (prefix `ICM_`)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from icm_ray.errors import InputError

__all__ = ["EngineConfig", "from_environment"]


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """What one session decides for all of its workers.

    fraction_bits: f, the fractional bits of fixed-point numbers.
    default_bound: log2 of the largest magnitude of a shared float column without a declared bound.
    heartbeat, silence: seconds between heartbeats; seconds without one after which a peer counts as gone.
    lease: seconds without a sign of the driver after which a worker ends itself: longer than one call into C that holds
        the driver's interpreter. A driver that is dead is found at once, by its closed links.
    start_timeout: seconds that the workers of a lane may take to start.
    job_timeout: seconds that one partition may take.
    partition_bytes: plaintext bytes of one partition, about.
    in_flight: bytes that a worker may hold of what is between the inputs and outputs of a program, about; 0: as much as
        keeps it within four times these. More means fewer rounds, which a slow network is grateful for.
    tls: encrypt and authenticate every link; only benchmarks on loopback switch it off.
    rtt_ms, mbit: a slow network put between the members of a lane, for benchmarks: milliseconds there and back,
        megabits a second each way on each link (0: as fast as it goes).
    free_programs: whether workers take programs that no question and no model implies, as tests and benchmarks write
        them by hand; otherwise each derives a program from what is asked, and refuses any other.
    stock: directory, on every worker's own node, where prepared randomness outlives the session: an absolute path.
        None: what is prepared lies in a private temporary directory of each worker and ends with it.

    Examples:
        >>> from icm_ray.config import EngineConfig
        >>> EngineConfig(fraction_bits=20).fraction_bits
        20
    """

    fraction_bits: int = 16
    default_bound: int = 20
    heartbeat: float = 2.0
    silence: float = 10.0
    lease: float = 60.0
    start_timeout: float = 90.0
    job_timeout: float = 600.0
    partition_bytes: int = 64 * 1024 * 1024
    in_flight: int = 0
    tls: bool = True
    rtt_ms: float = 0.0
    mbit: float = 0.0
    free_programs: bool = False
    stock: str | None = None

    def __post_init__(self) -> None:
        if self.stock is not None and not Path(self.stock).is_absolute():
            raise InputError(f"stock={self.stock!r}: workers run on nodes of their own and need an absolute path")


def from_environment() -> EngineConfig:
    """The default settings, with `ICM_FRACTION_BITS`, `ICM_SILENCE`, `ICM_LEASE` and so on put over them."""
    changed: dict[str, object] = {}
    for name, kind in (
        ("fraction_bits", int),
        ("default_bound", int),
        ("heartbeat", float),
        ("silence", float),
        ("lease", float),
        ("start_timeout", float),
        ("job_timeout", float),
        ("partition_bytes", int),
        ("in_flight", int),
        ("stock", str),
    ):
        text = os.environ.get(f"ICM_{name.upper()}")
        if text is not None:
            changed[name] = kind(text)
    return EngineConfig(**changed)  # type: ignore[arg-type]
