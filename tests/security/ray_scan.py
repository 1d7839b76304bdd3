"""Looks for planted bytes wherever a Ray cluster keeps some: memory, object store, files, recorded traffic."""

from __future__ import annotations

import base64
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import numba
import numpy as np

__all__ = ["Needles", "Search", "cluster_of", "in_memory", "in_object_store", "in_process_table"]

_PREFIX = 6
_MIXED_BITS = 21
_FACTOR = 0x9E37_79B9_7F4A_7C15  # odd, its bits even: what differs in the prefix differs in the product's top bits
_WORD = 2**64 - 1
_CHUNK = 1 << 22
_TEXT = 9  # characters of a float's decimals that must be there: a print rounds after eight


class Needles:
    """Byte strings to be found, each with the name of what it would betray."""

    def __init__(self) -> None:
        self.found_as: dict[bytes, str] = {}

    def raw(self, name: str, secret: bytes) -> None:
        """Bytes as such, in hex, and in base64 wherever they begin in it."""
        self._add(name, secret)
        for text in (secret.hex(), secret.hex().upper()):
            self._add(name, text.encode())
        for skipped in range(3 if len(secret) >= 16 else 0):
            whole = secret[skipped:]
            self._add(name, base64.b64encode(whole[: len(whole) // 3 * 3]))

    def integers(self, name: str, values: Iterable[int]) -> None:
        """Either byte order, without the zeros that make them words (as pickle and msgpack do); decimals, hex."""
        for value in map(int, values):
            size = (value.bit_length() + 7) // 8
            for order in ("little", "big"):
                self._add(name, value.to_bytes(size, order))
            for text in (str(value), f"{value:x}", f"{value:X}", f"{value:_}", f"{value:,}"):
                self._add(name, text.encode())

    def floats(self, name: str, values: Iterable[float]) -> None:
        """float64 in either byte order, and decimals; exact powers of two and the like betray nothing."""
        for value in map(float, values):
            for form in ("<f8", ">f8"):
                self._add(name, np.array(value, form).tobytes())
            for text in (repr(value), f"{value:.17g}", f"{value:.12e}"):
                self._add(name, text[:_TEXT].encode())

    def runs(self, name: str, values: np.ndarray, together: int, form: str) -> None:
        """Neighbours in memory, where a single value is too short to be told from chance."""
        flat = np.ascontiguousarray(values).reshape(-1).astype(form)
        for start in range(0, len(flat) - together + 1, together):
            self._add(name, flat[start : start + together].tobytes())

    def _add(self, name: str, needle: bytes) -> None:
        if len(needle) < _PREFIX:
            raise ValueError(f"{name}: {len(needle)} bytes are found by chance")
        self.found_as.setdefault(needle, name)


@numba.njit(cache=True)
def _candidates(data: np.ndarray, begins: np.ndarray, mixed: np.ndarray) -> np.ndarray:
    """Where the first two bytes, and a product of the first six, are those of needles; a few positions more."""
    found, count = np.empty(len(data), np.int64), 0
    prefix = np.uint64(0)
    for at in range(len(data)):
        prefix = (prefix >> np.uint64(8)) | (np.uint64(data[at]) << np.uint64(8 * _PREFIX - 8))
        if (
            begins[prefix & np.uint64(0xFFFF)]
            and at >= _PREFIX - 1
            and mixed[(prefix * np.uint64(_FACTOR)) >> np.uint64(64 - _MIXED_BITS)]
        ):
            found[count] = at - _PREFIX + 1
            count += 1
    return found[:count]


class Search:
    """Many needles at once: positions whose first six bytes may begin one are picked by tables, then compared."""

    def __init__(self, needles: Mapping[bytes, str]) -> None:
        self._begins, self._mixed = np.zeros(1 << 16, np.bool_), np.zeros(1 << _MIXED_BITS, np.bool_)
        self._by_prefix: defaultdict[bytes, list[tuple[bytes, str]]] = defaultdict(list)
        self._longest = max(map(len, needles))
        for needle, name in needles.items():
            prefix = int.from_bytes(needle[:_PREFIX], "little")
            self._by_prefix[needle[:_PREFIX]].append((needle, name))
            self._begins[prefix & 0xFFFF] = True
            self._mixed[(prefix * _FACTOR & _WORD) >> (64 - _MIXED_BITS)] = True

    def __call__(self, data: bytes) -> set[str]:
        """The names of what is in `data`."""
        found: set[str] = set()
        for start in range(0, len(data), _CHUNK):
            piece = data[start : start + _CHUNK + self._longest]
            for at in _candidates(np.frombuffer(piece, np.uint8), self._begins, self._mixed).tolist():
                for needle, name in self._by_prefix.get(piece[at : at + _PREFIX], ()):
                    if piece.startswith(needle, at):
                        found.add(name)
        return found

    def file(self, path: str | Path) -> set[str]:
        """The names of what is in a file; nothing where it is gone, or is no file of bytes."""
        path = Path(path)
        try:
            return self(path.read_bytes()) if path.is_file() else set()
        except FileNotFoundError:
            return set()


def cluster_of(driver: int) -> list[int]:
    """The processes that a driver started, and those that these started."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            children[int(stat.rpartition(")")[2].split()[1])].append(int(entry.name))
    found: list[int] = []
    new = [driver]
    while new:
        new = [child for parent in new for child in children[parent]]
        found += new
    return found


def in_process_table(search: Search, pid: int) -> set[str]:
    """What stands in a process's arguments and environment."""
    return search.file(f"/proc/{pid}/cmdline") | search.file(f"/proc/{pid}/environ")


def in_object_store(search: Search, pids: Iterable[int]) -> tuple[int, set[str]]:
    """(files, what is in them): plasma's, whose names are unlinked at once, by way of the raylet's descriptors."""
    files, found = 0, set()
    for pid in pids:
        for link in _plasma(pid):
            files += 1
            with link.open("rb") as file:
                for data in _extents(file.fileno()):
                    found |= search(data)
    return files, found


def _plasma(pid: int) -> list[Path]:
    links: list[Path] = []
    with suppress(OSError):  # it has ended
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):  # it was closed
                if "plasma" in os.readlink(link) and link.is_file():
                    links.append(link)
    return links


def _extents(file: int) -> Iterator[bytes]:
    """What of a sparse file was ever written."""
    end, at = os.fstat(file).st_size, 0
    while at < end:
        try:
            start = os.lseek(file, at, os.SEEK_DATA)
        except OSError:  # none behind this
            return
        at = os.lseek(file, start, os.SEEK_HOLE)
        yield os.pread(file, at - start, start)


def in_memory(search: Search, pid: int) -> set[str]:
    """What is in a process's own writable memory that was ever touched; shared memory left out.

    Raises PermissionError where this system lets nobody look.
    """
    found: set[str] = set()
    page = os.sysconf("SC_PAGE_SIZE")
    with (
        open(f"/proc/{pid}/maps") as maps,
        open(f"/proc/{pid}/mem", "rb", buffering=0) as memory,
        open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap,
    ):
        for line in maps.read().splitlines():
            area, mode = line.split()[:2]
            if mode != "rw-p":
                continue
            start, end = (int(edge, 16) // page for edge in area.split("-"))
            pagemap.seek(start * 8)
            entries = np.frombuffer(pagemap.read((end - start) * 8), np.uint64)
            touched = np.concatenate(([False], (entries >> np.uint64(62)) != 0, [False]))
            edges = np.flatnonzero(touched[1:] != touched[:-1])
            for first, last in edges.reshape(-1, 2):
                memory.seek((start + int(first)) * page)
                try:
                    found |= search(memory.read(int(last - first) * page))
                except OSError:  # given back in the meantime
                    continue
    return found
