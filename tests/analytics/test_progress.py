"""What takes longer than a second says how far it is, on standard error; the rest says nothing."""

import io
import threading

import pandas as pd
import pytest

import analytics as an
from analytics import progress
from analytics.progress import Progress
from icm_ray.errors import BoundError
from tests.analytics.conftest import engine_of


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def shown(monkeypatch):
    """A stream that stands for standard error, where progress is shown at once."""

    def of(stream):
        monkeypatch.setattr(progress, "_PATIENCE", 0.0)
        monkeypatch.setattr(progress, "_LINES", 0.01)
        monkeypatch.setattr(progress.sys, "stderr", stream)
        return stream

    return of


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_steps_rows_and_seconds_left_are_shown(shown, stream):
    text = shown(stream())
    with Progress("sharing visits", 3, "partitions", 30) as steps:
        for _ in range(2):
            steps.done(10)
        while "2 of 3" not in text.getvalue():
            pass
    assert "sharing visits: 2 of 3 partitions, " in text.getvalue()
    assert "rows/s" in text.getvalue()
    assert "s left" in text.getvalue()


def test_what_is_quick_says_nothing(monkeypatch):
    text = io.StringIO()
    monkeypatch.setattr(progress.sys, "stderr", text)
    with Progress("quick", 3, "partitions", 30) as steps:
        steps.done(10)
    assert not text.getvalue()


def test_nothing_is_shown_where_the_environment_says_so(shown, monkeypatch):
    text = shown(io.StringIO())
    monkeypatch.setenv("ICM_PROGRESS", "0")
    with Progress("quiet", 3, "partitions", 30) as steps:
        steps.done(10)
        assert steps._thread is None
    assert not text.getvalue()


def test_a_process_without_standard_error_says_nothing(shown):
    shown(None)
    with Progress("unseen", 3, "partitions", 30) as steps:
        steps.done(10)
        assert steps._thread is None


def test_a_stream_that_nobody_reads_keeps_nobody(shown, monkeypatch):
    monkeypatch.setattr(progress, "_UNREAD", 0.01)
    read = threading.Event()

    class Full(io.StringIO):
        def write(self, _):
            read.wait(60)
            return 0

    shown(Full())
    with Progress("unread", 3, "partitions", 30) as steps:
        steps.done(10)
    assert steps._thread.is_alive(), "it waits for its reader, alone"
    read.set()
    steps._thread.join(60)


def test_partitions_of_a_sharing_are_counted(shown, monkeypatch):
    made = []
    kept = progress.Progress.__init__
    monkeypatch.setattr(Progress, "__init__", lambda self, *given: (made.append(self), kept(self, *given))[1])
    text = shown(io.StringIO())
    with engine_of("two parties, two lanes") as engine:
        frame = an.from_pandas(engine, {"alice": pd.DataFrame({"x": [float(n) for n in range(60)]})})
        shared = frame.share()
        (steps,) = made
        assert (steps._count, steps._rows) == (steps.total, 60)
        assert steps.total > 2
        assert shared["x"].sum().reveal() == sum(range(60))
        bad = an.from_pandas(engine, {"alice": pd.DataFrame({"x": [2.0**40]})})
        with pytest.raises(BoundError):
            bad.share()
    assert all(not steps._thread.is_alive() for steps in made)
    assert "sharing: " in text.getvalue()
