"""The page of pandas' verbs says what the code does."""

import subprocess
import sys

from tests.conftest import ROOT


def test_the_page_is_of_this_code():
    done = subprocess.run(
        [sys.executable, "docs/verbs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=110
    )
    assert done.returncode == 0, done.stderr
