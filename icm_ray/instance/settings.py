"""How an instance is set up: `icm.toml` in its folder, written with comments by `icm init`, changed by hand."""

from __future__ import annotations

import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

from icm_ray.errors import InstanceError
from icm_ray.file_version import without_version
from icm_ray.instance.files import read_bytes, write_bytes
from icm_ray.instance.roster import Kind
from icm_ray.instance.setting_words import in_words
from icm_ray.instance.tickets import Address
from icm_ray.payload import Name

__all__ = ["LOOPBACK", "SETTINGS", "WILDCARDS", "Limits", "Settings", "address_of", "read_settings", "write_settings"]

SETTINGS: Final = "icm.toml"
_VERSION: Final = 1
_MOST_PORT: Final = 65535
WILDCARDS: Final = ("0.0.0.0", "::")  # noqa: S104 - what is bound is the settings' business
"""Hosts that stand for all addresses of a machine."""
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
"""Hosts that a machine alone reaches itself by."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one peer may take of this instance at a time. workers: processes. calls: a second. message_bytes: of one
    call. job_seconds: of one partition. silence: seconds after which a peer's instance counts as gone, and its worker
    where these are less than 10. results: of its questions that are kept here for this organisation, 0: none.
    result_bytes: of the numbers in one.
    worker_bytes: of memory, of a worker. worker_hours: of its workers together, a day. questions: an hour, that are
    answered without a person; what a session asks again, to the byte, is one with what it asked. refusals: a day, by
    rows that do not allow what was asked: each tells something of them, as what they allow does, which `questions`
    bounds. log_entries: of the audit log, a day, that are written for what it asks.
    """

    workers: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 8
    calls: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 50
    message_bytes: Annotated[int, msgspec.Meta(ge=1 << 16, le=1 << 28)] = 1 << 24
    job_seconds: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 600.0
    silence: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 15.0
    results: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 100
    result_bytes: Annotated[int, msgspec.Meta(ge=8, le=1 << 22)] = 1 << 22
    worker_bytes: Annotated[int, msgspec.Meta(ge=1 << 29, le=1 << 50)] = 4 << 30
    worker_hours: Annotated[float, msgspec.Meta(ge=0, le=1 << 20)] = 96.0
    questions: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 1000
    refusals: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 100
    log_entries: Annotated[int, msgspec.Meta(ge=1, le=1 << 40)] = 100_000


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name: the organisation's. kind: an organisation, or a dealer, who never owns data. listen: where the instance
    binds, host:port. advertise: where others reach it, host:port each; () stands for `listen`. dial_only: nobody can
    reach this organisation; it dials. workers_bind: the host that its workers bind. workers_host: the name under which
    others reach them. worker_ports: the first and the last port that they may take, (0, 0): any. carrier: of workers.
    ray_address: of the own cluster, as Ray takes it; "": that of RAY_ADDRESS, else one is started on this machine.
    worker_cpus: that each asks of it. worker_labels: that its node must have. peer_cores: that workers for peers keep
    busy, all of them together, 0: any. spare_workers: processes that stand by for whoever asks next. partition_bytes:
    of the rows that a worker takes at a time, about. web: where the page of the data officer is, host:port of this
    machine alone; "": nowhere. metrics: where health and metrics are read, host:port; "": nowhere.
    """

    name: Name
    kind: Kind = "organisation"
    listen: str = "127.0.0.1:7800"
    advertise: tuple[str, ...] = ()
    dial_only: bool = False
    workers_bind: str = "127.0.0.1"
    workers_host: str = ""
    worker_ports: tuple[int, int] = (0, 0)
    carrier: Literal["processes", "ray"] = "processes"
    ray_address: str = ""
    worker_cpus: Annotated[float, msgspec.Meta(ge=0, le=1024)] = 1.0
    worker_labels: dict[str, str] = {}
    peer_cores: Annotated[int, msgspec.Meta(ge=0, le=1 << 20)] = 0
    spare_workers: Annotated[int, msgspec.Meta(ge=0, le=64)] = 1
    partition_bytes: Annotated[int, msgspec.Meta(ge=4096, le=1 << 40)] = 64 << 20
    web: str = ""
    metrics: str = ""
    limits: Limits = Limits()

    @property
    def bind(self) -> Address:
        """Where it listens."""
        return address_of(self.listen, "listen")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where others reach it: () where nobody can."""
        if self.dial_only:
            return ()
        return tuple(address_of(text, "advertise") for text in self.advertise or (self.listen,))

    @property
    def web_bind(self) -> Address | None:
        """Where the data officer's page is. Errors: `InstanceError` for an address that others can reach."""
        found = address_of(self.web, "web") if self.web else None
        if found is not None and found[0] != "localhost" and not _is_loopback(found[0]):
            raise InstanceError(f"web = {self.web!r}: the page is shown on this machine alone, such as 127.0.0.1:7801")
        return found

    @property
    def metrics_bind(self) -> Address | None:
        """Where health and metrics are read."""
        return address_of(self.metrics, "metrics") if self.metrics else None

    @property
    def reached_at(self) -> str:
        """The host under which others reach its workers."""
        return self.workers_host or self.workers_bind


def address_of(text: str, where: str) -> Address:
    """Host and port of host:port or [host]:port. Errors: `InstanceError`."""
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > _MOST_PORT:
        raise InstanceError(f"{where} = {text!r}: it is host:port, such as 192.0.2.7:7800")
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def read_settings(folder: Path) -> Settings:
    """The settings of the instance in a folder. Errors: `InstanceError` naming the file and what is wrong in it."""
    path = folder / SETTINGS
    payload = read_bytes(path)
    if payload is None:
        raise InstanceError(f"{folder}: there is no instance; icm init makes one", path=str(folder))
    try:
        found = msgspec.convert(without_version(tomllib.loads(payload.decode()), _VERSION), Settings)
        _ = found.bind, found.addresses, found.web_bind, found.metrics_bind
        first, last = found.worker_ports
        if not 0 <= first <= last <= _MOST_PORT:
            raise ValueError("worker_ports are the first and the last one, such as [7810, 7899]")
        if found.workers_bind in WILDCARDS and not found.workers_host:
            raise ValueError(f"workers_bind = {found.workers_bind!r}: workers_host must say how others reach them")
        if found.carrier == "processes" and not found.workers_bind:
            raise ValueError('workers_bind = "": workers that are processes of this machine bind an address of it')
        if found.carrier == "ray" and 0 < found.peer_cores < found.worker_cpus:
            raise ValueError(f"peer_cores = {found.peer_cores}: no worker, of worker_cpus = {found.worker_cpus}, fits")
    except msgspec.ValidationError as error:
        raise InstanceError(f"{path}: {in_words(error, Settings)}", path=str(path)) from None
    except tomllib.TOMLDecodeError as error:
        raise InstanceError(f"{path}: no TOML: {error}", path=str(path)) from None
    except (ValueError, InstanceError) as error:
        raise InstanceError(f"{path}: {error}", path=str(path)) from None
    return found


def write_settings(folder: Path, settings: Settings) -> None:
    """Write `icm.toml` with a comment for each setting. Errors: `InstanceError` where there is one."""
    path = folder / SETTINGS
    if path.exists():
        raise InstanceError(f"{path}: there is an instance already", path=str(path))
    write_bytes(path, _text(settings).encode())


def _pairs(labels: dict[str, str]) -> str:
    quoted = msgspec.json.encode
    return ", ".join(f"{quoted(name).decode()} = {quoted(label).decode()}" for name, label in labels.items())


def _text(settings: Settings) -> str:
    quoted = msgspec.json.encode
    limits = "\n".join(f"{name} = {getattr(settings.limits, name)}" for name in Limits.__struct_fields__)
    return f"""\
# One instance of icm-ray. Nothing is answered and nobody is let in but whom the roster and the catalogue name.

# Of this file's form, which a newer icm-ray may change.
version = {_VERSION}
# The organisation's name, as its peers know it.
name = {quoted(settings.name).decode()}
# "organisation", or "dealer": a dealer deals randomness, sees no data and owns none.
kind = {quoted(settings.kind).decode()}
# Where this instance listens, host:port.
listen = {quoted(settings.listen).decode()}
# Where peers reach it, where that is another address: ["icm.example.org:7800"].
advertise = {quoted(settings.advertise).decode()}
# true where nobody can reach this organisation (a firewall): it dials all others then.
dial_only = {str(settings.dial_only).lower()}
# The address that workers bind, the host under which peers reach them ("": the same), and their ports ([0, 0]: any).
workers_bind = {quoted(settings.workers_bind).decode()}
workers_host = {quoted(settings.workers_host).decode()}
worker_ports = {quoted(settings.worker_ports).decode()}
# How workers run: "processes" of this machine, or actors of the organisation's own "ray" cluster. There each binds the
# address of its node where workers_bind is "", asks for so many CPUs, and runs on nodes with these labels.
carrier = {quoted(settings.carrier).decode()}
# "auto" or host:port; "": that of RAY_ADDRESS, else a cluster on this machine alone. Tokens: RAY_AUTH_MODE=token.
ray_address = {quoted(settings.ray_address).decode()}
worker_cpus = {settings.worker_cpus}
worker_labels = {{ {_pairs(settings.worker_labels)} }}
# Cores that workers for peers may keep busy, all of them together; 0: any. As "processes" they share these cores of the
# machine, and wait for one another; on a "ray" cluster no more workers are started than have so many CPUs together,
# and a peer with a worker leaves room for one of another.
peer_cores = {settings.peer_cores}
# Workers that are "processes" take over a second to start: so many stand by, 0.3 GiB each, without any key. Each
# serves one lane of one asker, and another one takes its place. Peers that ask for several lanes need as many.
spare_workers = {settings.spare_workers}
# Bytes of the rows that a worker takes at a time, about: lanes share the partitions of a dataset.
partition_bytes = {settings.partition_bytes}
# The page of the data officer, on this machine alone: "127.0.0.1:7801"; its token is in the file web.token beside this.
web = {quoted(settings.web).decode()}
# Where monitoring reads /healthz and /metrics (counts, names of peers): "127.0.0.1:7802". Nobody is asked who he is.
metrics = {quoted(settings.metrics).decode()}

# What one peer may take: workers at a time, calls a second, bytes of one call, seconds of a partition, seconds after
# which its silent instance counts as gone; bytes of memory of each worker, hours of its workers together in a day (that
# this instance serves), questions in an hour that are answered without a person (the same one, asked again in one
# session, is one), refusals in a day by rows that do not allow what was asked (beyond a bound, no number): each tells
# something of them, as each answer does; entries of the audit log in a day that are written for what it asks. Results:
# of its questions, and bytes of one, that are kept here for this organisation.
[limits]
{limits}
"""
