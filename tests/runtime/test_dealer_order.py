"""The dealer is told the program that it deals for, and not what it follows from."""

import numpy as np
import pandas as pd
import pytest

import analytics as an
from icm_ray.config import EngineConfig
from icm_ray.network.programs import encode_model_question, program_of
from icm_ray.protocols.io import array_shape
from icm_ray.runtime.carriers.threads import ThreadEngine
from icm_ray.runtime.driver.engine import LaneJob
from icm_ray.runtime.orders.origins import Free, FromPrediction, FromQuestion
from icm_ray.runtime.worker.dealer import DealerRole
from icm_ray.runtime.worker.party import PartyRole
from tests.network.facts import load
from tests.runtime import programs


@pytest.fixture
def told(monkeypatch):
    """By role, the jobs that a member is told to run."""
    jobs = {}
    for role in (DealerRole, PartyRole):

        def prepare(member, program, job, given, plain=role.prepare):
            jobs.setdefault(member.name, []).append(job)
            return plain(member, program, job, given)

        monkeypatch.setattr(role, "prepare", prepare)
    return jobs


def the_dealer_knows_the_program_alone(told, origin):
    assert told["dealer"]
    for job in told["dealer"]:
        assert (job.origin, job.tasks) == (Free(), {})
    assert {type(job.origin) for job in told["alice"]} == {origin}
    assert [job.program for job in told["dealer"]] == [job.program for job in told["alice"]]
    assert any(job.tasks for job in told["alice"])


def zeros(program):
    """Weights and biases, all of them zero."""
    found = {}
    for op in (node.op for node in program.nodes):
        found[op.name] = np.zeros(array_shape(op.type), np.uint64)
        if op.bias is not None:
            found[op.bias] = np.zeros(op.bias_size, np.uint64)
    return found


def test_of_a_question(told):
    with ThreadEngine() as engine:
        frame = an.from_pandas(engine, {"alice": pd.DataFrame({"x": [1, 2]}), "bob": pd.DataFrame({"x": [3]})})
        assert frame["x"].mean().reveal() == 2
    the_dealer_knows_the_program_alone(told, FromQuestion)


def test_of_a_question_to_a_model(told):
    question = load()
    program = program_of(question, ("alice", "bob"))
    given = {"alice": zeros(program)}
    with ThreadEngine() as engine:
        engine.execute([LaneJob(0, program, given=given, origin=FromPrediction(encode_model_question(question)))])
    the_dealer_knows_the_program_alone(told, FromPrediction)


def test_of_a_program_by_hand(told):
    with ThreadEngine(config=EngineConfig(free_programs=True)) as engine:
        given = {"alice": {"column": programs.ring(np.arange(5))}}
        engine.execute([LaneJob(0, programs.kept(engine, "alice", "k", 5), given=given)])
    the_dealer_knows_the_program_alone(told, Free)
