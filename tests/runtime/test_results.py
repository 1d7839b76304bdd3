"""What workers send as results is what the program reveals to them, in its shape, once."""

from contextlib import contextmanager

import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import Desynchronised
from icm_ray.names import DRIVER
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.stamped import RunSettings
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.driver.run import run
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import ResultMessage

NUMBER = 7
WORDS = np.arange(6, dtype=np.uint64).reshape(2, 3)


def program():
    builder = Builder(("alice", "bob"))
    x = builder.add(Input("alice", "x", ValueType(shape=(2, 3))))
    builder.add(Reveal("alice", "mine"), x)
    builder.add(Reveal(DRIVER, "all"), x)
    return builder.build()


class ScriptedLane:
    """A lane whose workers say what they are told to."""

    parties, owners, data, broken, config = ("alice", "bob"), (), {}, False, EngineConfig()

    def __init__(self, *said):
        self.handles = dict.fromkeys(("alice", "bob", "dealer"))
        self._said = said

    @contextmanager
    def using(self, stop=None):
        yield

    def next_call(self):
        return 1

    def expect(self, results):
        self.expected = results

    def tell(self, orders):
        pass

    def collect(self, names, call, step, *, partition=None, on_result=None):
        for name, message in self._said if on_result is not None else ():
            on_result(name, message)
        return {name: say.Done(call) for name in names}

    def fail(self, evidence, partition, step):
        self.broken = True
        return evidence.error


def result(name="mine", shape=(2, 3), words=None, job=NUMBER):
    return ResultMessage(job, name, shape, WORDS.tobytes() if words is None else words)


RIGHT = (("alice", result()), ("alice", result("all")), ("bob", result("all")))


def test_results_are_put_together():
    found = run(ScriptedLane(("bob", result(job=NUMBER - 1)), *RIGHT), NUMBER, LaneJob(0, program()), RunSettings())
    assert found.results["mine"].tolist() == WORDS.tolist()
    assert found.results["all"].tolist() == (2 * WORDS).tolist()


@pytest.mark.parametrize(
    "wrong",
    [
        ("bob", result()),  # not revealed there
        ("dealer", result("all")),
        ("bob", result("another")),
        ("alice", result(shape=(6,))),
        ("alice", result(shape=(2, 2))),
        ("alice", result(shape=(3, 2))),
        ("alice", result(words=WORDS.tobytes()[:-1])),
        ("alice", result(words=WORDS.tobytes() + bytes(8))),
        ("alice", result(shape=(), words=bytes(8))),
        ("alice", result(shape=(1 << 39, 1 << 39))),
    ],
)
def test_another_result_ends_the_lane(wrong):
    lane = ScriptedLane(wrong, *RIGHT)
    with pytest.raises(Desynchronised, match=wrong[0]) as caught:
        run(lane, NUMBER, LaneJob(0, program()), RunSettings())
    assert caught.value.party == wrong[0]
    assert lane.broken


def test_the_same_result_twice_ends_the_lane():
    lane = ScriptedLane(*RIGHT, RIGHT[0])
    with pytest.raises(Desynchronised, match="alice"):
        run(lane, NUMBER, LaneJob(0, program()), RunSettings())


def test_a_missing_result_is_named():
    with pytest.raises(Desynchronised, match="bob did not deliver all"):
        run(ScriptedLane(*RIGHT[:2]), NUMBER, LaneJob(0, program()), RunSettings())
