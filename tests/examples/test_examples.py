"""Every example, and every Python block of the README, runs to its end, as a user would run it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import icm_ray
from icm_ray.runtime.carriers.threads import ThreadEngine

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)


def run(*arguments, limit=110):
    """What it prints, within so many seconds."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout
    return done.stdout


@pytest.mark.slow
def test_organisations_tell_their_story():
    """Labels and a joint mean reach Bob alone."""
    told = run("examples/organisations/story.py", limit=280)
    assert "dora$ icm data visits" in told
    for said in ("labels of 8 pictures: [", "mean cost of visits", "says label, and no logits"):
        assert said in told
    assert "bob 8 of 100" in " ".join(told.split())


@pytest.mark.ray
@pytest.mark.parametrize(
    "example",
    [pytest.param(example, marks=pytest.mark.slow) for example in EXAMPLES],
    ids=lambda path: path.stem,
)
def test_example_runs(example):
    run(str(example))


def code_of(notebook):
    """Cell after cell."""
    cells = json.loads(notebook.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs(notebook):
    run("-c", code_of(notebook))


@pytest.mark.usefixtures("derived_once")
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.slow
def test_cells_run_in_a_session_of_threads(notebook, monkeypatch, capsys):
    monkeypatch.setattr(icm_ray, "Session", ThreadEngine)
    exec(compile(code_of(notebook), notebook.name, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out


@pytest.mark.usefixtures("derived_once")
@pytest.mark.parametrize("name", ["outcomes", pytest.param("salary_gap", marks=pytest.mark.slow)])
def test_examples_under_a_policy_get_their_answers(name, monkeypatch, capsys):
    """Rules of policies that became stricter show in every run."""
    monkeypatch.setattr(icm_ray, "Session", ThreadEngine)
    path = ROOT / "examples" / f"{name}.py"
    exec(compile(path.read_text(), path.name, "exec"), {"__name__": "__main__"})
    assert "withheld" in capsys.readouterr().out


@pytest.mark.ray
@pytest.mark.parametrize(
    "block",
    [BLOCKS[0], *(pytest.param(block, marks=pytest.mark.slow) for block in BLOCKS[1:])],
    ids=range(len(BLOCKS)),
)
def test_block_of_the_readme_runs(block):
    run("-c", block)


def test_the_readme_has_an_example_of_each_main_use():
    uses = {"a statistic": "].mean()", "shared rounds": "icm.reveal(", "a model": "an.SecureModel("}
    missing = {use for use, call in uses.items() if not any(call in block for block in BLOCKS)}
    assert not missing
