"""Seconds by part, with counters that move only when they are told to."""

import threading
from contextvars import copy_context

import numpy as np
import pytest

from icm_ray.profile import Clock, Part, present_clock, spends
from icm_ray.ring import epilogue
from icm_ray.ring.gemm import matmul
from icm_ray.ring.prg import Key
from tests.ring.counters import Counting, Set


def spent(clock: Clock) -> dict[str, float]:
    return {part: seconds for part, seconds in clock.spent().items() if seconds}


def test_time_inside_an_inner_section_counts_there_alone():
    now = Set()
    clock = Clock(now, now)
    with clock.running():
        now.add(1)
        with spends(Part.DEALER):
            now.add(10)
            with spends(Part.WIRE):
                now.add(100)
            now.add(1000)
        now.add(10000)
    now.add(100000)
    assert spent(clock) == {"python": 10001, "dealer": 1010, "wire": 100}


def test_a_section_in_itself_counts_once():
    now = Set()
    clock = Clock(now, now)
    with clock.running(), spends(Part.KERNELS):
        now.add(1)
        with spends(Part.KERNELS):
            now.add(2)
        now.add(4)
    assert spent(clock) == {"kernels": 7}


def test_a_decorated_function():
    now = Set()
    clock = Clock(now, now)

    @spends(Part.WIRE)
    def wait(seconds: int, *, twice: bool) -> int:
        now.add(seconds)
        if twice:
            wait(seconds, twice=False)
        return seconds

    assert wait(1, twice=True) == 1
    assert spent(clock) == {}
    with clock.running():
        assert wait(3, twice=True) == 3
    assert spent(clock) == {"wire": 6}


def test_an_error_ends_its_sections():
    now = Set()
    clock = Clock(now, now)

    @spends(Part.PRG)
    def fail() -> None:
        now.add(1)
        raise ValueError

    with clock.running():
        with pytest.raises(ValueError, match=r"^$"), spends(Part.WIRE):
            fail()
        now.add(10)
    assert spent(clock) == {"prg": 1, "python": 10}
    assert present_clock() is None


def test_nothing_is_measured_outside_a_run():
    now = Counting()
    clock = Clock(now, Counting())
    with spends(Part.WIRE):
        Key(bytes(16)).words(0, 0, 8)
    assert present_clock() is None
    assert now.read == 0
    assert set(clock.spent().values()) == {0}
    assert list(clock.spent()) == list(Part)


def test_work_without_a_core_counts_apart():
    now, working = Set(), Set()
    clock = Clock(now, working)
    with clock.running():
        with spends(Part.KERNELS):
            now.add(10)
            working.add(7)
        with spends(Part.PEERS):  # a wait is a wait
            now.add(100)
            working.add(20)
        now.add(1000)
        working.add(1001)  # the counters tick apart
    assert spent(clock) == {"kernels": 7, "cores": 3, "peers": 100, "python": 1000}


def test_threads_are_added():
    now = Set()
    clock = Clock(now, now)

    def work() -> None:
        now.add(10)  # in no section: an idle thread spends nothing
        with spends(Part.PRG):
            now.add(100)

    def apart() -> None:
        with spends(Part.PRG):
            now.add(1000)

    with clock.running():
        now.add(1)
        inside = copy_context()
        for target in (lambda: inside.run(work), apart):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert spent(clock) == {"python": 1111, "prg": 100}


@pytest.mark.parametrize(
    ("part", "call"),
    [
        (Part.PRG, lambda: Key(bytes(16)).words(0, 0, 8)),
        (Part.KERNELS, lambda: epilogue.high_part(np.zeros(8, np.uint64), 0, 8, np.zeros(8, np.uint64))),
        (Part.PRODUCTS, lambda: matmul(np.zeros((2, 2), np.uint64), np.zeros((2, 2), np.uint64))),
    ],
)
def test_what_the_ring_spends(part, call):
    now = Counting()
    clock = Clock(now, Counting())
    with clock.running():
        call()
    assert spent(clock) == {"python": 2, str(part): 1}  # read when the run begins, the section does, and at both ends


def test_a_kernel_returns_what_it_computed_measured_or_not():
    plane, words = np.array([1], np.uint64), np.zeros(64, np.uint64)
    plain = epilogue.count_bits(plane, words, True, 64)
    with Clock().running():
        assert epilogue.count_bits(plane, words, True, 64) == plain == 1
