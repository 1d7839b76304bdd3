"""The story of three instances, each a process of its own, as it is told by hand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_labels_and_a_joint_mean_reach_bob_alone():
    done = subprocess.run(
        [sys.executable, "examples/organisations/story.py"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "labels of 8 pictures: [" in done.stdout
    assert "mean cost of visits" in done.stdout
    assert "says label, and no logits" in done.stdout
    assert "bob 8 of 100" in " ".join(done.stdout.split())
