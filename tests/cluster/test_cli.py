"""The `icm` command: an error of the engine is one line, and bench takes the settings that a session would take."""

import json
import sys
from importlib.metadata import version

import pytest
import typer

from cluster.bench import run
from cluster.cli import main as cli
from cluster.cli.bench import bench
from cluster.cli.demo_digits import Digits
from icm_ray.config import EngineConfig
from icm_ray.error_codes import code_of
from icm_ray.errors import PeerLost, PolicyError, SourceError
from icm_ray.runtime import session
from icm_ray.runtime.carriers import processes


def called(monkeypatch, *arguments):
    """The exit status of `icm` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["icm", *arguments])
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # typer puts its own there
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code


def test_the_release(monkeypatch, capsys):
    assert called(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"icm-ray {version('icm-ray')}\n"


@pytest.mark.parametrize("command", [["demo"], ["bench", "mean_1m"], ["bench", "mean_1m", "--session"]])
def test_a_setting_that_cannot_be_is_one_line_on_stderr(monkeypatch, capsys, command):
    monkeypatch.setattr(Digits, "train", lambda _: None)
    monkeypatch.setenv("ICM_SILENCE", "abc")
    assert called(monkeypatch, *command) == 2
    assert capsys.readouterr().err == "icm: the environment variable ICM_SILENCE='abc' is not a number [E100]\n"


@pytest.mark.parametrize(
    "error", [PolicyError("refused"), PeerLost("bob is gone", party="bob"), SourceError("no file:\n  'x'")]
)
def test_every_error_of_the_engine_is_one_line(monkeypatch, capsys, error):
    def command():
        raise error

    app = typer.Typer()
    app.command()(command)
    monkeypatch.setattr(cli, "app", app)
    assert called(monkeypatch) == 2
    assert capsys.readouterr().err == f"icm: {' '.join(str(error).split())} [{error.code}]\n"


class Asked(Exception):
    """The engine would be started now."""


def chosen(monkeypatch, **options):
    """The settings with which `icm bench` starts its engine."""
    found = {}

    def start(*_, config, **__):
        found["config"] = config
        raise Asked

    monkeypatch.setattr(processes, "ProcessEngine", start)
    monkeypatch.setattr(session, "Session", start)
    with pytest.raises(Asked):
        bench(list(run.names())[:1], **options)
    return found["config"]


@pytest.mark.parametrize("in_session", [False, True])
def test_bench_takes_the_settings_of_the_environment(monkeypatch, in_session):
    monkeypatch.setenv("ICM_SILENCE", "33")
    monkeypatch.setenv("ICM_IN_FLIGHT", "4096")
    expected = EngineConfig(silence=33.0, in_flight=4096, tls=in_session, free_programs=True)
    assert chosen(monkeypatch, session=in_session) == expected


@pytest.mark.parametrize("megabytes", [0, 3])
def test_an_option_of_bench_is_put_over_the_environment(monkeypatch, megabytes):
    monkeypatch.setenv("ICM_IN_FLIGHT", "4096")
    found = chosen(monkeypatch, in_flight=megabytes, rtt_ms=2.0)
    assert (found.in_flight, found.rtt_ms) == (megabytes << 20, 2.0)


def test_help_says_what_a_code_means(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert called(monkeypatch, "help", "E305") == 0
    said = capsys.readouterr().out
    assert said.startswith("E305 InstanceError\n")
    assert all(f"{what.lower()}: {text}\n" in said for what, text in code_of("E305").paragraphs)
    assert "page: errors/E305.html" in said
    assert called(monkeypatch, "help", "E305", "--json") == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "InstanceError"
    assert called(monkeypatch, "help") == 0
    assert "E408" in capsys.readouterr().out
    assert called(monkeypatch, "help", "E999") == 2
    assert capsys.readouterr().err.endswith("[E100]\n")


def test_an_error_of_a_peer_commands_no_terminal(monkeypatch, capsys):
    def command():
        raise PolicyError("bob refuses: \x1b[2J\u202e")

    app = typer.Typer()
    app.command()(command)
    monkeypatch.setattr(cli, "app", app)
    assert called(monkeypatch) == 2
    assert capsys.readouterr().err == "icm: bob refuses: \\x1b[2J\\u202e [E202]\n"
