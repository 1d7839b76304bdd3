"""A process that is killed between consuming a slot and using it."""

import signal
import subprocess
import sys

import pytest

from icm_ray.errors import StockMismatch
from tests.preprocessing.members import CORRECTION, PROGRAM, both, dealer, party

KILL = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
BOTH = f"""
import sys, pathlib
from tests.preprocessing.members import *
root = pathlib.Path(sys.argv[1])
deals, takes = dealer(root), party(root)
takes.take(PROGRAM, deals.take(PROGRAM))
{KILL}
"""
DEALER = BOTH.replace("takes.take(PROGRAM, deals.take(PROGRAM))", "deals.take(PROGRAM)")


def killed(code, root):
    assert subprocess.run([sys.executable, "-c", code, str(root)], check=False).returncode == -signal.SIGKILL


def test_the_slot_is_lost_and_the_next_one_is_used(tmp_path):
    both(tmp_path, 2)
    killed(BOTH, tmp_path)
    with dealer(tmp_path) as deals, party(tmp_path) as takes:
        assert len(list(tmp_path.rglob("*.slot"))) == 1, "what is left of the first is gone"
        spent = takes.take(PROGRAM, deals.take(PROGRAM))
        assert (spent.corrections.take(3, 7, 100) == CORRECTION + 1).all()
        spent.corrections.close()
        assert deals.take(PROGRAM) is None


def test_a_dealer_that_died_before_it_told_a_party_is_found(tmp_path):
    both(tmp_path, 2)
    killed(DEALER, tmp_path)
    refusal = pytest.raises(StockMismatch, match="opened at slot 0, the dealer's at 1")
    with dealer(tmp_path) as deals, party(tmp_path) as takes, refusal:
        takes.take(PROGRAM, deals.take(PROGRAM))
