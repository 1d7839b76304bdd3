"""Owners that are no party, revealing to anyone, keeping, guards, wide products."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.errors import BoundError, BoundExceeded, ProgramError, ShapeError
from icm_ray.names import DRIVER
from icm_ray.ops.compare import AtLeast, CheckFlag, CountAtLeast
from icm_ray.ops.groups import GroupCount, GroupSum, GroupTable
from icm_ray.ops.linear import Add, Input, Load, Reveal, Scale, Store, Subtract, Sum
from icm_ray.ops.products import Epilogue, Relu
from icm_ray.ops.values import Kind, ValueType
from icm_ray.ops.wide import WideProduct
from icm_ray.program.build import Builder
from icm_ray.ring.share import join
from icm_ray.ring.wide import from_integers, to_signed
from tests.protocols.playing import hold
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol", "dora", "emil")
KIND = ValueType(shape=(5,), width=40)


def words(*values):
    return np.array(values, np.int64).view(np.uint64)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_outside_owners_bring_and_receive(n):
    """Six inputs of two outside owners and one party, several to the same taker in one round; results to all sides."""
    parties = NAMES[:n]
    builder = Builder(parties, owners=("olga", "otto"))
    owners = ("olga", "otto", "alice", "olga", "olga", "otto")
    given_by = {name: {} for name in set(owners)}
    total = np.zeros(5, np.int64)
    rng = np.random.default_rng(n)
    parts = []
    for index, owner in enumerate(owners):
        value = rng.integers(-(2**39) + 1, 2**39, 5)
        given_by[owner][f"x{index}"] = value.view(np.uint64)
        parts.append(builder.add(Input(owner, f"x{index}", KIND)))
        total += value
    sums = parts[0]
    for part in parts[1:]:
        sums = builder.add(Add(), sums, part)
    cut = builder.add(Relu(Epilogue(relu=True)), sums)
    for to in ("olga", "otto", parties[-1]):
        builder.add(Reveal(to, "sum"), sums)
        builder.add(Reveal(to, "cut"), cut)
    builder.add(Reveal("olga", "first"), parts[0])
    with ThreadLane(parties, owners=("olga", "otto")) as lane:
        for _ in range(2):
            outcomes = lane.run(builder.build(), given_by)
            for to in ("olga", "otto", parties[-1]):
                np.testing.assert_array_equal(outcomes[to].results["sum"].view(np.int64), total)
                np.testing.assert_array_equal(outcomes[to].results["cut"].view(np.int64), np.maximum(total, 0))
            np.testing.assert_array_equal(outcomes["olga"].results["first"], given_by["olga"]["x0"])
            assert "first" not in outcomes["otto"].results
            assert not (outcomes["bob"].results if n > 2 else {}), "bob was not to receive"


@pytest.mark.parametrize("n", [2, 3])
def test_the_driver_puts_shares_together(n):
    builder = Builder(NAMES[:n])
    builder.add(Reveal(DRIVER, "y"), builder.add(Input("alice", "x", KIND)))
    value = words(1, -2, 3, -(2**39), 2**39 - 1)
    with ThreadLane(NAMES[:n]) as lane:
        outcomes = lane.run(builder.build(), {"alice": {"x": value}})
    parts = [outcomes[name].results["y"] for name in NAMES[:n]]
    np.testing.assert_array_equal(join(parts), value)
    assert all(not (part == value).any() for part in parts)


@pytest.mark.parametrize("owner", ["alice", "olga"])
@pytest.mark.parametrize("value", [2**39, -(2**39) - 1, 2**62])
def test_an_input_beyond_its_width_is_refused_by_its_owner(owner, value):
    builder = Builder(NAMES[:2], owners=("olga",))
    builder.add(Input(owner, "x", KIND))
    with (
        ThreadLane(NAMES[:2], owners=("olga",), timeout=10) as lane,
        pytest.raises(BoundError, match="declared width of 40") as caught,
    ):
        lane.run(builder.build(), {owner: {"x": words(0, 0, value, 0, 0)}})
    assert str(value) not in str(caught.value)


@pytest.mark.parametrize("owner", ["alice", "olga"])
def test_inputs_that_do_not_fit_are_refused(owner):
    builder = Builder(NAMES[:2], owners=("olga",))
    builder.add(Input(owner, "x", KIND))
    for given_by, error in (
        ({"x": words(1, 2)}, ShapeError),
        ({"x": np.zeros(5, np.int64)}, ShapeError),
        ({}, ProgramError),
    ):
        with ThreadLane(NAMES[:2], owners=("olga",), timeout=10) as lane, pytest.raises(error):
            lane.run(builder.build(), {owner: given_by})


def test_inputs_may_lie_in_memory_as_they_like():
    kind = ValueType(shape=(3, 4), width=40)
    value = np.asfortranarray(np.arange(12, dtype=np.uint64).reshape(3, 4))
    builder = Builder(NAMES[:2])
    builder.add(Reveal("bob", "y"), builder.add(Relu(Epilogue(relu=True)), builder.add(Input("alice", "x", kind))))
    with ThreadLane(NAMES[:2]) as lane:
        np.testing.assert_array_equal(lane.run(builder.build(), {"alice": {"x": value}})["bob"].results["y"], value)
        strided = np.arange(24, dtype=np.uint64).reshape(3, 8)[:, ::2]
        np.testing.assert_array_equal(lane.run(builder.build(), {"alice": {"x": strided}})["bob"].results["y"], strided)


def test_what_is_kept_comes_back():
    store, load = Builder(NAMES[:3]), Builder(NAMES[:3])
    store.add(Store("k"), store.add(Input("carol", "x", KIND)))
    load.add(Reveal("bob", "y"), load.add(Load("k", KIND)))
    value = words(1, -2, 3, -4, 5)
    with ThreadLane(NAMES[:3], timeout=10) as lane:
        lane.run(store.build(), {"carol": {"x": value}})
        for _ in range(2):
            np.testing.assert_array_equal(lane.run(load.build())["bob"].results["y"], value)
        missing = Builder(NAMES[:3])
        missing.add(Load("other", KIND))
        with pytest.raises(ProgramError, match="keeps nothing under other"):
            lane.run(missing.build())


def guarded():
    builder = Builder(NAMES[:3])
    x = builder.add(Input("alice", "x", KIND))
    count = builder.add(CountAtLeast((1000,), 41), x)
    flag = builder.add(AtLeast(1, count.type.width + 1), count)
    builder.add(Reveal("bob", "y"), builder.add(CheckFlag("layer 3"), x, flag))
    return builder.build()


def test_a_guard_lets_through_what_is_within_the_bound():
    value = words(1, 999, -5, 0, 7)
    with ThreadLane(NAMES[:3]) as lane:
        np.testing.assert_array_equal(lane.run(guarded(), {"alice": {"x": value}})["bob"].results["y"], value)


@pytest.mark.parametrize("value", [words(1, 1000, -5, 0, 7), words(1000, 2000, 3000, 4000, 5000)])
def test_a_guard_withholds_what_is_beyond(value):
    with ThreadLane(NAMES[:3], timeout=10) as lane, pytest.raises(BoundExceeded, match="layer 3"):
        lane.run(guarded(), {"alice": {"x": value}})


def test_a_guard_opens_no_count():
    builder = Builder(NAMES[:2])
    x = builder.add(Input("alice", "x", KIND))
    with pytest.raises(ProgramError, match="opened as a count"):
        builder.add(CheckFlag("x"), x, builder.add(CountAtLeast((1000,), 41), x))


def wide_numbers(limbs):
    """Two lists of three numbers whose products fit the ring, with its number of limbs."""
    top = 2 ** (32 * limbs - 8)
    numbers = st.lists(st.integers(-top, top) | st.sampled_from([-top, top]), min_size=3, max_size=3)
    return st.tuples(st.just(limbs), numbers, numbers)


@given(st.sampled_from([2, 4, 67]).flatmap(wide_numbers), st.integers(2, 5))
@settings(max_examples=15)
def test_wide_arithmetic(drawn, n):
    """x y, x + y, x - 3 y and the sum in Z_2^(64 limbs)."""
    limbs, x, y = drawn
    kind = ValueType(kind=Kind.WIDE, shape=(3,), width=32 * limbs - 6, limbs=limbs)
    builder = Builder(NAMES[:n])
    a, b = (builder.add(Input(NAMES[index], name, kind)) for index, name in enumerate("xy"))
    results = {
        "product": builder.add(WideProduct(), a, b),
        "sum": builder.add(Add(), a, b),
        "difference": builder.add(Subtract(), a, builder.add(Scale(3), b)),
        "total": builder.add(Sum(), a),
    }
    for name, value in results.items():
        builder.add(Reveal("bob", name), value)
    with ThreadLane(NAMES[:n]) as lane:
        brought = {"alice": {"x": from_integers(x, limbs)}, "bob": {"y": from_integers(y, limbs)}}
        found = lane.run(builder.build(), brought)["bob"].results
    got = {name: to_signed(words) for name, words in found.items()}
    assert got["product"] == [p * q for p, q in zip(x, y, strict=True)]
    assert got["sum"] == [p + q for p, q in zip(x, y, strict=True)]
    assert got["difference"] == [p - 3 * q for p, q in zip(x, y, strict=True)]
    assert got["total"] == [sum(x)]


@pytest.mark.parametrize("value", [2**99, -(2**99) - 1, 2**120])
def test_a_wide_input_beyond_its_width_is_refused(value):
    kind = ValueType(kind=Kind.WIDE, shape=(2,), width=100, limbs=4)
    builder = Builder(NAMES[:2])
    builder.add(Reveal("bob", "y"), builder.add(Input("alice", "x", kind)))
    with ThreadLane(NAMES[:2], timeout=10) as lane, pytest.raises(BoundError, match="declared width"):
        lane.run(builder.build(), {"alice": {"x": from_integers([0, value], 4)}})


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("op", [GroupCount(3), GroupSum(3), GroupSum(3, counts=True), GroupTable(9, True)], ids=str)
def test_sums_over_domains_of_no_rows_are_zero(op, n):
    inputs = 1 if isinstance(op, GroupCount) else 2
    assert not hold(op, [ValueType(shape=(0,), width=5)] * inputs, [[]] * inputs, n).any()
