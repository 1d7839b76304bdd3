"""Giving up a start of Ray: where it ends at once, where it comes to its end, and what is left of it."""

import subprocess
import sys
import threading

import pytest

from icm_ray.runtime.carriers.given_up import Start, kill_children
from tests.chaos.victims import gone

CALLS = "def {name}(given_up):\n    given_up.set()\n    return later()\n\ndef later():\n    return 'came to its end'\n"


PARENT = """
import subprocess, sys
with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
    print(child.pid, flush=True)
    input()
"""


def function_of(module: str, name: str):
    """A function that gives itself up and then calls another, as if it stood in a module."""
    place = {"__name__": module}
    exec(CALLS.format(name=name), place)
    return place[name]


def test_a_call_of_ray_s_ends_it():
    start, traced = Start(), sys.gettrace()
    with pytest.raises(KeyboardInterrupt), start.abandonable():
        function_of("ray._private.node", "start_head_processes")(start.given_up)
    assert sys.gettrace() is traced


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("ray._private.worker", "connect"),  # half a connection would abort the process later
        ("somebody.else", "start"),
    ],
)
def test_others_come_to_their_end(module, name):
    start, traced = Start(), sys.gettrace()
    with start.abandonable():
        assert function_of(module, name)(start.given_up) == "came to its end"
    assert sys.gettrace() is traced


def test_no_module_is_half_imported():
    start = Start()
    place = {"__name__": "importlib._bootstrap", "body": function_of("ray.data", "body")}
    exec("def load(given_up):\n    return body(given_up)\n", place)
    with start.abandonable():
        assert place["load"](start.given_up) == "came to its end"


def test_nothing_begins_that_was_given_up_before():
    start, begun = Start(), []
    start.given_up.set()
    with pytest.raises(KeyboardInterrupt), start.abandonable():
        begun.append(1)
    assert not begun


def test_processes_of_this_thread_are_ended_and_no_others():
    command = [sys.executable, "-c", PARENT]
    started: list[subprocess.Popen[bytes]] = []
    grandchildren: list[int] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as other:

        def start() -> None:
            started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            grandchildren.append(int(started[0].stdout.readline()))
            kill_children()

        thread = threading.Thread(target=start)
        thread.start()
        thread.join()
        started[0].stdin.close()
        started[0].stdout.close()
        assert gone(grandchildren, 10.0) == []
        assert started[0].poll() is not None
        assert other.poll() is None
        other.communicate()


def test_processes_that_ray_waits_for_are_ended_by_who_gives_up():
    start, started, ended = Start(), threading.Event(), []

    def starting() -> None:
        with start.abandonable(), subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
            started.set()
            child.wait()
            ended.append(child.pid)

    thread = threading.Thread(target=starting)
    thread.start()
    assert started.wait(10)
    start.end_processes()
    thread.join(10)
    assert ended
    start.end_processes()  # nothing is left to end
