"""Smooth functions: their error bound holds over the whole domain, at the edges of cells and fits, and far beyond."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from icm_ray.errors import BoundError, ProgramError, ShapeError
from icm_ray.functions.activations import erf, exp_negative, gelu, sigmoid, softplus, tanh
from icm_ray.functions.arctangent import arctangent
from icm_ray.functions.reciprocal import logarithm, reciprocal, rsqrt
from icm_ray.functions.row_functions import layer_norm, log_softmax, softmax
from icm_ray.functions.waves import cosine, sine
from icm_ray.ops.linear import Input, Reveal
from icm_ray.ops.values import ValueType
from icm_ray.program.build import Builder
from icm_ray.program.stamped import Stamped
from icm_ray.ring.fixed import decode, encode
from tests.thread_lane import ThreadLane

PARTIES = ("alice", "bob")


def computed(function, x, f, width, parties=PARTIES):
    """What parties compute of x, and the declared bound on its error."""
    builder = Builder(parties)
    shared = builder.add(Input("alice", "x", ValueType(shape=x.shape, f=f, width=width)))
    result = function(builder, shared)
    builder.add(Reveal("alice", "y"), result)
    with ThreadLane(parties) as lane:
        words = lane.run(builder.build(), {"alice": {"x": encode(x, f, 62 - f)}})["alice"].results["y"]
    assert np.all(np.abs(words.view(np.int64).astype(float)) <= 2.0 ** (result.type.width - 1)), "its width is wrong"
    return decode(words, result.type.f), result.type.error


def on_grid(x, f):
    return np.rint(x * 2**f) / 2**f


def around(points, f):
    return np.concatenate([points + step * 2.0**-f for step in (-2, -1, 0, 1, 2)])


def whole_domain(f, width):
    """Dense near zero, where the fits are; every multiple of 1/32 with its neighbours; the ends of the type's range."""
    top = 2.0 ** (width - 1 - f)
    near = min(top, 20.0)
    edges = around(np.arange(-near, near, 1 / 32), f)
    far = np.concatenate([-np.geomspace(0.1, top, 300), np.geomspace(0.1, top, 300)])
    x = on_grid(np.concatenate([np.linspace(-near, near, 4001), edges, far]), f)
    return np.clip(x, -top, max(top - 2.0**-f, 0) if width < 50 else top * (1 - 2.0**-40))


def erf_gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


FUNCTIONS = {
    "sigmoid": (sigmoid, lambda x: 0.5 + 0.5 * np.tanh(x / 2), 2.2e-4),
    "tanh": (tanh, np.tanh, 4e-4),
    "erf": (erf, np.vectorize(math.erf, otypes=[float]), 2e-5),
    "gelu": (gelu, erf_gelu, 1.1e-4),
    "softplus": (softplus, lambda x: np.logaddexp(x, 0), 2.4e-4),
    "exp_negative": (exp_negative, np.exp, 1.6e-5),
}


@pytest.mark.parametrize(("f", "width"), [(16, 31), (16, 63), (10, 31), (20, 40), (24, 60), (4, 20)])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.few(12)
def test_error_bound_beyond_the_fit(name, f, width):
    function, plain, promised = FUNCTIONS[name]
    x = whole_domain(f, width)
    x = -np.abs(x) if name == "exp_negative" else x
    y, bound = computed(function, x, f, width)
    assert np.max(np.abs(y - plain(x))) <= bound
    assert bound <= promised + 1.1 * 2.0**-f


@pytest.mark.parametrize("f", [6, 16, 24])
@pytest.mark.parametrize(
    ("name", "log"), [("sigmoid", 3), ("sigmoid", 0), ("tanh", 2), ("gelu", 2), ("exp_negative", 3)]
)
def test_error_bound_where_the_width_fits_the_domain(name, log, f):
    function, plain, _ = FUNCTIONS[name]
    x = whole_domain(f, f + log + 1)
    x = -np.abs(x) if name == "exp_negative" else x
    y, bound = computed(function, x, f, f + log + 1)
    assert np.max(np.abs(y - plain(x))) <= bound


@pytest.mark.parametrize(("f", "width"), [(16, 30), (24, 34), (8, 20), (4, 14), (20, 23)])
def test_sine_and_cosine_of_many_turns(f, width):
    x = whole_domain(f, width)
    for function, plain in ((sine, np.sin), (cosine, np.cos)):
        y, bound = computed(function, x, f, width)
        assert np.max(np.abs(y - plain(x))) <= bound <= 1e-4 + 2.0**-f


@pytest.mark.parametrize(("f", "width"), [(16, 31), (16, 17), (24, 54), (4, 20), (20, 23)])
def test_arctangent_of_any_size(f, width):
    x = whole_domain(f, width)
    y, bound = computed(arctangent, x, f, width)
    far = 2.0**-14 if width - f > 15 else 0.0
    assert np.max(np.abs(y - np.arctan(x))) <= bound <= 9e-5 + far + 2.0 ** (4 - max(f, 16))


def test_a_sine_of_what_is_too_large_for_it():
    with pytest.raises(BoundError, match="smaller bound"):
        computed(sine, np.zeros(3), 16, 60)


@pytest.mark.parametrize("count", [3, 5])
def test_more_parties(count):
    x = whole_domain(16, 31)
    y, bound = computed(gelu, x, 16, 31, ("alice", "bob", "carol", "dora", "emil")[:count])
    assert np.max(np.abs(y - erf_gelu(x))) <= bound


def test_no_comparison_where_none_is_needed():
    def rounds(width):
        builder = Builder(PARTIES)
        sigmoid(builder, builder.add(Input("alice", "x", ValueType(shape=(5,), f=16, width=width))))
        return Stamped(builder.build()).cost().rounds

    assert (rounds(20), rounds(31), rounds(63)) == (2, 4, 4)


@pytest.mark.parametrize("f", [16, 20])
@pytest.mark.parametrize(("low", "high"), [(0, 6), (-8, 10), (-3, 0), (0, 2), (-2, 14)])
@pytest.mark.parametrize("power", [-1.0, -0.5])
@pytest.mark.few(8)
def test_powers_over_their_range(power, low, high, f):
    rng = np.random.default_rng(0)
    edges = around(2.0 ** np.arange(low, high + 1), f)
    x = np.concatenate([2.0 ** rng.uniform(low, high, 1000), edges, np.linspace(2.0**low, 2.0**high, 1001)])
    x = np.clip(on_grid(x, f), 2.0**low, 2.0**high)
    function = reciprocal if power == -1.0 else rsqrt
    y, bound = computed(lambda builder, value: function(builder, value, low, high), x, f, f + high + 2)
    assert np.max(np.abs(y - x**power)) <= bound
    assert bound <= 2.0 ** (power * low) * 1.2e-5 + 1.1 * 2.0**-f


@pytest.mark.parametrize("f", [16, 24])
@pytest.mark.parametrize(("low", "high"), [(0, 6), (-8, 10), (0, 2)])
def test_logarithm_over_its_range(low, high, f):
    rng = np.random.default_rng(0)
    x = np.concatenate([2.0 ** rng.uniform(low, high, 2500), around(2.0 ** np.arange(low, high + 1), f)])
    x = np.clip(on_grid(x, f), 2.0**low, 2.0**high)
    y, bound = computed(lambda builder, value: logarithm(builder, value, low, high), x, f, f + high + 2)
    assert np.max(np.abs(y - np.log(x))) <= bound <= 1.2e-5 + 1.1 * 2.0**-f


def rows_of(size, spread):
    rng = np.random.default_rng(size)
    x = rng.normal(size=(400, size)) * spread
    x[0], x[1] = 0, -np.abs(x[1])
    x[2, 1:] = x[2, 0] - 30
    return on_grid(x, 16)


@pytest.mark.parametrize("spread", [0.01, 1, 10, 1000])
@pytest.mark.parametrize("size", [3, 10, 64])
def test_softmax(size, spread):
    x = rows_of(size, spread)
    y, bound = computed(softmax, x, 16, 31)
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    assert np.max(np.abs(y - powers / powers.sum(axis=-1, keepdims=True))) <= bound
    assert bound <= 1.3e-6 * size + 1.5e-5 + 2.0**-16


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("size", [3, 10, 64])
def test_layer_norm(size, weighted):
    rng = np.random.default_rng(size)
    x = rng.normal(size=(400, size))
    x[:50] = np.eye(size)[rng.integers(0, size, 50)]  # one value carries the whole variance
    x = (x - x.mean(axis=-1, keepdims=True)) / x.std(axis=-1, keepdims=True)
    x = on_grid(x * 2 ** rng.uniform(-0.99, 0.99, (400, 1)) + rng.uniform(-1, 1, (400, 1)), 16)
    gamma, beta = (rng.normal(size=size), rng.normal(size=size)) if weighted else (None, None)
    y, bound = computed(lambda builder, value: layer_norm(builder, value, -2, 2, gamma, beta, epsilon=1e-5), x, 16, 22)
    plain = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)
    plain = plain * gamma + beta if weighted else plain
    assert np.max(np.abs(y - plain)) <= bound
    assert bound <= 2e-3 * (8 if weighted else 1)


def test_a_domain_wider_than_the_fit_is_refused():
    builder = Builder(PARTIES)
    value = builder.add(Input("alice", "x", ValueType(shape=(5,), f=16, width=31)))
    gelu(builder, value)
    op = builder.build().nodes[1].op
    for edges in ({"high": None, "follows": False}, {"high": op.edges.high + 1}, {"low": op.edges.low - 1}):
        with pytest.raises(ProgramError, match="domain"):
            builder.add(msgspec.structs.replace(op, edges=msgspec.structs.replace(op.edges, **edges)), value)


def test_refusals():
    builder = Builder(PARTIES)
    fine = builder.add(Input("alice", "x", ValueType(shape=(5,), f=30, width=40)))
    with pytest.raises(BoundError, match="24 fractional bits"):
        sigmoid(builder, fine)
    value = builder.add(Input("alice", "y", ValueType(shape=(5,), f=16, width=64)))
    with pytest.raises(BoundError):
        gelu(builder, value)
    with pytest.raises(BoundError, match="range"):
        reciprocal(builder, value, 3, 3)
    with pytest.raises(ShapeError, match="rows"):
        softmax(builder, value)


@pytest.mark.parametrize(("spread", "size", "width"), [(0.01, 10, 31), (1000, 10, 31), (1, 200, 16)])
def test_log_softmax(spread, size, width):
    """Whatever the width: equal values as small as can be have the logarithm of their number."""
    largest = 2.0 ** (width - 17) - 2.0**-16
    x = np.clip(rows_of(size, spread), -largest, largest)
    y, bound = computed(log_softmax, x, 16, width)
    top = x - x.max(axis=-1, keepdims=True)
    assert np.max(np.abs(y - (top - np.log(np.exp(top).sum(axis=-1, keepdims=True))))) <= bound
    assert bound <= 2e-6 * size + 1e-5 + 2.0**-16


@pytest.mark.parametrize("centred", [False, True])
def test_layer_norm_of_variances_far_apart(centred):
    x = np.random.default_rng(1).normal(size=(400, 12)) * 2.0 ** np.linspace(-8, 6, 400)[:, None]
    x = on_grid(np.clip(x, -250, 250), 16)
    epsilon = 2.0**-17

    def norm(builder, value):
        return layer_norm(builder, value, -17, 17, epsilon=epsilon, centred=centred)

    y, bound = computed(norm, x, 16, 25)
    away = x - x.mean(axis=-1, keepdims=True) if centred else x
    plain = away / np.sqrt((away**2).mean(axis=-1, keepdims=True) + epsilon)
    assert np.max(np.abs(y - plain)) <= bound
    assert np.max(np.abs(y - plain)[200:]) <= 1e-3
