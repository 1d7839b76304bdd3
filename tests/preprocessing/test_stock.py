"""A stock is its member's alone, is consumed once, and tells when members differ."""

import os
import shutil
import stat
import subprocess
import sys

import pytest

from icm_ray.errors import AddressReused, Desynchronised, SessionError, StockMismatch
from icm_ray.preprocessing.directory import Directory
from icm_ray.preprocessing.disk import Disk
from icm_ray.preprocessing.ledger import read_ledger
from icm_ray.preprocessing.stock import DealerStock, PartyStock
from tests.preprocessing.members import (
    CORRECTION,
    OTHER,
    PROGRAM,
    FastDisk,
    both,
    copied,
    dealer,
    drawn,
    fill,
    party,
    secret,
)


def use(root, program=PROGRAM):
    """One run's worth: what the dealer names, taken by alice."""
    with dealer(root) as deals, party(root) as takes:
        name = deals.take(program)
        return name, takes.take(program, name)


def differs(root, what, program=PROGRAM):
    """The next use is refused for that reason; afterwards alice has nothing left."""
    with dealer(root) as deals, party(root) as takes:
        name = deals.take(program)
        with pytest.raises(StockMismatch, match="alice") as refused:
            takes.take(program, name)
        assert refused.value.where["differs"] == what
        assert refused.value.party == "alice"
        assert takes.left(program) == 0
        assert not list((root / "0" / "alice").glob("*.slot"))


@pytest.mark.parametrize("disk", [Disk(), FastDisk()], ids=["disk", "no waiting"])
def test_slots_come_in_order_and_once(tmp_path, disk):
    both(tmp_path)
    keys = set()
    with dealer(tmp_path, disk) as deals, party(tmp_path, disk=disk) as takes:
        for offset in range(3):
            name = deals.take(PROGRAM)
            assert (name.offset, name.generation, name.opened) == (offset, 1, 0)
            spent = takes.take(PROGRAM, name)
            correction = spent.corrections.take(3, 7, 100)
            assert (correction == CORRECTION + offset).all()
            assert correction.flags.writeable
            assert spent.corrections.take(4, 0, 0).size == 0
            with pytest.raises(Desynchronised):
                spent.corrections.take(3, 7, 100)
            keys.add(drawn(spent))
            spent.corrections.close()
        assert deals.take(PROGRAM) is None
        assert deals.take(OTHER) is None
        takes.expect_none(PROGRAM)
    assert len(keys) == 3
    assert not list(tmp_path.rglob("*.slot"))


def test_a_slot_is_refused_the_second_time(tmp_path):
    both(tmp_path)
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        name = deals.take(PROGRAM)
        takes.take(PROGRAM, name)
        with pytest.raises(StockMismatch, match="the dealer names 0"):
            takes.take(PROGRAM, name)


def test_the_generation_rises_with_every_opening(tmp_path):
    both(tmp_path)
    for opened in range(2, 5):
        party(tmp_path).close()
        dealer(tmp_path).close()
        for name in ("alice", "dealer"):
            assert read_ledger(tmp_path / "0" / name / "ledger", name).generation == opened
    assert use(tmp_path)[0].generation == 4


@pytest.mark.parametrize("member", ["alice", "dealer"])
def test_a_backup_of_one_member_is_found(tmp_path, member):
    both(tmp_path)
    backup = copied(tmp_path / "0" / member, tmp_path / "backup")
    use(tmp_path)
    shutil.rmtree(tmp_path / "0" / member)
    backup.rename(tmp_path / "0" / member)
    differs(tmp_path, "generation")


@pytest.mark.parametrize("member", ["alice", "dealer"])
def test_a_backup_from_between_opening_and_use_is_found(tmp_path, member):
    both(tmp_path)
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        backup = copied(tmp_path / "0" / member, tmp_path / "backup")
        takes.take(PROGRAM, deals.take(PROGRAM))
    shutil.rmtree(tmp_path / "0" / member)
    backup.rename(tmp_path / "0" / member)
    differs(tmp_path, "offset")


def test_backups_of_different_times_are_found_though_nothing_was_used_between(tmp_path):
    both(tmp_path)
    old = copied(tmp_path / "0" / "alice", tmp_path / "old alice")
    with dealer(tmp_path), party(tmp_path):
        pass
    new = copied(tmp_path / "0" / "dealer", tmp_path / "old dealer")
    use(tmp_path)
    for name, backup in (("alice", old), ("dealer", new)):
        shutil.rmtree(tmp_path / "0" / name)
        backup.rename(tmp_path / "0" / name)
    differs(tmp_path, "generation")


def test_a_copy_that_was_used_elsewhere_is_found(tmp_path):
    both(tmp_path / "here")
    copied(tmp_path / "here", tmp_path / "there")
    use(tmp_path / "there")
    shutil.rmtree(tmp_path / "here" / "0" / "dealer")
    (tmp_path / "there" / "0" / "dealer").rename(tmp_path / "here" / "0" / "dealer")
    differs(tmp_path / "here", "generation")


def test_a_stock_from_before_the_preparation_is_found(tmp_path):
    party(tmp_path).close()
    backup = copied(tmp_path / "0" / "alice", tmp_path / "backup")
    both(tmp_path)
    shutil.rmtree(tmp_path / "0" / "alice")
    backup.rename(tmp_path / "0" / "alice")
    differs(tmp_path, "store")


def test_a_dealer_from_before_the_preparation_is_found(tmp_path):
    both(tmp_path)
    shutil.rmtree(tmp_path / "0" / "dealer")
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        assert deals.take(PROGRAM) is None
        with pytest.raises(StockMismatch, match="where the dealer has none"):
            takes.expect_none(PROGRAM)
        takes.expect_none(PROGRAM)


def test_another_program_is_refused(tmp_path):
    both(tmp_path)
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        name = deals.take(PROGRAM)
        with pytest.raises(StockMismatch, match="no such store"):
            takes.take(OTHER, name)


def test_a_run_that_broke_off_before_a_party_heard_of_it_costs_its_slot_alone(tmp_path):
    both(tmp_path)
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        deals.take(PROGRAM)
        spent = takes.take(PROGRAM, deals.take(PROGRAM))
        assert (spent.corrections.take(3, 7, 100) == CORRECTION + 1).all()
        spent.corrections.close()
        assert takes.left(PROGRAM) == 1
        assert len(list(tmp_path.rglob("*.slot"))) == 1


def test_what_depends_on_a_weight_ends_with_it_and_with_the_session(tmp_path):
    both(tmp_path, weights=("w",))
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        assert deals.take(PROGRAM) is None
        takes.expect_none(PROGRAM)
        assert not list(tmp_path.rglob("*.slot"))
        batch = deals.new_batch(PROGRAM, 2, ("v", "w"))
        fill(takes, batch.store, 2, weights=("v", "w"))
        deals.add(batch)
        takes.take(PROGRAM, deals.take(PROGRAM)).corrections.close()
        for stock in (deals, takes):
            stock.forget("other")
            assert stock.left(PROGRAM) == 1
            stock.forget("w")
            assert stock.left(PROGRAM) == 0
        assert not list(tmp_path.rglob("*.slot"))


def test_a_store_has_one_name(tmp_path):
    both(tmp_path)
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        store = deals.take(PROGRAM).store
        for name in (store, b"short"):
            with pytest.raises(AddressReused):
                takes.batch(PROGRAM, name, 1, ())


def test_what_was_not_committed_is_swept(tmp_path):
    with party(tmp_path) as takes:
        writer = takes.writer(takes.batch(PROGRAM, b"s" * 16, 1, ()), 0, secret(0))
        writer.close()
    with party(tmp_path) as takes:
        assert takes.left(PROGRAM) == 0
    assert not list(tmp_path.rglob("*.slot"))


def test_files_are_the_members_own(tmp_path):
    before = os.umask(0)  # the modes do not lean on it
    try:
        both(tmp_path / "stock")
    finally:
        os.umask(before)
    for path in (tmp_path / "stock").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    directory = Directory.private()
    assert stat.S_IMODE(directory.path.stat().st_mode) == 0o700
    directory.close()


def test_one_process_at_a_time(tmp_path):
    with party(tmp_path), pytest.raises(SessionError, match="in use by another process"):
        party(tmp_path)
    party(tmp_path).close()


@pytest.mark.parametrize("part", ["", "0", "0/alice"])
def test_a_directory_that_others_can_read_is_refused(tmp_path, part):
    both(tmp_path)
    (tmp_path / part).chmod(0o750)
    with pytest.raises(SessionError, match="0700"):
        party(tmp_path)


def test_temporary_directories_go_when_they_are_closed_or_abandoned():
    kept = Directory.private()
    made = "print(Directory.private().path, flush=True)"
    code = f"import os; from icm_ray.preprocessing.directory import *; {made}; os._exit(9)"
    left = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True).stdout.strip()
    assert os.path.isdir(left)
    other = Directory.private()
    assert not os.path.isdir(left)
    assert kept.path.is_dir()
    for directory in (kept, other):
        directory.close()
        directory.close()
        assert not directory.path.exists()


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[:40], lambda b: b"", lambda b: b[:-1] + b"\x77", lambda b: b"x" + b]
)
@pytest.mark.parametrize("member", [dealer, party])
def test_a_damaged_ledger_is_an_error(tmp_path, damage, member):
    both(tmp_path)
    path = tmp_path / "0" / ("dealer" if member is dealer else "alice") / "ledger"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(StockMismatch, match="no ledger"):
        member(tmp_path)


@pytest.mark.parametrize("member", [dealer, party])
def test_a_newer_ledger_is_no_damaged_one(tmp_path, member):
    both(tmp_path)
    path = tmp_path / "0" / ("dealer" if member is dealer else "alice") / "ledger"
    newer = b"ICML\x02" + path.read_bytes()[5:]
    path.write_bytes(newer)
    with pytest.raises(
        StockMismatch, match=r"ledger: written by a newer icm-ray .version 2, this one reads 1.: update"
    ):
        member(tmp_path)
    assert path.read_bytes() == newer, "it is left as it is"


def test_what_another_engine_prepared_is_discarded(tmp_path):
    both(tmp_path, 2)
    with DealerStock(Directory.at(tmp_path, 0, "dealer"), "dealer", engine=b"newer") as stock:
        assert stock.take(PROGRAM) is None
    with PartyStock(Directory.at(tmp_path, 0, "alice"), "alice", engine=b"newer") as stock:
        assert not stock.left(PROGRAM)
        stock.expect_none(PROGRAM)
    assert not list(tmp_path.rglob("*.slot"))
