"""Whoever contributes derives each program once."""

import msgspec
import pytest

from icm_ray.errors import BoundError, OwnerError, PolicyError, ProgramError
from icm_ray.policy import Policy
from icm_ray.query import derivations
from icm_ray.query.derivations import Derivations
from icm_ray.query.lower import lower
from icm_ray.query.question import encode_asked
from tests.query.facts import MEMBERS, QUESTIONS, VISITS

change = msgspec.structs.replace


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.few(10)
def test_programs_are_those_of_lowering(name):
    asked, known = QUESTIONS[name], Derivations(MEMBERS)
    wanted = lower(asked, MEMBERS).programs
    assert [known.program(encode_asked(asked), stage, 1)[1] for stage in range(len(wanted))] == list(wanted)
    for stage in (-1, len(wanted)):
        with pytest.raises(ProgramError, match=f"none of number {stage}"):
            known.program(encode_asked(asked), stage, 1)


def test_a_question_asked_again_costs_nothing(monkeypatch):
    known, payload = Derivations(MEMBERS), encode_asked(QUESTIONS["shares"])
    _, program = known.program(payload, 1, 100)
    monkeypatch.setattr(derivations, "decode_asked", None)
    monkeypatch.setattr(derivations, "lowering", None)
    assert known.program(bytes(bytearray(payload)), 1, 100)[1] is program


def test_what_is_kept_is_bounded():
    payload = encode_asked(QUESTIONS["sharing"])
    known = Derivations(MEMBERS, limit=250)
    for stage in range(5):
        known.program(payload, stage, 100)
    assert len(known) == 2


def nonsense(**changes):
    asked = QUESTIONS["owners' rows in two lanes"]
    return change(asked, facts=(change(asked.facts[0], **changes),))


TABLE = VISITS.tables[0]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (nonsense(tables=(), policy=None), ProgramError),
        (nonsense(tables=(change(TABLE, lanes=(0,)),)), ProgramError),
        (nonsense(tables=(change(TABLE, owner="mallory"),)), OwnerError),
        (nonsense(policy=Policy(min_rows=10**6)), PolicyError),
        (change(QUESTIONS["shares"], what=change(QUESTIONS["shares"].what, to="mallory")), OwnerError),
        (change(QUESTIONS["sharing"], facts=(change(VISITS, log2_bounds=(("cost", 10**9),)),)), BoundError),
        (change(QUESTIONS["sharing"], facts=(change(VISITS, log2_bounds=(("age", 10**9),)),)), BoundError),
    ],
)
def test_a_question_that_cannot_be_is_a_typed_error(asked, error):
    with pytest.raises(error):
        Derivations(MEMBERS).program(encode_asked(asked), 0, 1)
