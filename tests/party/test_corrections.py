"""Corrections are taken as the plan has them: none else, none twice, not too large, not far ahead, or a typed error."""

import numpy as np
import pytest

from icm_ray.errors import Desynchronised
from icm_ray.ops.linear import Input
from icm_ray.ops.seams import Address, Frame
from icm_ray.party.correlations import Corrections, ExpectedCorrections, SharedCorrections
from icm_ray.program.stamped import RunSettings
from icm_ray.schedule.allowances import Allowance
from icm_ray.transport import memory_links
from tests.program.random_programs import random_program
from tests.protocols.cases import CASES
from tests.protocols.test_against_reference import program_of
from tests.thread_lane import ThreadLane

PARTIES = ("alice", "bob")
AT = Address(1, bytes(32), 3, 1)
ALLOWED = Allowance({2: 16, 5: 24}, 32, 24)


@pytest.fixture(params=[Corrections, SharedCorrections])
def dealt(request):
    """What alice takes from, and what sends (step, tag, words) to her."""
    links = memory_links(("alice", "dealer"))
    links["alice"]["dealer"].set_receive_limits(ALLOWED.largest, ALLOWED.ahead)

    def send(step, tag, words):
        links["dealer"]["alice"].send(Frame(AT, step, tag), (np.full(words, tag, np.uint64),))

    return request.param(links["alice"]["dealer"], AT, ALLOWED), send


def test_what_was_planned_is_taken_in_any_order(dealt):
    source, send = dealt
    for step, tag in ((2, 1), (2, 2), (5, 1)):
        send(step, tag, 1)
    send(5, 9, 2)
    for step, tag, size in ((5, 1, 8), (2, 2, 8), (2, 1, 8), (5, 9, 16)):
        assert (source.take(step, tag, size).view(np.uint64) == tag).all()
    assert source.received == 40


@pytest.mark.parametrize(
    ("sent", "match"),
    [
        ([(3, 1, 1)], "8 bytes where 0 are left"),  # of no step that has any
        ([(2, 1, 3)], "24 bytes where 16 are left"),
        ([(2, 1, 1), (2, 2, 1), (2, 3, 1)], "8 bytes where 0 are left"),
        ([(2, 1, 1), (2, 1, 1)], "second time"),
        ([(2, 1, 2), (2, 1, 2)], "16 bytes where 0 are left"),  # again, once it was whole
        ([(2, 1, 0)], "0 bytes"),
        ([(2, 1, 2), (5, 1, 3)], "before those that are due"),
        ([(5, 1, 4)], "sent step 5"),  # larger than any step: the link refuses it
    ],
)
def test_what_was_not_planned_is_refused(dealt, sent, match):
    source, send = dealt
    for one in sent:
        send(*one)
    with pytest.raises(Desynchronised, match=match) as caught:
        source.take(5, 7, 8)
    assert (caught.value.party, caught.value.partition) == ("dealer", 3)


def test_a_step_that_came_whole_costs_no_memory():
    expected = ExpectedCorrections(dict.fromkeys(range(100), 8), "dealer", 0)
    for step in range(100):
        expected.check(step, 1, 8)
    assert not expected._left
    assert not expected._came


@pytest.fixture
def sources(monkeypatch):
    """All sources of corrections that are made in the test."""
    made, original = [], Corrections.__init__

    def remember(source, *arguments):
        original(source, *arguments)
        made.append(source)

    monkeypatch.setattr(Corrections, "__init__", remember)
    return made


def play(program, draw, threads, in_flight):
    rng, brought = np.random.default_rng(3), {}
    for node in program.nodes:
        if isinstance(node.op, Input):
            brought.setdefault(node.op.owner, {})[node.op.name] = draw(rng, node.op.type)
    with ThreadLane(program.parties, threads=threads) as lane:
        lane.run(program, brought, settings=RunSettings(in_flight, threads))


@pytest.mark.parametrize(
    ("in_flight", "threads"),
    [
        pytest.param(0, 1, id="whole"),
        pytest.param(1 << 12, 2, id="blocks, two threads"),
        pytest.param(0, 2, id="whole, two threads", marks=pytest.mark.slow),
        pytest.param(1 << 12, 1, id="blocks", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.few(70)
def test_no_operation_is_refused_what_it_needs(sources, case, in_flight, threads):
    """From a dealer that runs ahead as far as it can; nothing is left at the end."""
    play(program_of(case, PARTIES), case.draw, threads, in_flight)
    assert sources
    assert not any(source._early or source._expected._left for source in sources)


@pytest.mark.parametrize("seed", range(12))
def test_no_program_is_refused_what_it_needs(sources, seed):
    drawn = random_program(seed)
    with ThreadLane(drawn.program.parties, drawn.program.owners) as lane:
        if drawn.loads.nodes:
            lane.run(drawn.loads, drawn.brought)
        lane.run(drawn.program, drawn.brought, settings=RunSettings(in_flight=1 << 14))
    assert sources
    assert not any(source._early or source._expected._left for source in sources)
