"""A slot's file is this very slot, whole, or a typed error."""

import os

import numpy as np
import pytest

from icm_ray.errors import Desynchronised, StockMismatch
from icm_ray.preprocessing.disk import Disk
from icm_ray.preprocessing.slot import erase
from tests.preprocessing.members import CORRECTION, PROGRAM, both, dealer, fill, party, secret


def only(root):
    (path,) = root.rglob("*.slot")
    return path


def refused(root, match):
    with dealer(root) as deals, party(root) as takes:
        with pytest.raises(StockMismatch, match=match) as error:
            takes.take(PROGRAM, deals.take(PROGRAM))
        assert error.value.where["differs"] == "file"
        takes.expect_none(PROGRAM)
    assert not list(root.rglob("*.slot"))


def test_a_file_that_was_cut_off_anywhere_is_refused(tmp_path):
    both(tmp_path / "whole", 1)
    content = only(tmp_path / "whole").read_bytes()
    for size in [0, 1, 47, 48, 79, 80, 127, 128, 144, *range(192, len(content), 37), len(content) - 1]:
        root = tmp_path / str(size)
        both(root, 1)
        path = only(root)
        path.write_bytes(path.read_bytes()[:size])
        refused(root, "cut off")


@pytest.mark.parametrize(
    ("at", "byte", "match"),
    [
        (0, 0xFF, "another file"),
        (4, 9, r"written by a newer icm-ray \(version 9, this one reads 3\): update icm-ray here"),
        (4, 2, "another file"),
        (8, 5, "another file"),
        (16, 0, "another file"),
        (47, 0, "another file"),
        (80, 1, "another file"),
        (128 + 15, 0x7F, "cut off or damaged"),
        (128 + 8, 200, "cut off or damaged"),
        (128, 0xFF, "where a correction"),
        (-64 + 4, 9, "cut off or damaged"),
        (-60 + 4, 1, "cut off or damaged"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused(tmp_path, at, byte, match):
    both(tmp_path, 1)
    path = only(tmp_path)
    content = bytearray(path.read_bytes())
    content[at] = byte
    path.write_bytes(content)
    if match != "where a correction":
        refused(tmp_path, match)
        return
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        spent = takes.take(PROGRAM, deals.take(PROGRAM))
        with pytest.raises(Desynchronised, match=match) as error:
            spent.corrections.take(3, 7, 100)
        assert (error.value.party, error.value.step) == ("alice", "(3, 7)")
        spent.corrections.close()


def test_what_follows_the_end_is_refused(tmp_path):
    both(tmp_path, 1)
    with only(tmp_path).open("ab") as file:
        file.write(bytes(64))
    refused(tmp_path, "cut off or damaged")


def test_a_missing_file_is_refused(tmp_path):
    both(tmp_path, 1)
    only(tmp_path).unlink()
    refused(tmp_path, "is missing")


def test_the_file_of_another_slot_is_refused(tmp_path):
    both(tmp_path, 2)
    first, second = sorted(tmp_path.rglob("*.slot"))
    first.write_bytes(second.read_bytes())
    refused(tmp_path, "another file")


def test_a_slot_restored_alone_is_refused_by_the_ledger_and_a_used_file_by_itself(tmp_path):
    both(tmp_path, 2)
    path = min(tmp_path.rglob("*.slot"))
    content = bytearray(path.read_bytes())
    content[48:80] = bytes(32)
    path.write_bytes(content)
    refused(tmp_path, "was used before")


def test_another_size_is_refused(tmp_path):
    both(tmp_path, 1)
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        spent = takes.take(PROGRAM, deals.take(PROGRAM))
        with pytest.raises(Desynchronised, match=r"one of 100 bytes .* of 96 bytes was due"):
            spent.corrections.take(3, 7, 96)
        spent.corrections.close()


def test_a_file_cut_off_after_it_was_opened_is_no_difference_of_stocks(tmp_path):
    """Others may have had shares by then."""
    both(tmp_path, 1)
    path = min(tmp_path.rglob("*.slot"))
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        spent = takes.take(PROGRAM, deals.take(PROGRAM))
        os.truncate(path, 128 + 16 + 60)
        with pytest.raises(Desynchronised, match=r"bytes left .* of 100 bytes was due"):
            spent.corrections.take(3, 7, 100)
        spent.corrections.close()


def test_two_corrections_of_one_name_are_refused(tmp_path):
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        batch = deals.new_batch(PROGRAM, 1, ())
        writer = takes.writer(takes.batch(PROGRAM, batch.store, 1, ()), 0, secret(0))
        for _ in range(2):
            writer.add(1, 1, CORRECTION)
        assert writer.finish(2)
        writer.close()
        for stock in (deals, takes):
            stock.add(batch)
    refused(tmp_path, "two corrections")


def test_a_slot_that_ended_early_is_told(tmp_path):
    with party(tmp_path) as takes:
        writer = takes.writer(takes.batch(PROGRAM, b"s" * 16, 1, ()), 0, secret(0))
        writer.add(1, 1, CORRECTION)
        assert not writer.finish(2)
        writer.close()


def test_the_secret_is_overwritten_before_the_slot_is_handed_out(tmp_path):
    both(tmp_path, 1)
    path = only(tmp_path)
    assert secret(0) in path.read_bytes()
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        spent = takes.take(PROGRAM, deals.take(PROGRAM))
        content = path.read_bytes()
        assert secret(0)[:8] not in content
        assert content[48:80] == bytes(32)
        array = spent.corrections.take(3, 7, 100)
        array += np.uint8(1)
        assert path.read_bytes() == content, "what a protocol writes stays in memory"
        spent.corrections.close()
        spent.corrections.close()
        assert not path.exists()
        assert (array == CORRECTION + 1).all()
        assert "Key(hidden)" in repr(spent)
        assert secret(0).hex() not in repr(spent)


class Watching(Disk):
    def __init__(self):
        self.removed = []

    def remove(self, path):
        if path.suffix == ".slot":
            self.removed.append(path.read_bytes())
        super().remove(path)


def test_slots_that_are_discarded_are_overwritten(tmp_path):
    both(tmp_path, 2)
    disk = Watching()
    with party(tmp_path, disk=disk) as takes:
        takes.give_up(PROGRAM)
        assert len(disk.removed) == 2
        for content in disk.removed:
            assert content[48:80] == bytes(32)
        erase(disk, tmp_path / "missing.slot")


def test_large_slots_pass_whole(tmp_path):
    words = np.random.default_rng(3).integers(0, 2**64, 300_001, dtype=np.uint64)
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        batch = deals.new_batch(PROGRAM, 1, ())
        writer = takes.writer(takes.batch(PROGRAM, batch.store, 1, ()), 0, secret(0))
        writer.add(9, 1, words.view(np.uint8))
        assert writer.finish(1)
        writer.close()
        for stock in (deals, takes):
            stock.add(batch)
        spent = takes.take(PROGRAM, deals.take(PROGRAM))
        assert (spent.corrections.take(9, 1, words.nbytes).view(np.uint64) == words).all()
        assert spent.corrections.received == words.nbytes
        spent.corrections.close()
        fill(takes, b"t" * 16, 1)
