"""The Ray of a process: who starts it, who ends it, and what is left when it, its head or its user ends."""

import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.chaos.victims import alive, gone

pytestmark = [pytest.mark.ray, pytest.mark.slow]

BEGIN = """
import os, sys, threading, time
import icm_ray as icm
from icm_ray.runtime.carriers.process_ray import process_ray, _processes

def works(session):
    session.set_policy("x", icm.Policy())
    return True

def say(*what):
    print(*what, flush=True)

def pids(session):
    workers = [handle._pid for lane in session._lanes for handle in lane.handles.values()]
    return workers + [process.pid for _, process in _processes()]
"""


def start(root, code: str, **settings: str) -> subprocess.Popen:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("RAY_")} | settings
    command = [sys.executable, "-c", BEGIN + code]
    return subprocess.Popen(command, env=clean, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(root, code: str) -> list[str]:
    with start(root, code) as process:
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.splitlines()


def test_a_ray_that_does_not_come_up_in_time_is_a_session_that_cannot_be(root):
    code = """
import ray

def slow(**_):
    raise Exception("The current node timed out during startup.")

ray.init = slow
try:
    icm.Session()
except icm.SessionError as error:
    say(error)
"""
    assert said(root, code)[0].startswith("no Ray could be started on this machine: The current node timed out")


def test_it_outlives_the_thread_that_opened_the_session(root):
    code = """
opened = []
thread = threading.Thread(target=lambda: opened.append(icm.Session()))
thread.start()
thread.join()
say(works(opened[0]), [process.poll() for _, process in _processes()])
opened[0].close()
"""
    assert said(root, code) == ["True [None, None, None, None, None]"]


def test_threads_that_open_sessions_at_once_share_it_until_the_last_is_closed(root):
    code = """
import ray
opened = []
threads = [threading.Thread(target=lambda: opened.append(icm.Session())) for _ in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
say(len(opened), all(map(works, opened)))
opened[0].close()
say(works(opened[1]))
opened[1].close()
say(ray.is_initialized())
with icm.Session() as again:
    say(works(again))
"""
    assert said(root, code) == ["2 True", "True", "False", "True"]


def test_a_forked_child_is_told_and_ends_without_harm(root):
    code = """
session = icm.Session()
child = os.fork()
if child == 0:
    for attempt in (lambda: works(session), icm.Session):
        try:
            attempt()
        except icm.SessionError as error:
            say("start method 'spawn'" in str(error))
    session.close()
    sys.exit(7)
say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
say(works(session))
session.close()
"""
    assert said(root, code) == ["True", "True", "7", "True"]


def test_a_dead_head_costs_neither_the_process_nor_more_than_five_seconds(root):
    code = """
session = icm.Session()
head = dict(_processes())["gcs_server"]
head.kill()
head.wait()
say(works(session))
try:
    icm.Session()
except icm.SessionError as error:
    say(error)
left = pids(session)
began = time.monotonic()
session.close()
say(time.monotonic() - began < 5)
from tests.chaos.victims import alive
say(alive(left))
with icm.Session() as again:
    say(works(again))
"""
    works, refused, soon, left, again = said(root, code)
    assert (works, soon, left, again) == ("True", "True", "[]", "True")
    assert "its gcs_server ended" in refused


def test_a_dead_head_of_a_joined_cluster_is_found_at_once(root):
    cluster = """
import ray
ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
node = ray._private.worker._global_node
say(node.gcs_address, node.all_processes["gcs_server"][0].process.pid)
time.sleep(300)
"""
    code = """
address, head = sys.argv[1:]
session = icm.Session(address=address)
os.kill(int(head), 9)
while not process_ray().dead():
    time.sleep(0.005)
say(works(session))
try:
    icm.Session()
except icm.SessionError as error:
    say(error)
left = [handle._pid for lane in session._lanes for handle in lane.handles.values()]
began = time.monotonic()
session.close()
say(time.monotonic() - began < 5)
from tests.chaos.victims import gone
say(gone(left, 1.0))
os._exit(0)  # Ray would wait for its head
"""
    with start(root, cluster) as running:
        try:
            address, head = running.stdout.readline().split()
            argued = code.replace("sys.argv[1:]", repr([address, head]))
            with start(root, argued, RAY_AUTH_MODE="token") as process:
                out, err = process.communicate(timeout=120)
        finally:
            running.kill()
    assert process.returncode == 0, err
    works, refused, soon, left = out.splitlines()
    assert (works, soon, left) == ("True", "True", "[]")
    assert "its gcs_server ended" in refused


@pytest.mark.parametrize(("how", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, -1), (signal.SIGKILL, -9)])
def test_a_signal_leaves_no_process_and_no_folder_behind_the_next_start(root, how, status):
    code = """
session = icm.Session()
say(process_ray()._folder.path, *pids(session))
time.sleep(60)
"""
    with start(root, code) as process:
        folder, *left = process.stdout.readline().split()
        process.send_signal(how)
        _, err = process.communicate(timeout=30)
    assert process.returncode == status
    assert gone(map(int, left), 5.0) == []
    if how == signal.SIGTERM:
        assert err == ""
        assert not os.path.exists(folder)
    else:
        said(root, "icm.Session().close()")
        assert not os.path.exists(folder)


def test_a_home_that_cannot_be_written_is_named(root):
    code = """
os.environ["HOME"] = "/proc/nowhere"
try:
    icm.Session()
except icm.SessionError as error:
    say(error)
"""
    (message,) = said(root, code)
    assert "The home directory /proc/nowhere is missing or cannot be written" in message
    assert "set HOME" in message


INTERRUPTED = """
import signal
from tests.chaos.victims import gone

def interrupt():
    while children() < COUNT:
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)

def children():
    return len(open(f"/proc/self/task/{os.getpid()}/children").read().split()) + sum(
        len(open(f"/proc/self/task/{task}/children").read().split())
        for task in os.listdir("/proc/self/task") if int(task) != os.getpid()
    )

threading.Thread(target=interrupt, daemon=True).start()
try:
    icm.Session()
    say("opened")
except KeyboardInterrupt:
    say("interrupted", children())
with icm.Session() as session:
    say(works(session))
"""


@pytest.mark.parametrize("count", [1, 3, 5])
def test_an_interrupted_start_leaves_nothing_and_the_next_one_works(root, count):
    """As soon as Ray has started so many of its processes."""
    assert said(root, INTERRUPTED.replace("COUNT", str(count))) == ["interrupted 0", "True"]


def test_no_process_is_left_of_a_start_that_ends_the_program(root):
    code = INTERRUPTED.replace("COUNT", "4").partition("try:")[0] + "say(os.getpid())\nicm.Session()\n"
    with start(root, code) as process:
        pid = int(process.stdout.readline())
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert alive([pid]) == []


def processes_of(token: str) -> list[int]:
    """The processes that have the token in their environment: a program and all that follows from it."""
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        with suppress(OSError):
            if token.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.append(pid)
    return alive(found)


@pytest.mark.parametrize("count", [2, 5])
def test_an_interruption_at_any_moment_of_a_start_leaves_nothing_after_five_seconds(root, monkeypatch, count):
    """When Ray's head has been started, and when its node has."""
    token = secrets.token_hex(16)
    monkeypatch.setenv("TOKEN_OF_THIS_TEST", token)
    with start(root, "icm.Session()\nsay('opened')\n") as process:
        while len(processes_of(token)) < count:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        until = time.monotonic() + 5.0
        out, _ = process.communicate(timeout=60)
        left = gone(processes_of(token), until - time.monotonic())
    assert process.returncode == -signal.SIGINT
    assert "opened" not in out
    assert time.monotonic() < until
    assert left == []


STOPPED = """
import signal
from pathlib import Path
from icm_ray.runtime.carriers.given_up import _children, _command

def interrupt():
    while not (raylets := [pid for pid in _children(os.getpid()) if _command(pid) == "raylet"]):
        time.sleep(0.001)
    os.kill(raylets[0], signal.SIGSTOP)
    while not any(frame.f_code.co_name == "get_node" for frame in sys._current_frames().values()):
        time.sleep(0.001)
    say("it is waited for")
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
icm.Session()
"""


def test_an_interruption_does_not_wait_for_a_node_that_does_not_come_up(root, monkeypatch):
    """Its raylet is stopped before it has said that it is there."""
    token = secrets.token_hex(16)
    monkeypatch.setenv("TOKEN_OF_THIS_TEST", token)
    with start(root, STOPPED) as process:
        assert process.stdout.readline() == "it is waited for\n"
        until = time.monotonic() + 5.0
        process.communicate(timeout=60)
        left = gone(processes_of(token), until - time.monotonic())
    assert process.returncode == -signal.SIGINT
    assert time.monotonic() < until
    assert left == []
