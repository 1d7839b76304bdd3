"""Engines that their users drop, interrupt or inherit: workers end where they should, and go on where they should."""

import gc
import os
import signal
import threading
import weakref

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import SessionError
from icm_ray.runtime.carriers.processes import ProcessEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.driver.keeper import Keeper, keeper, stubbornly
from tests.chaos.victims import alive, gone
from tests.runtime import programs

X = np.arange(500, dtype=np.uint64)
FREE = EngineConfig(free_programs=True)


def works(engine) -> bool:
    job = LaneJob(0, programs.compared(engine, 500, "alice", 2), given={"bob": {"x": X}})
    return engine.execute([job])[0].results["count"].tolist() == [999]


def in_a_fork(task) -> str:
    """What a forked child says, which ends as a Python program does: with everything that is registered for exits."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        import atexit

        try:
            said = task()
        except BaseException as error:  # noqa: BLE001 - the parent asserts on it
            said = f"{type(error).__name__}: {error}"
        os.write(write, said.encode())
        atexit._run_exitfuncs()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    return said


def test_a_dropped_engine_ends_its_workers():
    engine = ProcessEngine(config=FREE)
    workers = [handle.process.pid for handle in engine.handles]
    dropped = weakref.ref(engine)
    assert works(engine)
    del engine
    gc.collect()
    assert dropped() is None
    assert gone(workers, 10.0) == []


@pytest.fixture(scope="module")
def kept():
    """An engine that goes on after each of the tests that use it."""
    with ProcessEngine(config=FREE) as engine:
        yield engine


def test_a_forked_child_touches_nothing(kept):
    workers = [handle.process.pid for handle in kept.handles]
    said = in_a_fork(lambda: str(works(kept)))
    assert said.startswith("SessionError: this session was opened by the process that this one was forked from")
    assert in_a_fork(lambda: kept.close() or "closed") == "closed"
    assert alive(workers) == workers
    assert works(kept)


def test_a_child_that_is_forked_in_the_middle_of_a_call_waits_for_nothing(kept):
    with kept._lanes[0].using():
        assert in_a_fork(lambda: str(works(kept))).startswith("SessionError")
    assert works(kept)


def test_a_keeper_outlives_who_asked():
    found = []
    thread = threading.Thread(target=lambda: found.append(keeper("test").submit(threading.current_thread).result()))
    thread.start()
    thread.join()
    assert found[0].is_alive()
    assert keeper("test").submit(threading.current_thread).result() is found[0]


def test_a_keeper_tells_what_went_wrong_and_goes_on():
    kept = Keeper("test")
    with pytest.raises(ZeroDivisionError):
        kept.submit(lambda: 1 / 0).result()
    assert kept.submit(lambda: 3).result() == 3


def test_interruptions_are_put_off():
    waiting, may_end = threading.Event(), threading.Event()
    future = Keeper("test").submit(may_end.wait)
    wait = future.exception

    def said_before(timeout=None):
        waiting.set()
        return wait(timeout)

    def interrupt() -> None:
        waiting.wait()
        os.kill(os.getpid(), signal.SIGINT)
        may_end.set()

    future.exception = said_before
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        stubbornly(future)
    assert future.done()


def test_closing_is_not_interrupted_half_way():
    engine = ProcessEngine(config=FREE)
    workers = [handle.process.pid for handle in engine.handles]
    for handle in engine._lanes[0].handles.values():
        ended = handle.ended

        def slow(timeout, ended=ended):
            os.kill(os.getpid(), signal.SIGINT)
            return ended(timeout)

        handle.ended = slow
    with pytest.raises(KeyboardInterrupt):
        engine.close()
    assert alive(workers) == []


def test_an_engine_says_which_process_it_belongs_to(kept):
    kept._ending._process += 1
    with pytest.raises(SessionError, match="start method 'spawn'"):
        kept.execute([])
    kept.close()
    kept._ending._process -= 1
    assert works(kept)


def test_threads_that_ask_at_once_get_the_same_keeper():
    barrier, found = threading.Barrier(8), []

    def ask() -> None:
        barrier.wait()
        found.append(keeper("test of many"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1
