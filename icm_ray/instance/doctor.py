"""Whether this machine and an instance's folder are as an instance needs them, each with what mends it."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from platform import python_version
from typing import Final

from cryptography import x509

from icm_ray.errors import IcmError, InstanceError
from icm_ray.instance.audit import AuditLog, Entry
from icm_ray.instance.catalogue import Catalogue
from icm_ray.instance.finding import Finding, failed, ok, skipped, unread, warning
from icm_ray.instance.keys import STOLEN, InstanceKey
from icm_ray.instance.roster import Roster
from icm_ray.instance.rule_check import asleep, check_rules, offered
from icm_ray.instance.settings import Settings, read_settings
from icm_ray.private_folder import check_private

__all__ = ["examine"]

_GIB: Final = 1 << 30
_DISK: Final = 2 * _GIB
_MEMORY: Final = 2 * _GIB
_CORES: Final = 2
_PACKAGES: Final = ("numpy", "numba", "cryptography", "msgspec", "pyarrow", "torch")
_RESTORE: Final = "restore the file from a backup; icm-ray writes files whole or not at all"
_SOON: Final = timedelta(days=30)
_WORKERS: Final = 4
"""Ports that two lanes and a user's own process take."""
_CLOCK_SAYS: Final = (Path("/run/systemd/timesync/synchronized"), Path("/run/chrony/chronyd.pid"))


def examine(folder: Path, serving: bool) -> Iterator[Finding]:
    """Look at everything, the folder first. serving: whether the instance is at its port now."""
    settings: Settings | None = None
    try:
        settings = read_settings(folder)
        yield ok("icm.toml", f"{settings.name}, {settings.kind}, listens at {settings.listen}")
    except InstanceError as error:
        yield failed("icm.toml", error.message, "icm init makes one; a setting that cannot be is corrected by hand")
    if folder.is_dir():
        yield from _files(folder)
    entries: list[Entry] = []
    if settings is not None:
        yield from _key(folder, settings)
        yield from _contents(folder)
        yield from _rules(folder)
        try:
            entries = AuditLog(folder).entries()
            yield ok("audit log", f"{len(entries)} entries, the chain holds")
        except InstanceError as error:
            yield unread("audit log", error, f"somebody changed it, or the disk is damaged: {_RESTORE}")
        yield from _ports(settings, serving)
    yield from _machine(folder)
    yield from _clock(entries)
    yield from _software(settings is not None and settings.carrier == "ray")


# --- the folder ---------------------------------------------------------------------------------------------------


def _files(folder: Path) -> Iterator[Finding]:
    try:
        check_private(folder)
        yield ok("folder", f"{folder} is this user's own")
    except IcmError as error:
        yield failed("folder", error.message, f"chmod 700 {folder}; chown -R $USER {folder}")
    open_ones = sorted(path for path in folder.rglob("*") if _is_open(path))
    if open_ones:
        names = ", ".join(str(path.relative_to(folder)) for path in open_ones[:5])
        more = f" and {len(open_ones) - 5} more" if len(open_ones) > 5 else ""
        key = f" {STOLEN}" if any(path.name == "key.pem" for path in open_ones) else ""
        yield failed("file modes", f"others may read or write {names}{more}", f"chmod -R go= {folder}.{key}")
    else:
        yield ok("file modes", "0600, and 0700 of folders")


def _is_open(path: Path) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False  # a file that was put in the place of another just now
    return not stat.S_ISLNK(found.st_mode) and bool(found.st_mode & 0o077)


def _key(folder: Path, settings: Settings) -> Iterator[Finding]:
    try:
        key = InstanceKey.load(settings.name, folder)
    except InstanceError as error:
        yield failed("key", error.message, "restore key.pem and certificate.der from a backup, or icm init anew")
        return
    yield ok("key", f"certificate {key.identity.fingerprint[:16]}")
    found, now = x509.load_der_x509_certificate(key.certificate), datetime.now(UTC)
    begin, end = found.not_valid_before_utc, found.not_valid_after_utc
    said = f"from {begin:%Y-%m-%d} to {end:%Y-%m-%d}"
    if not begin <= now < end:
        yield failed(
            "certificate dates", f"{said}: not now", "icm peers --rotate makes a new one; or correct the clock"
        )
    elif now + _SOON > end:
        yield warning("certificate dates", said, "icm peers --rotate makes a new one")
    else:
        yield ok("certificate dates", said)


def _contents(folder: Path) -> Iterator[Finding]:
    """Roster and catalogue, and whether there are the files that this names."""
    try:
        known, offered = Roster(folder).peers, Catalogue(folder).datasets
        yield ok("roster and catalogue", f"{len(known)} peers, {len(offered)} datasets")
        gone = [name for name, held in offered.items() if not _there(held.source.paths)]
        if gone:
            away = f"no file is there any more of {', '.join(gone)}"
            yield failed("datasets' files", away, "put them back; or icm data NAME --remove")
    except InstanceError as error:
        yield unread("roster and catalogue", error, _RESTORE)


def _rules(folder: Path) -> Iterator[Finding]:
    """What approves requests by itself, and whether it can."""
    try:
        found = check_rules(folder)
        here = offered(folder) if found else None
        over = [f"{rule.name} ({why})" for rule in found if here and (why := asleep(rule, here))]
    except InstanceError as error:
        yield failed("rules", error.message, "correct rules.toml by hand: icm serve does not start with it")
        return
    if over:
        said = f"{', '.join(over)}: of what is not offered as it was then; it approves nothing"
        yield warning("rules", said, "icm approve NUMBER --rule NAME of a new request; remove the old rule")
    else:
        yield ok("rules", f"{len(found)} approve requests by themselves")


def _there(paths: tuple[str, ...]) -> bool:
    return all(any(character in path for character in "*?[") or os.path.exists(path) for path in paths)


# --- ports ----------------------------------------------------------------------------------------------------------


def _ports(settings: Settings, serving: bool) -> Iterator[Finding]:
    host, port = settings.bind
    if serving:
        yield ok("port", f"icm serve has {settings.listen}")
    else:
        why = _taken(host, port)
        remedy = "end what has the port (ss -ltnp), or another listen in icm.toml"
        yield failed("port", f"{settings.listen}: {why}", remedy) if why else ok("port", f"{settings.listen} is free")
    first, last = settings.worker_ports
    if not settings.workers_bind:
        yield skipped("workers' ports", "workers bind them on the nodes of the cluster")
        return
    if (first, last) == (0, 0):
        yield ok("workers' ports", "any that are free; a firewall needs a range: worker_ports in icm.toml")
        return
    free = sum(not _taken(settings.workers_bind, number) for number in range(first, last + 1))
    said = f"{free} of {last - first + 1} are free ({first} to {last} at {settings.workers_bind})"
    remedy = "a wider worker_ports in icm.toml, or an address of this machine's own as workers_bind"
    if not free:
        yield failed("workers' ports", said, remedy)
    else:
        yield ok("workers' ports", said) if free >= _WORKERS else warning("workers' ports", said, remedy)


def _taken(host: str, port: int) -> str:
    """Why nothing can listen there; "" where it can."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        return "it is taken" if error.errno == errno.EADDRINUSE else error.strerror or str(error)
    return ""


# --- the machine ----------------------------------------------------------------------------------------------------


def _machine(folder: Path) -> Iterator[Finding]:
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    yield _enough("disk", free, _DISK, f"free at {place}", "make room: ledgers and results are kept there")
    memory = _available()
    if memory is None:
        yield skipped("memory", "this system does not say")
    else:
        yield _enough("memory", memory, _MEMORY, "available", "fewer workers for each peer: limits in icm.toml")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = f"{cores} may be used"
    slow = warning("cores", said, "workers of one lane share a core: answers take about twice as long")
    yield ok("cores", said) if cores >= _CORES else slow


def _enough(what: str, found: int, wanted: int, said: str, remedy: str) -> Finding:
    text = f"{found / _GIB:.1f} GiB {said}"
    return ok(what, text) if found >= wanted else warning(what, f"{text}, {wanted // _GIB} are wanted", remedy)


def _available() -> int | None:
    """Bytes of memory that may be had, None where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), None)


def _clock(entries: Sequence[Entry]) -> Iterator[Finding]:
    """Against what is known to be past, and whether something keeps it; `icm check` holds it against a peer's."""
    now = datetime.now(UTC)
    remedy = "set it by NTP: timedatectl set-ntp true"
    if entries and (last := datetime.fromisoformat(entries[-1].time)) > now + timedelta(minutes=1):
        yield failed("clock", f"it is {now:%Y-%m-%d %H:%M:%S} UTC here, and the log has an entry of {last}", remedy)
        return
    said = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    kept = any(path.exists() for path in _CLOCK_SAYS)
    yield ok("clock", f"{said}, {'kept by NTP' if kept else 'nothing says by whom it is kept'}")


def _software(ray_needed: bool) -> Iterator[Finding]:
    yield ok("Python", python_version())
    for name in _PACKAGES:
        try:
            yield ok(name, version(name))
        except PackageNotFoundError:
            yield failed(name, "it is not installed", "pip install icm-ray")
    if find_spec("ray") is not None:
        yield ok("Ray", f'{version("ray")}; carrier = "{"ray" if ray_needed else "processes"}"')
    elif ray_needed:
        yield failed("Ray", 'not found, and carrier = "ray" in icm.toml', "pip install ray, as the cluster has it")
    else:
        yield ok("Ray", "not found; workers are processes, which need none")
    ring = Path(__file__).resolve().parents[1] / "ring"
    cache = Path(os.environ.get("NUMBA_CACHE_DIR") or ring)
    if os.access(cache, os.W_OK):
        yield ok("cache of kernels", f"{cache} can be written")
    else:
        remedy = "NUMBA_CACHE_DIR=~/.cache/icm in the environment of icm serve, a folder of this user's"
        yield warning("cache of kernels", f"{cache} cannot be written: each start compiles for a minute", remedy)
