"""A dealer's and a party's stock in directories of their own, filled by hand."""

import os
import shutil
from pathlib import Path

import numpy as np

from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.disk import Disk
from icm_ray.preprocessing.stock import DealerStock, PartyStock

PROGRAM, OTHER = b"p" * 32, b"q" * 32
CORRECTION = np.arange(1, 101, dtype=np.uint8)


class FastDisk(Disk):
    """Waits for no disk: the processes of tests end, the power of their machine does not."""

    def sync(self, file: int) -> None:
        os.fstat(file)

    def sync_directory(self, path: Path) -> None:
        assert path.is_dir()


def dealer(root: Path, disk: Disk | None = None) -> DealerStock:
    return DealerStock(Directory.at(root, 0, "dealer"), "dealer", disk or FastDisk())


def party(root: Path, name: str = "alice", disk: Disk | None = None) -> PartyStock:
    return PartyStock(Directory.at(root, 0, name), name, disk or FastDisk())


def secret(offset: int) -> bytes:
    return bytes([offset + 1]) * 32


def fill(stock: PartyStock, store: bytes, count: int, program: bytes = PROGRAM, weights: tuple[str, ...] = ()) -> None:
    batch = stock.batch(program, store, count, weights)
    for offset in range(count):
        writer = stock.writer(batch, offset, secret(offset))
        try:
            writer.add(3, 7, CORRECTION + np.uint8(offset))
            writer.add(4, 0, np.empty(0, np.uint8))
            assert writer.finish(2)
        finally:
            writer.close()
    stock.filled()
    stock.add(batch)


def both(root: Path, count: int = 3, program: bytes = PROGRAM, weights: tuple[str, ...] = ()) -> None:
    """Prepare once, with a dealer and alice, and close."""
    with dealer(root) as deals, party(root) as takes:
        batch = deals.new_batch(program, count, weights)
        fill(takes, batch.store, count, program, weights)
        deals.add(batch)


def copied(root: Path, to: Path) -> Path:
    shutil.copytree(root, to)
    return to


def drawn(spent) -> bytes:
    """What a slot's key gives: who sees the same twice has used a mask twice."""
    return spent.key.words(0, 0, 4).tobytes()
