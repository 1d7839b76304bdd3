"""Programs of one operation each, with inputs over their whole range: what every protocol test runs over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icm_ray.ops.compare import ArgMax, AtLeast, CountAtLeast, Maximum, Select
from icm_ray.ops.domain import GroupCount, GroupSum
from icm_ray.ops.forms import Convolution, Elementwise, Matrix
from icm_ray.ops.linear import Add, AddPublic, Concatenate, Pad, Reshape, Scale, Slice, Subtract, Sum, WindowSum
from icm_ray.ops.products import Finish, Product, Relu, SumOfSquares, Truncate
from icm_ray.ops.values import ValueType
from icm_ray.program.program import Operation

Ring = NDArray[np.uint64]
Draw = Callable[[np.random.Generator, ValueType], Ring]


def signed(rng: np.random.Generator, kind: ValueType) -> Ring:
    """Uniform over the type's range, with its edges, zero and the neighbours of zero among the values."""
    top = 2 ** (kind.width - 1)
    values = rng.integers(-top, top, kind.count, dtype=np.int64)
    edges = np.array([-top, top - 1, 0, -1, 1, top // 2, -top // 2, -top // 2 - 1], dtype=np.int64)
    values[: edges.size] = np.clip(edges[: values.size], -top, top - 1)
    return values.view(np.uint64).reshape(kind.shape)


@dataclass(frozen=True)
class Case:
    name: str
    op: Operation
    types: tuple[ValueType, ...]
    draw: Draw = signed


def _keys(rng: np.random.Generator, kind: ValueType) -> Ring:
    return rng.integers(0, 16, kind.count, dtype=np.int64).view(np.uint64).reshape(kind.shape)


def _equals(rng: np.random.Generator, kind: ValueType) -> Ring:
    return rng.integers(-2, 3, kind.count, dtype=np.int64).view(np.uint64).reshape(kind.shape)


def _v(*shape: int, width: int = 40, f: int = 16) -> ValueType:
    return ValueType(shape=shape, width=width, f=f)


CASES = (
    Case("add", Add(), (_v(7), _v(7))),
    Case("subtract", Subtract(), (_v(7), _v(7))),
    Case("add_public", AddPublic(-12345), (_v(7),)),
    Case("scale", Scale(-3), (_v(7),)),
    Case("sum", Sum(), (_v(700),)),
    Case("reshape", Reshape((2, 6)), (_v(3, 4),)),
    Case("slice", Slice(((0, 2, 1), (0, 6, 2))), (_v(2, 6),)),
    Case("pad", Pad(((0, 1), (2, 0))), (_v(2, 3),)),
    Case("concatenate", Concatenate(1), (_v(2, 3), _v(2, 4))),
    Case("window_sum", WindowSum((2, 2), (2, 2)), (_v(2, 3, 4, 6),)),
    Case("truncate_64", Truncate(Finish(shift=16)), (_v(600, width=63),)),
    Case("truncate_32", Truncate(Finish(shift=7, width=32)), (_v(600, width=31),)),
    Case("truncate_40", Truncate(Finish(shift=20, width=40)), (_v(600, width=39),)),
    Case("relu_64", Relu(Finish(relu=True)), (_v(600, width=64),)),
    Case("relu_33", Relu(Finish(relu=True, width=33)), (_v(600, width=33),)),
    Case("relu_8", Relu(Finish(relu=True, width=8)), (_v(600, width=8, f=0),)),
    Case("relu_shift_64", Relu(Finish(shift=16, relu=True)), (_v(600, width=63),)),
    Case("relu_shift_32", Relu(Finish(shift=16, relu=True, width=32)), (_v(600, width=31),)),
    Case("relu_shift_3_of_20", Relu(Finish(shift=3, relu=True, width=20)), (_v(600, width=19),)),
    Case("product", Product(Elementwise()), (_v(5, 6, width=64), _v(6, width=1))),
    Case("product_truncated", Product(Elementwise(), Finish(shift=16)), (_v(600, width=31), _v(600, width=31))),
    Case("product_relu", Product(Elementwise(), Finish(shift=16, relu=True)), (_v(90, width=31), _v(90, width=31))),
    Case("matrix", Product(Matrix()), (_v(3, 5, width=30), _v(5, 4, width=30))),
    Case("matrix_truncated", Product(Matrix(True), Finish(shift=9)), (_v(3, 5, width=28), _v(4, 5, width=28))),
    Case(
        "convolution",
        Product(Convolution((3, 3), (2, 1), (1, 1, 0, 2), groups=2), Finish(shift=16, relu=True)),
        (_v(2, 4, 6, 5, width=26), _v(6, 2, 3, 3, width=26)),
    ),
    Case("sum_of_squares", SumOfSquares(), (_v(300, width=25),)),
    Case("at_least", AtLeast(-70000, 42), (_v(600, width=40),)),
    Case("at_least_zero_32", AtLeast(0, 32), (_v(600, width=31),)),
    Case("count_at_least", CountAtLeast((-(2**30), -1, 0, 1, 2**34, 2**39 - 1), 41), (_v(1100, width=40),)),
    Case("select", Select(41), (_v(600, width=40), _v(600, width=64))),
    Case("maximum", Maximum(41), (_v(4, 7, width=40),)),
    Case("maximum_64", Maximum(64), (_v(33, width=63),)),
    Case("maximum_of_one", Maximum(41), (_v(3, 1, width=40),)),
    Case("argmax", ArgMax(41), (_v(5, 10, width=40),)),
    Case("argmax_equals", ArgMax(41), (_v(40, 7, width=40),), _equals),
    Case("group_count", GroupCount(4), (_v(500, width=5, f=0),), _keys),
    Case("group_sum", GroupSum(4), (_v(500, width=5, f=0), _v(500, width=40)), _keys),
)
