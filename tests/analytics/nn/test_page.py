"""docs/models.md lists what models may hold."""

import subprocess
import sys

from tests.conftest import ROOT


def test_the_page_is_of_this_code():
    done = subprocess.run(
        [sys.executable, "docs/operations.py", "--check"],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
