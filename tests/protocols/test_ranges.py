"""Whole ranges, with the edges of the declared bound, at any width, shift, size and number of parties.

Every result is held to the operation's reference bit for bit, and to arithmetic on Python's integers as well, and lies
within the width that the operation's type declares.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icm_ray.ops.compare import ArgMax, AtLeast, CountAtLeast, Maximum, Select
from icm_ray.ops.forms import Convolution, Elementwise, Matrix
from icm_ray.ops.products import Epilogue, Product, Relu, SumOfSquares, Truncate
from icm_ray.ops.values import ValueType
from tests.protocols.playing import hold

few = settings(max_examples=12)
parties = st.integers(2, 5)


def numbers(width, size=None):
    """Signed numbers of |x| < 2^(width-1), edges and small ones among them."""
    top = 2 ** (width - 1) - 1
    edges = sorted({-top, top, 0, min(1, top), max(-1, -top), top // 2, -(top // 2), top - top // 3})
    one = st.one_of(st.sampled_from(edges), st.integers(-top, top))
    return st.lists(one, min_size=size or 1, max_size=size or 40)


def kind(values, width, f=0):
    return ValueType(shape=(len(values),), width=width, f=f)


def within(words, width):
    """|x| < 2^(width-1)."""
    return all(abs(value) < 2 ** (width - 1) for value in np.asarray(words).reshape(-1).tolist())


@st.composite
def shifts(draw, least=1):
    width = draw(st.integers(3, 64))
    return width, draw(st.integers(least, width - 2))


@given(shifts(), st.data(), parties)
@few
def test_truncation(sizes, data, n):
    width, shift = sizes
    x = data.draw(numbers(width - 1))
    op = Truncate(Epilogue(shift=shift, width=width))
    found = hold(op, [kind(x, width - 1)], [x], n)
    assert within(found, op.infer(kind(x, width - 1)).width)
    for value, result in zip(x, found.tolist(), strict=True):
        assert result in {value >> shift, -(-value >> shift)}


@given(st.integers(2, 64), st.data(), parties)
@few
def test_relu(width, data, n):
    x = data.draw(numbers(width))
    found = hold(Relu(Epilogue(relu=True, width=width)), [kind(x, width)], [x], n)
    assert found.tolist() == [max(value, 0) for value in x]


@given(shifts(), st.data(), parties)
@few
def test_relu_with_its_division(sizes, data, n):
    width, shift = sizes
    x = data.draw(numbers(width - 1))
    op = Relu(Epilogue(shift=shift, relu=True, width=width))
    found = hold(op, [kind(x, width - 1)], [x], n)
    assert within(found, op.infer(kind(x, width - 1)).width)
    for value, result in zip(x, found.tolist(), strict=True):
        assert result in {max(value >> shift, 0), max(-(-value >> shift), 0)}


@st.composite
def compared(draw):
    """A width, values and thresholds that fit it, the largest threshold that does among them."""
    width = draw(st.integers(3, 64))
    value_width = draw(st.integers(2, width - 1))
    reach = 2 ** (width - 1) - 2 ** (value_width - 1)
    one = st.one_of(st.sampled_from([0, reach, -reach]), st.integers(-min(reach, 2**63 - 1), min(reach, 2**63 - 1)))
    return width, value_width, draw(numbers(value_width)), draw(st.lists(one, min_size=1, max_size=5))


@given(compared(), parties)
@few
def test_comparison(sizes, n):
    width, value_width, x, thresholds = sizes
    found = hold(AtLeast(thresholds[0], width), [kind(x, value_width)], [x], n)
    assert found.tolist() == [int(value >= thresholds[0]) for value in x]
    found = hold(CountAtLeast(tuple(thresholds), width), [kind(x, value_width)], [x], n)
    assert found.tolist() == [sum(value >= t for value in x) for t in thresholds]


@given(st.integers(1, 40), parties)
@few
@pytest.mark.slow
def test_comparison_with_neighbours(width, n):
    """x one below, at and one above the threshold, at the edges of the range."""
    top = 2 ** (width - 1)
    for threshold in {-top, -1, 0, 1, top - 1}:
        x = [max(min(threshold + step, top - 1), -top + 1) for step in (-1, 0, 1)]
        found = hold(AtLeast(threshold, width + 1), [kind(x, width)], [x], n)
        assert found.tolist() == [int(value >= threshold) for value in x]


@given(st.integers(2, 64), st.data(), parties)
@few
def test_selection(width, data, n):
    x = data.draw(numbers(width))
    y = data.draw(numbers(64, len(x)))
    found = hold(Select(width), [kind(x, width), kind(y, 64)], [x, y], n)
    assert found.tolist() == [b if a >= 0 else 0 for a, b in zip(x, y, strict=True)]


@given(st.integers(1, 63), st.integers(1, 4), st.integers(1, 9), st.data(), parties)
@few
def test_maximum_and_its_index(width, rows, columns, data, n):
    x = np.array(data.draw(numbers(width, rows * columns)), np.int64).reshape(rows, columns)
    if columns > 1 and data.draw(st.booleans()):
        x[:, -1] = x[:, 0]  # equals: the first wins
    shape = ValueType(shape=x.shape, width=width)
    assert hold(Maximum(width + 1), [shape], [x], n).tolist() == x.max(axis=1).tolist()
    assert hold(ArgMax(width + 1), [shape], [x], n).tolist() == x.argmax(axis=1).tolist()


@st.composite
def factors(draw, forms=("elementwise", "matrix", "transposed", "convolution")):
    """A form with factors whose products just fit, and a epilogue or none."""
    name = draw(st.sampled_from(forms))
    size = st.integers(1, 5)
    if name == "elementwise":
        x_shape, y_shape, form, terms = (3, 4), draw(st.sampled_from([(3, 4), (4,), (1,), (3, 1)])), Elementwise(), 1
    elif name == "convolution":
        groups = draw(st.integers(1, 2))
        form = Convolution((2, 3), draw(st.sampled_from([(1, 1), (2, 1)])), (1, 0, 1, 1), (1, 2), groups)
        x_shape, y_shape, terms = (2, 2, 4, 6), (2, 2 // groups, 2, 3), 12 // groups
    else:
        rows, inner, columns = draw(size), draw(size), draw(size)
        form, terms = Matrix(name == "transposed"), inner
        x_shape, y_shape = (rows, inner), (columns, inner) if name == "transposed" else (inner, columns)
    epilogue = draw(st.sampled_from(["none", "truncate", "relu", "relu_shift"]))
    width = draw(st.integers(16, 64))
    room = (64 if epilogue == "none" else width if epilogue == "relu" else width - 1) - (terms - 1).bit_length() + 1
    x_width = draw(st.integers(2, room - 2))
    shift = draw(st.integers(1, width - 2))
    made = {
        "none": None,
        "truncate": Epilogue(shift=shift, width=width),
        "relu": Epilogue(relu=True, width=width),
        "relu_shift": Epilogue(shift=shift, relu=True, width=width),
    }[epilogue]
    return form, made, (x_shape, x_width), (y_shape, room - x_width)


@given(factors(), st.data(), parties)
@settings(max_examples=30)
@pytest.mark.slow
def test_products(made, data, n):
    form, epilogue, (x_shape, x_width), (y_shape, y_width) = made
    kinds = [ValueType(shape=x_shape, width=x_width), ValueType(shape=y_shape, width=y_width)]
    op = Product(form, epilogue)
    out = op.infer(*kinds)
    x, y = (np.array(data.draw(numbers(k.width, k.count)), np.int64).reshape(k.shape) for k in kinds)
    found = hold(op, kinds, [x, y], n)
    assert within(found, out.width)
    exact = form.apply(x.view(np.uint64), y.view(np.uint64)).view(np.int64)
    if epilogue is None:
        np.testing.assert_array_equal(found, exact)
        return
    low, high = exact >> epilogue.shift, -((-exact) >> epilogue.shift)
    if epilogue.relu:
        low, high = np.maximum(low, 0), np.maximum(high, 0)
    assert ((found == low) | (found == high)).all()


@given(st.integers(2, 30), st.data(), parties)
@few
def test_sum_of_squares(width, data, n):
    x = data.draw(numbers(width))
    found = hold(SumOfSquares(), [kind(x, width)], [x], n)
    assert found.tolist() == [sum(value * value for value in x)]
    assert within(found, SumOfSquares().infer(kind(x, width)).width)


@pytest.mark.slow
@pytest.mark.parametrize("width", range(2, 65))
def test_every_width(width):
    """ReLU, comparison and every shift's truncation at every width there is, over the edges of the range."""
    rng = np.random.default_rng(width)
    top = 2 ** (width - 1)
    x = [*rng.integers(-top + 1, top, 600, dtype=np.int64).tolist(), -top + 1, top - 1, 0, -1 if top > 1 else 0]
    assert hold(Relu(Epilogue(relu=True, width=width)), [kind(x, width)], [x]).tolist() == [max(v, 0) for v in x]
    half = [value // 2 for value in x]
    assert hold(AtLeast(0, width), [kind(x, width - 1)], [half]).tolist() == [int(v >= 0) for v in half]
    for shift in range(1, width - 1):
        hold(Truncate(Epilogue(shift=shift, width=width)), [kind(x, width - 1)], [half])
        hold(Relu(Epilogue(shift=shift, relu=True, width=width)), [kind(x, width - 1)], [half], 3)
