"""What a sort opens: a uniformly random order, and nothing beyond it.

Chi-square tests take fresh randomness from the system; each states its false-alarm rate.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.sort_schedule import schedule
from icm_ray.ops.sorting import ArgSort, Arrange, Shuffle, Sort, SortBy
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.stamped import RunSettings
from icm_ray.ring import sort_kernels
from icm_ray.transport import Transcript
from tests.protocols.playing import NAMES
from tests.protocols.test_sorting import HOW, keys_of
from tests.thread_lane import ThreadLane

ORDERS = list(itertools.permutations(range(4)))
LIMIT_23 = 76.9
"""The chi-square quantile of 23 degrees of freedom at 1 - 10^-7."""
LIMIT_255 = 390.2
"""The same of 255."""
REPEATS, NODES = 2, 240


def chi_square(counts: np.ndarray) -> float:
    expected = counts.sum() / counts.size
    return float(((counts - expected) ** 2).sum() / expected)


def orders_of(op, values, parties):
    """How often each order of four rows came: of the result (a shuffle) or of what was opened (a sort)."""
    names, counts = NAMES[:parties], np.zeros(24)
    builder = Builder(names)
    x = builder.add(Input(names[0], "x", ValueType(shape=(4,), width=20)))
    for node in range(NODES):
        y = builder.add(op, *(x, x) if isinstance(op, SortBy | Arrange) else (x,))
        if isinstance(op, Shuffle):
            builder.add(Reveal(names[0], f"y{node}"), y)
    program = builder.build()

    def observe(operation, what, opened):
        if what in {"order", "places"}:
            counts[ORDERS.index(tuple(opened.tolist()))] += 1

    with ThreadLane(names) as lane:
        for _ in range(REPEATS):
            outcomes = lane.run(program, {names[0]: {"x": values}}, observe={names[0]: observe})
            for found in outcomes[names[0]].results.values():
                counts[ORDERS.index(tuple(found.tolist()))] += 1
    assert counts.sum() == REPEATS * NODES
    return counts


@pytest.mark.parametrize("parties", [2, 3])
def test_a_shuffle_is_uniform(parties):
    """480 shuffles of four rows over 24 orders; a false alarm once in 10^7."""
    assert chi_square(orders_of(Shuffle(), np.arange(4, dtype=np.uint64), parties)) < LIMIT_23


@pytest.mark.parametrize("values", [(1, 2, 3, 4), (4, 3, 2, 1), (5, 5, 5, 5), (1, 1, 2, 2)], ids=str)
@pytest.mark.parametrize("op", [Sort(), ArgSort()], ids=lambda op: type(op).__name__)
@pytest.mark.few(2)
def test_the_opened_order_is_uniform_whatever_the_keys(op, values):
    """480 sorts of four keys; a false alarm once in 10^7 for each of the eight."""
    assert chi_square(orders_of(op, np.array(values, np.uint64), 2)) < LIMIT_23


@pytest.mark.parametrize("values", ORDERS[::5], ids=str)
@pytest.mark.few(1)
def test_the_opened_order_of_distinct_keys_is_uniform(values):
    """Without tags, whatever the order in which distinct keys come; a false alarm once in 10^7 for each of the five."""
    assert chi_square(orders_of(SortBy(distinct=True), np.array(values, np.uint64), 2)) < LIMIT_23


@pytest.mark.parametrize("values", ORDERS[::7], ids=str)
@pytest.mark.few(2)
def test_the_opened_places_are_uniform(values):
    """Whatever the places of four rows; a false alarm once in 10^7 for each of the four."""
    assert chi_square(orders_of(Arrange(), np.array(values, np.uint64), 2)) < LIMIT_23


def run_watched(op, keys, width):
    builder, opened, transcript = Builder(NAMES[:3]), {}, Transcript()
    whole = RunSettings(in_flight=1 << 40)  # whole batches, so that each is opened as one plane
    builder.add(op, builder.add(Input(NAMES[0], "x", ValueType(shape=keys.shape, width=width))))

    def observe(operation, what, value):
        opened[what] = value.copy()

    with ThreadLane(NAMES[:3], transcript=transcript) as lane:
        lane.run(builder.build(), {NAMES[0]: {"x": keys.view(np.uint64)}}, observe={NAMES[0]: observe}, settings=whole)
    return opened, transcript


@pytest.mark.parametrize("how", HOW)
def test_the_order_simulates_every_opened_bit(how):
    """The simulator of the proof: from the order alone it finds which pairs are compared, and all bits."""
    n, width = 3000, 20
    opened, _ = run_watched(Sort(), keys_of(how, n, width), width)
    ranks = np.empty(n, np.int64)
    ranks[opened.pop("order").astype(np.int64)] = np.arange(n)
    planes = [opened[name] for name in sorted(opened, key=lambda name: int(name.split("_")[1]))]

    def checked(left, right, used):
        plane = planes.pop(0)
        bits = np.unpackbits(plane.view(np.uint8), bitorder="little").astype(bool)
        np.testing.assert_array_equal(bits[:used], ranks[left[:used]] > ranks[right[:used]])
        assert bits[used : left.size].all()  # an element against itself: not smaller
        return plane

    pivots = np.empty(0, np.int32)
    for stage in schedule(n):
        first, rest, below = pivots.size, stage.depth, np.zeros(stage.inserted, np.int32)
        for fan, size in zip(stage.fans, stage.batches, strict=False):
            rest -= fan
            left, right = np.empty(size, np.int32), np.empty(size, np.int32)
            sort_kernels.search_pairs(first, below, pivots, fan, rest, left, right)
            sort_kernels.descend(below, checked(left, right, size), fan)
        starts, members = np.zeros(first + 2, np.int32), np.empty(stage.inserted, np.int32)
        sort_kernels.gaps_of(first, below, starts, members)
        left, right = np.zeros(stage.pairs, np.int32), np.zeros(stage.pairs, np.int32)
        assert sort_kernels.gap_pairs(starts, members, left, right)
        sizes = np.diff(starts).astype(np.int64)
        plane = checked(left, right, int((sizes * (sizes - 1) // 2).sum()))
        merged = np.empty(first + stage.inserted, np.int32)
        sort_kernels.merge(starts, members, plane, pivots, merged)
        pivots = merged
    assert not planes
    np.testing.assert_array_equal(ranks[pivots], np.arange(n))


def outline(transcript):
    return [
        (receiver, sender, item.step, item.tag, tuple((part.size, part.dtype.str) for part in item.parts))
        for receiver in (*NAMES[:3], "dealer")
        for sender in (*NAMES[:3], "dealer")
        for item in transcript.of(receiver, sender)
        if item.frame is not None
    ]


def test_transcripts_have_one_shape_and_uniform_bytes():
    """Sizes, order and count of all frames are the same for all keys; every link's bytes are uniform (a false alarm
    once in 10^7 for each of 9 links and 6 inputs). An opened bit's shares are masked, so they are among the uniform.
    """
    shapes = []
    for how in HOW:
        _, transcript = run_watched(ArgSort(), keys_of(how, 2048, 20), 20)
        shapes.append(outline(transcript))
        for receiver in NAMES[:3]:
            for sender in (*NAMES[:3], "dealer"):
                frames = [item for item in transcript.of(receiver, sender) if item.frame is not None]
                raw = [part.reshape(-1).view(np.uint8) for item in frames for part in item.parts]
                if raw:
                    assert chi_square(np.bincount(np.concatenate(raw), minlength=256).astype(float)) < LIMIT_255
    assert all(shape == shapes[0] for shape in shapes)
    assert shapes[0]
