"""Reading CSV where Arrow has one thread only, as in a worker with a fraction of a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import sys
from icm_ray.owner.tables import Tables
from icm_ray.query.tasks import CsvSource
print(Tables().open("t", CsvSource((sys.argv[1],))).columns[0].kind)
"""


@pytest.mark.slow
def test_a_type_that_widens_late_is_read_by_one_thread(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("age\n" + "1\n" * 1_000_000 + "2.5\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "float", done.stderr
