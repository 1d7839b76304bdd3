"""Products with a weight that one party keeps: loaded once, used in several batches, held to the reference."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.errors import OwnerError, ProgramError, ShapeError
from icm_ray.ops.forms import Convolution, Elementwise, Matrix
from icm_ray.ops.linear import Input, Load, Reveal, Store
from icm_ray.ops.products import Epilogue, LoadWeight, OwnedProduct
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.stamped import Stamped
from icm_ray.protocols.table import TABLE
from icm_ray.transport import Transcript
from tests.thread_lane import ThreadLane

NAMES = ("alice", "bob", "carol", "dora", "emil")
CONV = Convolution((3, 2), (2, 1), (1, 1, 0, 1), groups=2)
F = 8

FORMS = {  # form, shape of x, shape of the weight, axis of the bias
    "matrix": (Matrix(transposed=True), (4, 6), (5, 6), 1),
    "matrix_plain": (Matrix(), (4, 6), (6, 3), 1),
    "convolution": (CONV, (2, 4, 5, 5), (6, 2, 3, 2), 1),
    "elementwise": (Elementwise(), (3, 7), (7,), 1),
}
FINISHES = {
    "none": None,
    "truncate": Epilogue(shift=F),
    "relu": Epilogue(shift=F, relu=True),
    "relu_32": Epilogue(F, True, 32),
}


def weights(rng, shape, gain):
    """Fixed-point weights whose magnitudes behind one output add up to 2^gain at most."""
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 1
    if len(shape) == 2:
        fan_in = max(shape)
    top = int(2.0 ** (gain + F) / fan_in)
    words = rng.integers(-top, top + 1, shape)
    words.reshape(-1)[:2] = [top, -top]
    return words


def load_program(names, owner, shape, bias, width=40, f=F):
    builder = Builder(names)
    kind = ValueType(shape=shape, width=width, f=f)
    builder.add(LoadWeight(owner, "weight", "m/1", kind, "bias" if bias is not None else None, bias or 0))
    return builder.build()


def product_program(names, owner, op, kind, x_owner):
    builder = Builder(names)
    x = [builder.add(Input(x_owner, "x", kind))]
    if op.added:
        raw = msgspec.structs.replace(op, epilogue=None, added=False).infer(kind)
        x.append(builder.add(Input(x_owner, "more", ValueType(shape=raw.shape, f=raw.f, width=24))))
    builder.add(Reveal(x_owner, "y"), builder.add(op, *x))
    return builder.build()


@pytest.mark.parametrize("epilogue", FINISHES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("n", "owner", "x_owner"), [(2, 0, 1), (2, 1, 1), (3, 2, 0), (5, 1, 4)])
@pytest.mark.few(20)
def test_a_weight_serves_several_batches(form, epilogue, n, owner, x_owner):
    shape_of, x_shape, w_shape, axis = FORMS[form]
    names, rng, gain = NAMES[:n], np.random.default_rng(n), 2
    kind = ValueType(shape=x_shape, width=19, f=F)
    weight = ValueType(shape=w_shape, width=40, f=F)
    op = OwnedProduct(names[owner], "m/1", shape_of, weight, gain, 3, axis, FINISHES[epilogue])
    out_shape = shape_of.shape(x_shape, w_shape)
    plain = weights(rng, w_shape, gain).astype(np.int64).view(np.uint64)
    bias = rng.integers(-(2 ** (2 * F + 3)), 2 ** (2 * F + 3), out_shape[axis]).view(np.uint64)
    out, protocol = op.infer(kind), TABLE[OwnedProduct]
    program = product_program(names, names[owner], op, kind, names[x_owner])
    with ThreadLane(names) as lane:
        lane.run(load_program(names, names[owner], w_shape, bias.size), {names[owner]: {"weight": plain, "bias": bias}})
        for batch in range(3):
            x = rng.integers(-(2**18) + 1, 2**18, x_shape)
            if batch == 1:
                x[...] = 2**18 - 1
            coins = {}
            sent = {name: sum(lane.counters(name, peer) for peer in names if peer != name) for name in names}
            outcomes = lane.run(
                program,
                {names[x_owner]: {"x": x.view(np.uint64)}},
                observe={names[0]: lambda _, what, opened, coins=coins: coins.update({what: opened.astype(np.uint64)})},
            )
            seen = outcomes[names[x_owner]].results["y"]
            expected = protocol.reference(op, [kind], [x.view(np.uint64), plain, bias], coins, out)
            np.testing.assert_array_equal(seen, expected)
            assert (np.abs(seen.view(np.int64)) < 2.0 ** (out.width - 1)).all()
            cost = Stamped(program).cost()
            now = {name: sum(lane.counters(name, peer) for peer in names if peer != name) for name in names}
            assert tuple(now[name] - sent[name] for name in names) == cost.sent
            assert all(outcomes[name].rounds == cost.rounds for name in names)


@pytest.mark.parametrize("epilogue", FINISHES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("n", "owner", "x_owner"), [(2, 0, 1), (3, 2, 0)])
@pytest.mark.few(12)
def test_a_value_is_added_before_the_opening(form, epilogue, n, owner, x_owner):
    shape_of, x_shape, w_shape, axis = FORMS[form]
    names, rng = NAMES[:n], np.random.default_rng(n)
    kind, weight = ValueType(shape=x_shape, width=19, f=F), ValueType(shape=w_shape, width=40, f=F)
    op = OwnedProduct(names[owner], "m/1", shape_of, weight, 1, 1, axis, FINISHES[epilogue], added=True)
    program = product_program(names, names[owner], op, kind, names[x_owner])
    more = program.types()[1]
    plain = weights(rng, w_shape, 1).astype(np.int64).view(np.uint64)
    bias = rng.integers(-(2 ** (2 * F + 1)), 2 ** (2 * F + 1), more.shape[axis]).view(np.uint64)
    given = {"x": rng.integers(-(2**18) + 1, 2**18, x_shape), "more": rng.integers(-(2**23) + 1, 2**23, more.shape)}
    given = {name: words.view(np.uint64) for name, words in given.items()}
    coins = {}
    with ThreadLane(names) as lane:
        lane.run(load_program(names, names[owner], w_shape, bias.size), {names[owner]: {"weight": plain, "bias": bias}})
        outcomes = lane.run(
            program,
            {names[x_owner]: given},
            observe={names[0]: lambda _, what, opened: coins.update({what: opened.astype(np.uint64)})},
        )
    seen = outcomes[names[x_owner]].results["y"]
    raw = [given["x"], given["more"], plain, bias]
    np.testing.assert_array_equal(
        seen, TABLE[OwnedProduct].reference(op, [kind, more], raw, coins, op.infer(kind, more))
    )
    with pytest.raises(ProgramError, match="is added to a product"):
        op.infer(kind, msgspec.structs.replace(more, f=more.f + 1))
    with pytest.raises(ProgramError, match="one more"):
        op.infer(kind)


@given(st.integers(0, 4), st.integers(1, 40), st.integers(2, 3), st.integers(0, 2**32))
@settings(max_examples=15)
def test_any_gain_and_width(gain, width, n, seed):
    """The width that the type declares holds at the edge: the largest weights against the largest values."""
    rng, names = np.random.default_rng(seed), NAMES[:n]
    kind = ValueType(shape=(2, 3), width=width, f=0)
    weight = ValueType(shape=(4, 3), width=40, f=F)
    op = OwnedProduct("alice", "m/1", Matrix(transposed=True), weight, gain, epilogue=None)
    plain = weights(rng, (4, 3), gain).astype(np.int64)
    plain[0] = int(2.0 ** (gain + F) / 3)
    x = np.sign(rng.integers(0, 2, (2, 3)) * 2 - 1) * (2 ** (width - 1) - 1)
    x[0] = 2 ** (width - 1) - 1
    with ThreadLane(names) as lane:
        lane.run(load_program(names, "alice", (4, 3), None), {"alice": {"weight": plain.view(np.uint64)}})
        found = lane.run(product_program(names, "alice", op, kind, "bob"), {"bob": {"x": x.view(np.uint64)}})
    y = found["bob"].results["y"].view(np.int64)
    np.testing.assert_array_equal(y, x @ plain.T)
    assert int(np.abs(y).max()) < 2 ** (op.infer(kind).width - 1)


def test_only_the_owner_hears_of_the_values():
    """In the round of the product the others hear nothing of x: traffic goes one way, X_p - A_p to the owner."""
    names, transcript = NAMES[:3], Transcript()
    kind, weight = ValueType(shape=(4, 6), width=20), ValueType(shape=(5, 6), width=20)
    op = OwnedProduct("bob", "m/1", Matrix(transposed=True), weight, 2)
    program = product_program(names, "bob", op, kind, "carol")
    with ThreadLane(names, transcript=transcript) as lane:
        lane.run(load_program(names, "bob", (5, 6), None, 20, 0), {"bob": {"weight": np.ones((5, 6), np.uint64)}})
        loaded = {name: len(transcript.of(name)) for name in names}
        lane.run(program, {"carol": {"x": np.ones((4, 6), np.uint64)}})
        heard = {name: transcript.of(name)[loaded[name] :] for name in names}
    first = {
        name: [item for item in items if item.frame is not None and item.sender != "dealer" and item.step == 0]
        for name, items in heard.items()
    }
    assert not first["alice"]
    assert not first["carol"]
    assert sorted(item.sender for item in first["bob"]) == ["alice", "carol"]


def lane_with_weight():
    lane = ThreadLane(NAMES[:2], timeout=10)
    lane.run(load_program(NAMES[:2], "alice", (5, 6), None), {"alice": {"weight": np.ones((5, 6), np.uint64)}})
    return lane


def test_a_weight_is_loaded_once():
    with lane_with_weight() as lane, pytest.raises(ProgramError, match="m/1 was loaded before"):
        lane.run(load_program(NAMES[:2], "alice", (5, 6), None), {"alice": {"weight": np.ones((5, 6), np.uint64)}})


def test_a_weight_that_was_not_loaded():
    op = OwnedProduct("alice", "m/2", Matrix(True), ValueType(shape=(5, 6), width=20), 2)
    program = product_program(NAMES[:2], "alice", op, ValueType(shape=(4, 6), width=20), "bob")
    with lane_with_weight() as lane, pytest.raises(ProgramError, match="m/2 was not loaded"):
        lane.run(program, {"bob": {"x": np.ones((4, 6), np.uint64)}})


def test_a_weight_of_another_shape():
    op = OwnedProduct("alice", "m/1", Matrix(True), ValueType(shape=(1, 6), width=20), 2)
    program = product_program(NAMES[:2], "alice", op, ValueType(shape=(4, 6), width=20), "bob")
    with lane_with_weight() as lane, pytest.raises(ProgramError, match=r"keeps a weight of alice .*shape \(5, 6\)"):
        lane.run(program, {"bob": {"x": np.ones((4, 6), np.uint64)}})


def test_the_owner_s_weight_of_another_shape():
    program = load_program(NAMES[:2], "alice", (5, 6), None)
    with ThreadLane(NAMES[:2], timeout=10) as lane, pytest.raises(ShapeError, match="weight"):
        lane.run(program, {"alice": {"weight": np.ones((6, 5), np.uint64)}})


def test_weights_and_values_are_kept_apart():
    """A weight is no value to be loaded, and a value no weight."""
    builder = Builder(NAMES[:2])
    builder.add(Reveal("bob", "y"), builder.add(Load("m/1", ValueType(shape=(5, 6), width=20))))
    with lane_with_weight() as lane, pytest.raises(ProgramError, match="keeps no value under m/1"):
        lane.run(builder.build())
    builder = Builder(NAMES[:2])
    builder.add(Store("m/3"), builder.add(Input("bob", "x", ValueType(shape=(2, 6), width=20))))
    op = OwnedProduct("alice", "m/3", Matrix(True), ValueType(shape=(2, 6), width=20), 2)
    program = product_program(NAMES[:2], "alice", op, ValueType(shape=(4, 6), width=20), "bob")
    with ThreadLane(NAMES[:2], timeout=10) as lane:
        lane.run(builder.build(), {"bob": {"x": np.ones((2, 6), np.uint64)}})
        with pytest.raises(ProgramError, match="m/3 was not loaded"):
            lane.run(program, {"bob": {"x": np.ones((4, 6), np.uint64)}})


def test_a_weight_is_no_value_of_a_program():
    builder = Builder(NAMES[:2])
    weight = builder.add(LoadWeight("alice", "weight", "m/1", ValueType(shape=(5, 6), width=20)))
    builder.add(Reveal("bob", "y"), weight)
    with pytest.raises(ProgramError, match="takes a weight as a value"):
        builder.build()


def test_the_owner_is_a_party():
    op = OwnedProduct("olga", "m/1", Matrix(True), ValueType(shape=(5, 6), width=20), 2)
    builder = Builder(NAMES[:2], owners=("olga",))
    builder.add(op, builder.add(Input("olga", "x", ValueType(shape=(4, 6), width=20))))
    with pytest.raises(OwnerError, match="'olga' is none of"):
        builder.build()


@pytest.mark.parametrize(("axis", "shape"), [(-1, (4, 6)), (0, (4, 6)), (2, (4, 6)), (1, (6,)), (3, (2, 4, 6))])
def test_a_bias_along_no_axis_of_the_columns_is_refused(axis, shape):
    """Along the rows, too: a product may be cut into blocks of them."""
    weight, x = ValueType(shape=(5, 6), width=20), ValueType(shape=shape, width=20)
    with pytest.raises(ProgramError, match=f"channels along axis {axis}"):
        OwnedProduct("alice", "m/1", Matrix(transposed=True), weight, 2, 3, axis).infer(x)


def test_a_single_row_has_a_product_without_a_bias():
    weight, x = ValueType(shape=(5, 6), width=20), ValueType(shape=(6,), width=20)
    assert OwnedProduct("alice", "m/1", Matrix(transposed=True), weight, 2).infer(x).shape == (5,)
