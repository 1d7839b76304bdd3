"""The power fails before, after or in the middle of every single step; no slot is ever used twice."""

import os
from itertools import count

import pytest

from icm_ray.errors import StockMismatch
from icm_ray.preprocessing.disk import Disk
from tests.preprocessing.members import PROGRAM, FastDisk, both, dealer, drawn, fill, party


class PowerCut(BaseException):
    """Nothing that handles errors handles this one."""


class Failing(FastDisk):
    """Works up to step number `last`, which fails `how`; nothing reaches the disk after it."""

    def __init__(self, last=10**9, how="before"):
        self.steps, self._last, self._how, self._off = 0, last, how, False

    def _step(self, work, half=None):
        if self._off:
            raise PowerCut
        self.steps += 1
        if self.steps < self._last:
            return work()
        self._off = True
        if self._how == "after":
            work()
        elif self._how == "torn" and half is not None:
            half()
        raise PowerCut

    def create(self, path):
        return self._step(lambda: super(Failing, self).create(path))

    def write(self, file, parts):
        joined = b"".join(bytes(part) for part in parts)
        self._step(lambda: super(Failing, self).write(file, parts), lambda: os.write(file, joined[: len(joined) // 2]))

    def overwrite(self, file, data, at):
        whole = super().overwrite
        self._step(lambda: whole(file, data, at), lambda: whole(file, data[: len(data) // 2], at))

    def sync(self, file):
        self._step(lambda: super(Failing, self).sync(file))

    def rename(self, old, new):
        self._step(lambda: super(Failing, self).rename(old, new))

    def sync_directory(self, path):
        self._step(lambda: super(Failing, self).sync_directory(path))

    def remove(self, path):
        self._step(lambda: super(Failing, self).remove(path))


def run(root, handed_out, named, disks=(None, None)):
    """Open, then use slots until there are none: what ends it early is a power cut or a difference."""
    with dealer(root, disks[0]) as deals, party(root, disk=disks[1]) as takes:
        while (name := deals.take(PROGRAM)) is not None:
            named.append((name.store, name.offset))
            spent = takes.take(PROGRAM, name)
            handed_out.append(drawn(spent))
            spent.corrections.close()
        takes.expect_none(PROGRAM)


@pytest.mark.parametrize("how", ["before", "after", "torn"])
@pytest.mark.parametrize("who", [0, 1])
@pytest.mark.few(3)
def test_no_slot_is_used_twice_whenever_the_power_fails(tmp_path, who, how):
    for last in count(1):
        root, handed_out, named = tmp_path / str(last), [], []
        both(root, 3)
        disk = Failing(last, how)
        disks = (disk, None) if who == 0 else (None, disk)
        try:
            run(root, handed_out, named, disks)
        except PowerCut:
            before = len(handed_out)
            try:
                run(root, handed_out, named)
            except StockMismatch:  # found, and given up by the party alone: a dealer may still name what is left
                with dealer(root) as deals, party(root) as takes:
                    assert takes.left(PROGRAM) == 0
                    deals.give_up(PROGRAM)
                    assert deals.take(PROGRAM) is None
                    takes.expect_none(PROGRAM)
            assert len(handed_out) - before <= 3
        else:
            assert last > 8, "there were steps to fail in"
            break
        assert len(set(handed_out)) == len(handed_out), f"step {last}"
        assert len(set(named)) == len(named), f"step {last}"
        assert not list(root.rglob("*.slot"))
    assert len(handed_out) == 3


@pytest.mark.parametrize("how", ["before", "after", "torn"])
@pytest.mark.parametrize("who", [0, 1])
def test_a_preparation_counts_whole_or_not_at_all(tmp_path, who, how):
    for last in count(1):
        root, disk = tmp_path / str(last), Failing(last, how)
        cut = False
        try:
            with dealer(root, disk if who == 0 else None) as deals, party(root, disk=disk if who else None) as takes:
                batch = deals.new_batch(PROGRAM, 2, ())
                fill(takes, batch.store, 2)
                deals.add(batch)
        except PowerCut:
            cut = True
        handed_out, named = [], []
        try:
            run(root, handed_out, named)
            assert len(handed_out) in ((0, 2) if cut else (2,))
        except StockMismatch:
            assert cut
            assert not handed_out
        if not cut:
            break


def test_the_order_of_steps_at_a_use(tmp_path):
    """Dealer: on disk before it is named. Party: on disk, and the secret overwritten, before the key is handed out."""
    both(tmp_path, 2)
    steps = []

    class Watching(Failing):
        def _step(self, work, half=None):
            steps.append(work.__qualname__.split(".")[1])
            return work()

    with dealer(tmp_path, Watching()) as deals, party(tmp_path, disk=Watching()) as takes:
        steps.clear()
        name = deals.take(PROGRAM)
        durable = ["remove", "create", "write", "sync", "rename", "sync_directory"]
        assert steps == durable
        steps.clear()
        spent = takes.take(PROGRAM, name)
        assert steps == [*durable, "overwrite", "sync"]
        steps.clear()
        spent.corrections.close()
        assert steps == ["remove"]


@pytest.mark.parametrize("who", ["dealer", "alice"])
def test_a_full_disk_uses_the_slot_up_without_using_it(tmp_path, who):
    both(tmp_path, 3)

    class Full(Disk):
        full = False

        def write(self, file, parts):
            if self.full:
                raise OSError(28, "No space left on device")
            super().write(file, parts)

    disks = {"dealer": Full(), "alice": Full()}
    with dealer(tmp_path, disks["dealer"]) as deals, party(tmp_path, disk=disks["alice"]) as takes:
        disks[who].full = True
        with pytest.raises(OSError, match="No space"):
            takes.take(PROGRAM, deals.take(PROGRAM))
        disks[who].full = False
        name = deals.take(PROGRAM)
        assert name.offset == 1
        spent = takes.take(PROGRAM, name)
        spent.corrections.close()


def test_a_batch_that_the_ledger_has_no_room_for_does_not_count(tmp_path):
    class Full(Disk):
        full = False

        def replace(self, path, data):
            if self.full:
                raise OSError(28, "No space left on device")
            super().replace(path, data)

    disk = Full()
    with party(tmp_path, disk=disk) as takes:
        disk.full = True
        with pytest.raises(OSError, match="No space"):
            fill(takes, bytes(16), 3)
        assert takes.left(PROGRAM) == 0
        takes.sweep()
        assert not list(tmp_path.rglob("*.slot"))
