"""Large operations in blocks of rows: the same results, the declared costs, bounded working sets."""

import numpy as np
import pytest

from icm_ray.ops.compare import CountAtLeast, Maximum
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.groups import GroupSum
from icm_ray.ops.linear import (
    AddPublic,
    AssumeWidth,
    Concatenate,
    Input,
    Load,
    Reshape,
    Reveal,
    Slice,
    Store,
    Sum,
    SumAxis,
)
from icm_ray.ops.products import Epilogue, Product, Relu, SumOfSquares
from icm_ray.ops.sorting import ArgSort, Sort, SortBy
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.stamped import RunSettings, Stamped
from icm_ray.schedule.reads import with_reads
from icm_ray.schedule.steps import working_set
from tests.thread_lane import ThreadLane

PARTIES = ("alice", "bob", "carol")
ROWS = 5000
SMALL = 200_000
"""Bytes in flight that cut ROWS into several blocks."""


def kind(*shape, width=40):
    return ValueType(shape=shape, width=width)


def revealing(build, in_flight, parties=PARTIES[:2]):
    builder = Builder(parties)
    x = builder.add(Input(parties[0], "x", kind(ROWS)))
    builder.add(Reveal(parties[-1], "y"), build(builder, x))
    return Stamped(builder.build(), RunSettings(in_flight))


def played(stamped, values):
    parties = stamped.program.parties
    with ThreadLane(parties) as lane:
        outcomes = lane.run(stamped.program, {parties[0]: {"x": values.view(np.uint64)}}, settings=stamped.settings)
        sent = tuple(sum(lane.counters(name, peer) for peer in parties if peer != name) for name in parties)
    cost, handshake = stamped.cost(), 32 * (len(parties) - 1)
    assert tuple(total - handshake for total in sent) == cost.sent
    assert sum(outcomes[name].dealt_bytes for name in parties) == cost.dealt
    assert all(outcomes[name].rounds == cost.rounds for name in parties)
    return outcomes[parties[-1]].results["y"].view(np.int64)


def relu_of_relu(builder, x):
    above = builder.add(Relu(Epilogue(relu=True, width=40)), x)
    return builder.add(Relu(Epilogue(relu=True, width=42)), builder.add(AddPublic(-1000), above))


def sorted_by(builder, x):
    return builder.add(SortBy(), x, builder.add(Reshape((ROWS, 1)), x))


CASES = {
    "relu": (
        relu_of_relu, lambda x: np.maximum(np.maximum(x, 0) - 1000, 0),
    ),
    "count": (
        lambda b, x: b.add(CountAtLeast((-7, 0, 12345), 41), x),
        lambda x: np.array([(x >= t).sum() for t in (-7, 0, 12345)]),
    ),
    "sum": (
        lambda b, x: b.add(Sum(), b.add(Relu(Epilogue(relu=True, width=40)), x)),
        lambda x: [np.maximum(x, 0).sum()],
    ),
    "product": (lambda b, x: b.add(Product(Elementwise()), *[b.add(AssumeWidth(20), x)] * 2), lambda x: x * x),
    "whole after blocks": (
        lambda b, x: b.add(SumAxis(), b.add(Reshape((10, ROWS // 10)), b.add(Relu(Epilogue(relu=True, width=40)), x))),
        lambda x: np.maximum(x, 0).reshape(10, -1).sum(axis=1, keepdims=True),
    ),
    "maximum": (lambda b, x: b.add(Maximum(41), x), lambda x: [x.max()]),
    "maximum of an odd row": (
        lambda b, x: b.add(Maximum(41), b.add(Slice(((0, ROWS - 1, 1),)), x)), lambda x: [x[:-1].max()],
    ),
    "rows and their maxima": (
        lambda b, x: b.add(Maximum(41), b.add(Reshape((ROWS // 5, 5)), x)), lambda x: x.reshape(-1, 5).max(axis=1),
    ),
    "sort": (lambda b, x: b.add(Sort(), x), np.sort),
    "argsort": (lambda b, x: b.add(ArgSort(), x), lambda x: np.argsort(x, kind="stable")),
    "sort by": (sorted_by, lambda x: np.sort(x)[:, None]),
}  # fmt: skip


@pytest.mark.parametrize("parties", [2, 3])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.few(10)
def test_results_and_costs_of_blocks(name, parties):
    build, plain = CASES[name]
    x = np.random.default_rng(1).integers(-(2**17), 2**17, ROWS)
    blocks = revealing(build, SMALL, PARTIES[:parties])
    whole = revealing(build, 1 << 40, PARTIES[:parties])
    cut, uncut = (len(one.plan().steps) for one in (blocks, whole))
    assert cut > uncut or blocks.cost().rounds > whole.cost().rounds, "the case is to be cut"
    assert uncut == len(whole.program.nodes)
    np.testing.assert_array_equal(played(blocks, x), plain(x))


def test_squares_and_groups_of_blocks():
    builder = Builder(PARTIES[:2])
    x = builder.add(Input("alice", "x", kind(ROWS, width=12)))
    key = builder.add(Input("bob", "key", kind(ROWS, width=4)))
    builder.add(Reveal("bob", "squares"), builder.add(SumOfSquares(), x))
    builder.add(Reveal("bob", "groups"), builder.add(GroupSum(3, counts=True), key, x))
    program, settings = builder.build(), RunSettings(SMALL)
    assert len(Stamped(program, settings).plan().steps) > len(program.nodes)
    rng = np.random.default_rng(2)
    x, key = rng.integers(-2000, 2000, ROWS), rng.integers(0, 8, ROWS)
    with ThreadLane(PARTIES[:2]) as lane:
        brought = {"alice": {"x": x.view(np.uint64)}, "bob": {"key": key.astype(np.uint64)}}
        found = lane.run(program, brought, settings=settings)
    results = found["bob"].results
    assert results["squares"].view(np.int64).tolist() == [(x * x).sum()]
    hot = key[None, :] == np.arange(8)[:, None]
    assert results["groups"].view(np.int64).tolist() == [(hot * x).sum(axis=1).tolist(), hot.sum(axis=1).tolist()]


def test_blocks_pass_through_all_that_follows_before_the_next_begins():
    plan = revealing(relu_of_relu, SMALL).plan()
    relus = [step for step in plan.steps if isinstance(step.op, Relu)]
    assert [step.op.epilogue.width for step in relus[:4]] == [40, 42, 40, 42]
    assert sum(isinstance(step.op, Concatenate) for step in plan.steps) == 1, "put together once, for the reveal"


@pytest.mark.parametrize("in_flight", [SMALL, 4 * SMALL, 1 << 40])
def test_working_sets_stay_below_what_is_allowed(in_flight):
    plan = revealing(relu_of_relu, in_flight).plan()
    held = [0] * (plan.rounds + 1)
    for step, cost, start in zip(plan.steps, plan.costs, plan.starts, strict=True):
        for at in range(start, start + cost.rounds):
            held[at] += working_set(step.op, cost, step.type)
    assert 0 < max(held) <= max(in_flight, 512 * 150)


def test_small_programs_are_left_alone():
    small = revealing(relu_of_relu, 0)
    whole = with_reads(small.program.nodes, small.program.types())
    assert [step.op for step in small.plan().steps] == [node.op for node in whole]


def test_by_default_a_worker_holds_at_most_four_times_inputs_and_outputs():
    builder = Builder(PARTIES[:2])
    x = builder.add(Load("x", kind(1_000_000)))
    builder.add(Store("y"), builder.add(Relu(Epilogue(relu=True, width=40)), x))
    plan = Stamped(builder.build()).plan()
    assert plan.shares == 16_000_000
    blocks = [step for step in plan.steps if isinstance(step.op, Relu)]
    assert len(blocks) > 1
    assert {plan.corrected[plan.steps.index(step)] for step in blocks} == {"alice", "bob"}, "corrections take turns"


def test_deep_programs_are_given_room_for_whole_operations():
    """Fifteen products in a row run in blocks, sixteen in as many rounds as there are."""

    def rounds(deep):
        builder = Builder(("a", "b"))
        x = y = builder.add(Input("a", "x", ValueType(shape=(1 << 17,), width=3)))
        for _ in range(deep):
            y = builder.add(AssumeWidth(3), builder.add(Product(Elementwise()), x, y))
        builder.add(Reveal("a", "y"), y)
        return Stamped(builder.build()).plan().rounds

    few, many = rounds(15), rounds(16)
    assert rounds(1) > 2, "in blocks"
    assert few == 15 * (rounds(1) - 1) + 1
    assert many == 16 + 1
