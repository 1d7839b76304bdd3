"""Truncation's ideal functionality: publish u uniform in [0, 2^f), return floor((x + 2^f - 1 - u) / 2^f)."""

import numpy as np
import pytest

from icm_ray.ops.forms import Elementwise
from icm_ray.ops.products import Epilogue, Product, Relu, Truncate
from icm_ray.ops.values import ValueType
from tests.protocols.playing import run_one

COUNT = 1 << 14
LIMITS = {1: 24.0, 15: 60.5, 255: 377.4}
"""Chi-square quantiles at 1 - 10^-6, by degrees of freedom: one false alarm in 10^6 for each test of uniformity."""


def chi_square(values, cells):
    counts = np.bincount(values.astype(np.int64), minlength=cells)
    expected = values.size / cells
    return float(((counts - expected) ** 2).sum() / expected)


def inputs(how, width):
    top = 2 ** (width - 1)
    if how == "one value":
        return np.full(COUNT, 12345 % top, np.int64)
    if how == "edge":
        return np.full(COUNT, -top + 1, np.int64)
    return np.random.default_rng(3).integers(-top + 1, top, COUNT)


@pytest.mark.parametrize("how", ["one value", "edge", "any"])
@pytest.mark.parametrize(("f", "width", "parties"), [(1, 64, 2), (4, 32, 3), (8, 20, 2), (16, 64, 3), (13, 40, 5)])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.few(12)
def test_the_result_is_that_of_the_published_coin(f, width, parties, how, relu):
    x = inputs(how, width - 1)
    op = (Relu if relu else Truncate)(Epilogue(shift=f, relu=relu, width=width))
    found, coins = run_one(op, [ValueType(shape=x.shape, width=width - 1)], [x], parties)
    u = (coins["x_hat"] & np.uint64(2**f - 1)).astype(np.int64)
    wanted = [(value + 2**f - 1 - coin) // 2**f for value, coin in zip(x.tolist(), u.tolist(), strict=True)]
    assert found.view(np.int64).tolist() == ([max(value, 0) for value in wanted] if relu else wanted)
    assert_uniform(u, f)


@pytest.mark.parametrize("parties", [2, 3])
def test_the_coin_of_a_product_is_uniform_too(parties):
    """Its mask is q - A.B, not a word of its own."""
    x = inputs("one value", 24)
    kind = ValueType(shape=x.shape, width=24)
    found, coins = run_one(Product(Elementwise(), Epilogue(shift=8)), [kind, kind], [x, x], parties)
    u = (coins["x_hat"] & np.uint64(255)).astype(np.int64)
    assert found.view(np.int64).tolist() == [
        (v * v + 255 - c) // 256 for v, c in zip(x.tolist(), u.tolist(), strict=True)
    ]
    assert_uniform(u, 8)


def assert_uniform(u, f):
    """Its highest bits and its lowest, in up to 256 cells."""
    size = min(f, 8)
    size = {1: 1}.get(size, 4 if size < 8 else 8)
    limit = LIMITS[2**size - 1]
    assert chi_square(u & (2**size - 1), 2**size) < limit
    assert chi_square(u >> (f - size), 2**size) < limit


def test_rounding_is_unbiased():
    """The mean of what is returned is x / 2^f, within six standard deviations (2e-9)."""
    f, x = 8, np.full(COUNT, 1000, np.int64)
    found, _ = run_one(Truncate(Epilogue(shift=f)), [ValueType(shape=x.shape, width=20)], [x])
    part = 1000 / 2**f % 1
    assert abs(found.view(np.int64).mean() - 1000 / 2**f) < 6 * (part * (1 - part) / COUNT) ** 0.5
