"""Sort, ArgSort, SortBy and Shuffle: bit exact, on schedule, and on the declared bytes."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from icm_ray.errors import BoundError, PoolExhausted, ProgramError, ShapeError
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.sort_schedule import Stage, gap_pairs_bound, schedule
from icm_ray.ops.sorting import ArgSort, Arrange, Shuffle, Sort, SortBy, tag_bits
from icm_ray.ops.values import Kind, ValueType
from icm_ray.program.build import Builder
from icm_ray.program.program import decode_program, encode_program
from icm_ray.program.run_header import Begin
from icm_ray.program.stamped import Stamped
from icm_ray.protocols import sorting
from tests.protocols.playing import NAMES, hold, run_one
from tests.thread_lane import ThreadLane

WIDTH = 40


def keys_of(how: str, n: int, width: int = WIDTH) -> np.ndarray:
    rng, top = np.random.default_rng(n), 2 ** (width - 1)
    if how == "uniform":
        return rng.integers(-top, top, n)
    if how == "few":
        return rng.integers(-2, 3, n)
    if how == "equal":
        return np.full(n, -7)
    if how == "sorted":
        return np.arange(n) - n // 2
    if how == "reversed":
        return n // 2 - np.arange(n)
    return rng.choice(np.array([-top, -top + 1, -1, 0, 1, top - 2, top - 1]), n)


HOW = ("uniform", "few", "equal", "sorted", "reversed", "extremes")


@pytest.mark.parametrize("n", [1, 2, 3, 64, 1000])
@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.few(8)
def test_every_operation_is_numpys(parties, n):
    """hold compares with the references, which are numpy.sort and a stable numpy.argsort."""
    kind, table = ValueType(shape=(n,), width=WIDTH), ValueType(shape=(n, 3), width=64)
    rows = np.random.default_rng(1).integers(-(2**63), 2**63, (n, 3))
    for how in HOW if parties == 2 else ("few", "extremes"):
        keys = keys_of(how, n)
        np.testing.assert_array_equal(hold(Sort(), (kind,), (keys,), parties), np.sort(keys))
        by_key = np.argsort(keys, kind="stable")
        np.testing.assert_array_equal(hold(ArgSort(), (kind,), (keys,), parties), by_key)
        np.testing.assert_array_equal(hold(SortBy(), (kind, table), (keys, rows), parties), rows[by_key])
    places = np.random.default_rng(3).permutation(n)
    found = hold(Arrange(), (kind, table), (places, rows), parties)
    np.testing.assert_array_equal(found, rows[np.argsort(places)])
    keys = np.random.default_rng(2).permutation(n) - n // 2
    found = hold(SortBy(distinct=True), (kind, table), (keys, rows), parties)
    np.testing.assert_array_equal(found, rows[np.argsort(keys)])


@pytest.mark.parametrize("width", [1, 2, 8, 20, 31, 50, 53])
def test_widths_to_the_widest_that_fit(width):
    n = 1000
    keys = np.clip(keys_of("extremes", n, width), -(2 ** (width - 1)), 2 ** (width - 1) - 1)
    hold(Sort(), (ValueType(shape=(n,), width=width),), (keys,))
    hold(ArgSort(), (ValueType(shape=(n,), width=width),), (keys,))


@pytest.mark.parametrize("n", [5000, 40_000])
def test_sizes_with_several_stages(n):
    assert len(schedule(n)) > 2
    hold(ArgSort(), (ValueType(shape=(n,), width=20),), (keys_of("few", n, 20),), 3)


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize("shape", [(1,), (2,), (100,), (33, 4), (10, 2, 3)])
def test_a_shuffle_keeps_rows_whole(shape, parties):
    kind = ValueType(shape=shape, width=64)
    values = np.random.default_rng(0).permutation(math.prod(shape)).reshape(shape).astype(np.int64) - 50
    found, _ = run_one(Shuffle(), (kind,), (values,), parties)
    shuffled = found.view(np.int64).reshape(shape[0], -1)
    order = np.argsort(np.argsort(shuffled[:, 0]))  # rows are distinct in their first column
    given = values.reshape(shape[0], -1)
    np.testing.assert_array_equal(shuffled, given[np.argsort(given[:, 0])][order])
    if shape[0] >= 33:  # the identity: once in 33!
        assert not np.array_equal(shuffled, given)


@pytest.mark.parametrize("parties", [2, 3, 5])
@pytest.mark.parametrize("op", [Shuffle(), Sort(), ArgSort(), SortBy(), SortBy(distinct=True), Arrange()], ids=str)
@pytest.mark.parametrize("n", [3, 700])
@pytest.mark.few(12)
def test_counters_are_the_declared_cost(op, parties, n):
    names = NAMES[:parties]
    builder = Builder(names)
    x = builder.add(Input(names[0], "x", ValueType(shape=(n,), width=30)))
    rows = builder.add(Input(names[1], "rows", ValueType(shape=(n, 2))))
    y = builder.add(op, *((x, rows) if isinstance(op, SortBy | Arrange) else (x,)))
    builder.add(Reveal(names[0], "y"), y)
    program = decode_program(encode_program(builder.build()))
    given = {names[0]: {"x": np.arange(n, dtype=np.uint64)}, names[1]: {"rows": np.zeros((n, 2), np.uint64)}}
    with ThreadLane(names) as lane:
        before = sum(lane.counters("dealer", name) for name in names)
        outcomes = lane.run(program, given)
        dealt = sum(lane.counters("dealer", name) for name in names) - before
    cost = Stamped(program).cost()
    assert tuple(outcomes[name].sent_bytes for name in names) == cost.sent
    assert sum(outcome.dealt_bytes for outcome in outcomes.values()) == cost.dealt
    begin = msgspec.msgpack.encode(Begin(1, Stamped(program).digest, 0, 1))
    assert dealt - cost.dealt == len(begin) * parties, "the dealer sent something else"
    assert {outcome.rounds for outcome in outcomes.values()} == {cost.rounds}


def test_the_bound_of_pairs_holds_exactly():
    """The exact law of small cases: all compositions of the rest into gaps, by their number of pairs."""
    for count, pivots in ((40, 7), (60, 15), (70, 31)):
        rest, bound = count - pivots, gap_pairs_bound(count, pivots)
        ways = np.zeros((rest + 1, rest * (rest - 1) // 2 + 1))
        ways[0, 0] = 1
        for _ in range(pivots + 1):
            more = np.zeros_like(ways)
            for size in range(rest + 1):
                pairs = size * (size - 1) // 2
                more[size:, pairs:] += ways[: rest + 1 - size, : ways.shape[1] - pairs]
            ways = more
        total = math.comb(count, pivots)
        assert ways[rest].sum() == pytest.approx(total, rel=1e-9)
        assert ways[rest, bound + 1 :].sum() / total < 2.0**-45


@pytest.mark.parametrize("n", [1, 2, 100, 1000, 10_000, 100_000, 1_000_000])
def test_schedules_insert_everything_and_stay_near_the_least(n):
    stages = schedule(n)
    done = 0
    for stage in stages:
        assert done == (1 << stage.depth) - 1
        assert sum(stage.fans) == stage.depth
        done += stage.inserted
    assert done == n
    comparisons = sum(count for stage in stages for count in stage.batches)
    assert comparisons <= 1.25 * n * math.log2(n) + 250_000  # few elements: more comparisons, fewer rounds
    assert len(stages) * 2.0**-45 < 2.0**-40


def test_room_for_pairs_is_little_more_than_their_mean():
    for count, pivots in ((100_000, 16_383), (100_000, 32_767), (8191, 2047)):
        mean = (count - pivots) * (count - pivots - 1) / (pivots + 2)
        assert mean < gap_pairs_bound(count, pivots) < 1.2 * mean + 16 * (count / pivots) ** 2 * 1000


def test_an_empty_pool_is_a_typed_error(monkeypatch):
    tight = (Stage(0, 3, (), 3), Stage(2, 60, (1, 1), 30))  # a mean of 708 pairs
    monkeypatch.setattr(sorting, "schedule", lambda count: tight)
    with pytest.raises(PoolExhausted, match="63 elements needs more than 30") as raised:
        run_one(Sort(), (ValueType(shape=(63,), width=20),), (np.arange(63),))
    assert raised.value.step == "sort"


@pytest.mark.parametrize("op", [Sort(), ArgSort()])
def test_keys_that_do_not_fit_are_refused(op):
    assert tag_bits(1000) == 10
    with pytest.raises(BoundError, match="at most 53 bits"):
        op.infer(ValueType(shape=(1000,), width=54))
    with pytest.raises(ShapeError):
        op.infer(ValueType(shape=(10, 2), width=10))
    with pytest.raises(ShapeError):
        op.infer(ValueType(shape=(0,), width=10))
    with pytest.raises(ProgramError):
        op.infer(ValueType(kind=Kind.WIDE, shape=(10,), width=10))


def test_rows_and_keys_are_as_many():
    with pytest.raises(ShapeError, match="10 keys"):
        SortBy().infer(ValueType(shape=(10,), width=10), ValueType(shape=(9, 2), width=10))


def test_places_that_are_none_are_refused():
    kind, table = ValueType(shape=(3,), width=8), ValueType(shape=(3, 2))
    with pytest.raises(ProgramError, match="places from 0 to 2"):
        run_one(Arrange(), (kind, table), (np.array([0, 1, 3]), np.zeros((3, 2))))
    with pytest.raises(ShapeError, match="2 places"):
        Arrange().infer(ValueType(shape=(2,)), table)
    with pytest.raises(ShapeError, match="whole numbers"):
        Arrange().infer(ValueType(shape=(3,), f=1), table)
