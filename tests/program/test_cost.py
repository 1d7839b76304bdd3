"""Costs of programs: bytes add up, independent operations share their rounds, and the counters agree."""

import numpy as np
import pytest

from icm_ray.ops.compare import AtLeast
from icm_ray.ops.cost import Cost
from icm_ray.ops.linear import Add, AssumeWidth, Input, Reveal, Sum
from icm_ray.ops.products import Epilogue, Relu, SumOfSquares, Truncate
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.stamped import Stamped
from tests.program.sample import every_operation
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol")
KIND = ValueType(shape=(100,), width=40, f=4)


def comparisons(parties, count, chained=False):
    builder = Builder(parties)
    xs = [builder.add(Input(parties[index % len(parties)], f"x{index}", KIND)) for index in range(count)]
    results = [builder.add(AtLeast(7, 41), x) for x in xs]
    if chained:
        results = [builder.add(AtLeast(1, 10), result) for result in results]
    for index, result in enumerate(results):
        builder.add(Reveal(parties[0], f"y{index}"), result)
    return builder.build()


def play(program, parties):
    names = [node.op for node in program.nodes if isinstance(node.op, Input)]
    brought = {name: {} for name in parties}
    for op in names:
        brought[op.owner][op.name] = np.arange(op.type.count, dtype=np.uint64).reshape(op.type.shape)
    with ThreadLane(parties) as lane:
        outcomes = lane.run(program, brought)
        sent = tuple(sum(lane.counters(name, peer) for peer in parties if peer != name) for name in parties)
    handshake = 32 * (len(parties) - 1)
    return outcomes, tuple(total - handshake for total in sent)


@pytest.mark.parametrize("parties", [NAMES[:2], NAMES])
def test_two_comparisons_take_the_rounds_of_one(parties):
    one, two, chain = (Stamped(comparisons(parties, *of)).cost() for of in ((1,), (2,), (2, True)))
    assert two.rounds == one.rounds
    assert all(b >= 2 * a for a, b in zip(one.sent[1:], two.sent[1:], strict=True))
    assert two.dealt == 2 * one.dealt
    assert chain.rounds > two.rounds


@pytest.mark.parametrize("parties", [NAMES[:2], NAMES])
@pytest.mark.parametrize("of", [(1,), (2,), (5,), (3, True)])
def test_the_counters_agree(parties, of):
    program = comparisons(parties, *of)
    outcomes, sent = play(program, parties)
    cost = Stamped(program).cost()
    assert sent == cost.sent
    assert sum(outcomes[name].dealt_bytes for name in parties) == cost.dealt
    for name in parties:
        assert (outcomes[name].rounds, outcomes[name].sent_bytes) == (cost.rounds, cost.sent[parties.index(name)])
        for key, result in outcomes[name].results.items():
            if len(of) == 1:
                assert result.tolist() == (np.arange(100) >= 7).tolist(), key


def test_operations_of_unequal_length_run_beside_one_another():
    """A mixture of depths: rounds are those of the longest chain, values come out right."""
    builder = Builder(NAMES)
    x, y = builder.add(Input("alice", "x", KIND)), builder.add(Input("bob", "y", KIND))
    deep = builder.add(Relu(Epilogue(4, True)), builder.add(Truncate(Epilogue(2)), builder.add(Add(), x, y)))
    squares = builder.add(SumOfSquares(), builder.add(AssumeWidth(20), builder.add(Sum(), y)))
    for name, value in (("deep", deep), ("squares", squares), ("bit", builder.add(AtLeast(50, 41), y))):
        builder.add(Reveal("carol", name), value)
    program = builder.build()
    outcomes, sent = play(program, NAMES)
    assert sent == Stamped(program).cost().sent
    assert outcomes["alice"].rounds == Stamped(program).cost().rounds
    found = outcomes["carol"].results
    assert found["bit"].tolist() == (np.arange(100) >= 50).tolist()
    assert found["squares"].tolist() == [(99 * 50) ** 2]
    assert np.abs(found["deep"].view(np.int64) - np.arange(100) * 2 / 64).max() <= 2


def test_the_whole_is_the_sum_of_its_parts():
    program = every_operation()
    costs, whole = Stamped(program).plan().costs, Stamped(program).cost()
    assert whole.dealt == sum(cost.dealt for cost in costs)
    assert whole.sent == tuple(sum(sizes) for sizes in zip(*(cost.sent for cost in costs), strict=True))
    assert max(cost.rounds for cost in costs) <= whole.rounds <= sum(cost.rounds for cost in costs)


def test_costs_compose():
    a, b = Cost.opening(3, 8, 5), Cost.opening(3, 2, 1, rounds=4)
    assert a == Cost(1, (16, 16, 16), 5)
    assert a.then(b) == Cost(5, (20, 20, 20), 6)
    assert a.beside(b) == Cost(4, (20, 20, 20), 6)
    assert Cost.free(3).then(a) == a
