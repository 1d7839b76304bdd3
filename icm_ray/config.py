"""Settings of the engine, and the only place that reads its environment variables (prefix `ICM_`)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from icm_ray.errors import InputError
from icm_ray.whole_numbers import whole_number

__all__ = ["EngineConfig", "from_environment"]


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """An `EngineConfig` says what one session decides for all of its workers.

    Args:
        fraction_bits: f, the fractional bits of fixed-point numbers: 0 to 62.
        default_bound: log2 of the largest magnitude of a shared float column without a declared bound.
        heartbeat: Seconds between heartbeats.
        silence: Seconds without a heartbeat after which a peer counts as gone: two heartbeats at least.
        lease: Seconds without a sign of the driver after which a worker ends itself, two heartbeats at least: longer
            than one call into C that holds the driver's interpreter. A driver that is dead is found at once, by its
            closed links.
        start_timeout: Seconds that the workers of a lane may take to start.
        job_timeout: Seconds that one partition may take.
        partition_bytes: Plaintext bytes of one partition, about.
        in_flight: Bytes that a worker may hold of what is between the inputs and outputs of a program, about; 0: as
            much as keeps it within four times these, or 128 MiB in programs of many operations. More means fewer
            rounds, which a slow network is grateful for.
        tls: Whether every link is encrypted and authenticated; only benchmarks on loopback switch it off.
        rtt_ms: Milliseconds there and back of a slow network put between the members of a lane, for benchmarks.
        mbit: Megabits a second, each way on each link, of that network; 0: as fast as it goes.
        free_programs: Whether workers take programs that no question and no model implies, as tests and benchmarks
            write them by hand; otherwise each derives a program from what is asked, and refuses any other.
        stock: Directory, on every worker's own node, where prepared randomness outlives the session: an absolute path.
            None: what is prepared lies in a private temporary directory of each worker and ends with it.
        ledger: Directory, on every party's own node, where ledgers of what was answered outlive the session: an
            absolute path. None: they go with the session.

    Raises:
        InputError: A setting that cannot be; it names the setting and its value.

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
    ledger: str | None = None

    def __post_init__(self) -> None:
        """Raise `InputError` naming the setting and its value; whole numbers and numbers become Python's own."""
        for name, least, most in _WHOLE:
            object.__setattr__(self, name, _whole(name, getattr(self, name), least, most))
        for name in _SECONDS + _OR_ZERO:
            object.__setattr__(self, name, _number(name, getattr(self, name), name in _OR_ZERO))
        for name in ("silence", "lease"):
            if getattr(self, name) < 2 * self.heartbeat:
                raise InputError(
                    f"{name}={getattr(self, name):g} s must be at least twice heartbeat={self.heartbeat:g} s, "
                    "or one late heartbeat looks like a dead peer",
                    settings=(name, "heartbeat"),
                )
        for name in ("tls", "free_programs"):
            if type(getattr(self, name)) is not bool:
                raise InputError(f"{name}={getattr(self, name)!r}: it is True or False", settings=(name,))
        for name in ("stock", "ledger"):
            path: object = getattr(self, name)
            if path is not None and not (isinstance(path, str) and Path(path).is_absolute()):
                raise InputError(
                    f"{name}={path!r}: workers run on nodes of their own and need an absolute path", settings=(name,)
                )


_WHOLE: Final = (
    ("fraction_bits", 0, 62),
    ("default_bound", -62, 62),
    ("partition_bytes", 1, 1 << 62),
    ("in_flight", 0, 1 << 62),
)
"""Settings that are whole numbers: name, least, most."""
_SECONDS: Final = ("heartbeat", "silence", "lease", "start_timeout", "job_timeout")
_OR_ZERO: Final = ("rtt_ms", "mbit")
_MOST: Final = 1e9
"""Longer than that no thread can be told to wait."""


def _whole(name: str, value: object, least: int, most: int) -> int:
    number = whole_number(value)
    if number is None:
        raise InputError(f"{name}={value!r}: it is a whole number", settings=(name,))
    if not least <= number <= most:
        raise InputError(f"{name}={number}: it is {_power(least)} or more, {_power(most)} at most", settings=(name,))
    return number


def _number(name: str, value: object, may_be_zero: bool) -> float:
    if not isinstance(value, int | float | np.number) or type(value) is bool:
        raise InputError(f"{name}={value!r}: it is a number", settings=(name,))
    if not (0 < value <= _MOST or (may_be_zero and value == 0)):
        least = "0 or more" if may_be_zero else "more than 0"
        raise InputError(f"{name}={value}: it is {least}, {_MOST:g} at most", settings=(name,))
    return float(value)


def _power(number: int) -> str:
    return f"2^{number.bit_length() - 1}" if number > 1 << 20 else str(number)


_VARIABLES: Final[tuple[tuple[str, type[int | float | str]], ...]] = (
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
    ("ledger", str),
)


def from_environment() -> EngineConfig:
    """Read the environment: the default settings, with `ICM_FRACTION_BITS`, `ICM_SILENCE` and so on put over them.

    There is a variable for each of `fraction_bits`, `default_bound`, `heartbeat`, `silence`, `lease`, `start_timeout`,
    `job_timeout`, `partition_bytes`, `in_flight`, `stock` and `ledger`.

    Returns:
        The settings that a session has where neither its `config` nor its keywords say otherwise.

    Raises:
        InputError: Values that cannot be; it names their variables.

    Examples:
        >>> from icm_ray.config import from_environment
        >>> from_environment().heartbeat  # where ICM_HEARTBEAT is not set
        2.0
    """
    changed: dict[str, object] = {}
    for name, kind in _VARIABLES:
        text = os.environ.get(_variable(name))
        if text is None:
            continue
        try:
            changed[name] = kind(text)
        except ValueError:
            what = "a whole number" if kind is int else "a number"
            said = f"the environment variable {_variable(name)}={text!r} is not {what}"
            raise InputError(said, variables=(_variable(name),)) from None
    try:
        return EngineConfig(**changed)  # type: ignore[arg-type]
    except InputError as error:
        wrong = tuple(_variable(name) for name in error.where["settings"] if name in changed)
        said = " and ".join(f"{variable}={os.environ[variable]}" for variable in wrong)
        plural = "s" if len(wrong) > 1 else ""
        raise InputError(f"the environment variable{plural} {said}: {error.message}", variables=wrong) from None


def _variable(name: str) -> str:
    return f"ICM_{name.upper()}"
