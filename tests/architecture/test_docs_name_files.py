"""The paths that the pages on architecture and extending name are there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATH = re.compile(r"`((?:icm_ray|analytics|cluster|tests|docs|benchmarks|examples)/[\w/.]+?)`")


def named():
    for page in ("architecture.md", "extending.md"):
        for path in sorted(set(PATH.findall((ROOT / "docs" / page).read_text()))):
            yield pytest.param(path, id=f"{page}:{path}")


def test_there_are_some():
    assert len(list(named())) > 20


@pytest.mark.parametrize("path", list(named()))
def test_it_is_there(path):
    assert (ROOT / path).exists()
