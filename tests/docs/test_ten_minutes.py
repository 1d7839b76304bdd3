"""The page that organisations start by: every command on it, in order, each in the folder of whoever types it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import chdir, redirect_stdout
from glob import glob
from io import StringIO
from runpy import run_path
from time import monotonic, sleep
from unittest.mock import patch

import pytest
from typer.testing import CliRunner

from cluster.cli.main import app
from cluster.local_instances import free_port
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "ten-minutes.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
COMMANDS = [line for kind, text in BLOCKS if kind == "console" for line in text.splitlines()]
PEOPLE = ("alice", "bob", "carol")
PATIENCE = 60.0


class Person:
    """Somebody with a folder, and an instance there. What ends with & is a process of its own; other commands run in
    this one, which has loaded already what they need.
    """

    def __init__(self, name, folder):
        self.name, self.folder, self.started = name, folder / name, []
        self.folder.mkdir()
        self.environment = {"COLUMNS": "200", "ICM_HOME": str(self.folder / "home")}

    def types(self, command):
        """What it prints; `wait` has what the last process printed that was started."""
        if command == "wait":
            return self.ended(self.started.pop())
        program, *words = shlex.split(command.removesuffix(" &"))
        words = [file for word in words for file in (sorted(glob(word, root_dir=self.folder)) or [word])]
        if command.endswith(" &"):
            self.starts(*(("-m", "cluster.cli.main") if program == "icm" else ()), *words)
            return ""
        with chdir(self.folder), patch.dict(os.environ, self.environment):
            if program == "python":
                with redirect_stdout(StringIO()) as said:
                    run_path(*words, run_name="__main__")
                return said.getvalue()
            assert program == "icm"
            found = CliRunner().invoke(app, words, input="y\n")
            assert found.exit_code == 0, (command, found.output, found.exception)
            return found.output

    def starts(self, *words):
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=self.folder,
            env={**os.environ, **self.environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.started.append(process)

    def ended(self, process):
        """What it printed."""
        try:
            said = process.communicate(timeout=PATIENCE)[0]
        except subprocess.TimeoutExpired:
            self.started.append(process)
            raise
        assert process.returncode == 0, said
        return said

    def until(self, there):
        deadline = monotonic() + PATIENCE
        while not there():
            assert monotonic() < deadline
            sleep(0.1)

    def leaves(self):
        for process in self.started:
            process.terminate()
        for process in self.started:
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


@pytest.fixture
def people(tmp_path):
    made = {name: Person(name, tmp_path) for name in PEOPLE}
    yield made
    for one in made.values():
        one.leaves()


@pytest.mark.slow
def test_every_command_of_the_page_works(people):
    """... on one machine, where addresses are ports of loopback and a ticket is the one that was printed last."""
    for kind, text in BLOCKS:
        if named := re.match(r"# ([a-z, ]+): ([a-z.]+)\n", text):
            assert kind in {"python", "toml"}
            for name in named[1].split(", "):
                (people[name].folder / named[2]).write_text(text)
    ports = {name: free_port() for name in PEOPLE}
    said, ticket = {}, ""
    for line in COMMANDS:
        name, command = line.split("$ ", 1)
        one, typed = people[name], command
        typed = re.sub(r"(\w+)\.example\.org:7800", lambda found: f"127.0.0.1:{ports[found[1]]}", typed)
        typed = typed.replace("icm1-...", ticket)
        if typed.startswith("icm init") and "--listen" not in typed:
            typed += f" --listen 127.0.0.1:{ports[name]}"
        if number := re.fullmatch(r"icm show (\d+)", typed):
            one.until((one.folder / "home" / "requests" / f"{number[1]}.json").exists)
        said[line] = one.types(typed)
        if typed.startswith("icm invite"):
            ticket = said[line].strip()
        if typed.startswith("icm serve"):
            one.until((one.folder / "home" / "serving.json").exists)
    assert re.search(r"labels \[[012](, [012]){7}\]\nmean cost \d+\.\d+\n", said["bob$ wait"])
    assert "prediction of label by alice's model skin on images of bob's" in said["alice$ icm show 1"]
    assert "mean of cost" in said["alice$ icm show 2"]
    assert "delivered to bob" in said["alice$ python tell.py"]
    assert "std of cost" in said["bob$ icm results"]
    assert "bob 8 of 1000" in said["alice$ icm model"]
    assert "failed" not in said["alice$ icm audit verify"] + said["bob$ icm audit verify"]


def test_the_page_names_each_step():
    """... and nothing of a file that it does not have."""
    typed = " ".join(COMMANDS)
    for step in ("init", "serve", "invite", "join", "peers --approve", "model add", "data add", "approve", "results"):
        assert f"icm {step} " in typed
    assert "icm audit verify" in typed
    made = {name for _, text in BLOCKS if (named := re.match(r"# [a-z, ]+: ([a-z.]+)\n", text)) for name in [named[1]]}
    assert set(re.findall(r"\w+\.(?:py|toml)", typed)) == made
