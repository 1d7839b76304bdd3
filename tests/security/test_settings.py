"""Settings come from the driver, and decide what a step and a tag mean: members that were told different ones have
nothing to say to one another, and what no worker can have is refused.
"""

import msgspec
import numpy as np
import pytest

from icm_ray.config import EngineConfig
from icm_ray.errors import Desynchronised, FaultError, ProgramError
from icm_ray.names import DEALER, DRIVER
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.program import encode_program
from icm_ray.program.stamped import RunSettings
from icm_ray.query.tasks import Given
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.driver.run import _give
from icm_ray.runtime.orders import messages as say
from icm_ray.runtime.orders.jobs import Job

PARTIES, OUTSIDE = ("alice", "bob", "dora"), ("carol",)
MEMBERS = (*PARTIES, *OUTSIDE, DEALER)
ROWS = 600
X = np.arange(ROWS, dtype=np.uint64)
GIVEN = {"carol": {"x": X}}
change = msgspec.structs.replace


def program(name="y"):
    builder = Builder(PARTIES, OUTSIDE)
    x = builder.add(Input("carol", "x", ValueType(shape=(ROWS,), width=40)))
    builder.add(Reveal(DRIVER, name), builder.add(Relu(Epilogue(relu=True)), x))
    return builder.build()


JOB = Job(10**6, 0, encode_program(program()), RunSettings(), {"carol": {"x": Given()}})
OTHERWISE = {
    "in flight": change(JOB, settings=RunSettings(in_flight=1 << 15)),
    "threads": change(JOB, settings=RunSettings(threads=2)),
    "program": change(JOB, program=encode_program(program("another"))),
}


def running():
    return ThreadEngine(PARTIES, OUTSIDE, config=EngineConfig(free_programs=True, job_timeout=20.0))


def run(lane, orders):
    """One run, each member under an order of its own."""
    with lane.using():
        call = lane.next_call()
        lane.expect(1 << 20)
        lane.tell({name: say.Run(call, orders[name]) for name in MEMBERS})
        _give(lane, JOB, LaneJob(0, program(), given=GIVEN))
        lane.collect(MEMBERS, call, "prepare", partition=0)
        lane.tell({name: say.Commit(call) for name in MEMBERS})
        lane.collect(MEMBERS, call, "run", partition=0, on_result=lambda name, message: None)


def preprocess(lane, orders):
    with lane.using():
        call, members = lane.next_call(), (*PARTIES, DEALER)
        lane.tell({name: say.Preprocess(call, orders[name], 1) for name in members})
        lane.collect(members, call, "prepare", partition=0)


def outcome(play, name, order):
    """The error of a run in which one member had another order than the rest."""
    with running() as engine, pytest.raises(FaultError) as caught:
        play(engine._lanes[0], dict.fromkeys(MEMBERS, JOB) | {name: order})
    return caught.value


def test_one_order_for_all_runs():
    """... as the harness of this file sends it."""
    with running() as engine:
        run(engine._lanes[0], dict.fromkeys(MEMBERS, JOB))


@pytest.mark.parametrize("name", MEMBERS)
@pytest.mark.parametrize("what", ["in flight", "threads"])
@pytest.mark.few(4)
def test_other_settings_are_another_run(name, what):
    """The same error as for another program, whoever was lied to: it hears that the dealer deals for another run."""
    lied, other = (outcome(run, name, OTHERWISE[one]) for one in (what, "program"))
    assert isinstance(lied, Desynchronised)
    assert "the dealer deals for another run" in str(lied)
    assert (type(lied), lied.where["step"]) == (type(other), other.where["step"])


@pytest.mark.parametrize("name", ["bob", DEALER])
@pytest.mark.slow
def test_other_settings_are_other_slots(name):
    lied, other = (outcome(preprocess, name, OTHERWISE[one]) for one in ("in flight", "program"))
    assert isinstance(lied, Desynchronised)
    assert "prepares something else" in str(lied)
    assert (type(lied), lied.where["step"]) == (type(other), other.where["step"])


@pytest.fixture(scope="module")
def going_on():
    with running() as engine:
        yield engine


ABSURD = [(-1, 1), (2**63, 1), (0, 0), (0, -1), (0, 10**9)]


@pytest.mark.parametrize("settings", [RunSettings(*settings) for settings in ABSURD], ids=str)
def test_absurd_settings_are_refused_by_every_member(going_on, settings):
    lane, order = going_on._lanes[0], change(JOB, settings=settings, tasks={})
    for name in MEMBERS:
        asked = [lambda call: say.Run(call, order)]
        if name not in OUTSIDE:
            asked.append(lambda call: say.Preprocess(call, order, 1))
        for ask in asked:
            with lane.using():
                call = lane.next_call()
                with pytest.raises(ProgramError, match=r"cannot hold|one thread at least"):
                    lane.ask({name: ask(call)}, call, "a lie")
    (done,) = going_on.execute([LaneJob(0, program(), given=GIVEN)])
    np.testing.assert_array_equal(done.results["y"], X)
