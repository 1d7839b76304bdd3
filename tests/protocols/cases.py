"""Programs of one operation each, with inputs over their whole range: what every protocol test runs over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace

from icm_ray.ops.compare import ArgMax, AtLeast, CountAtLeast, Maximum, Select
from icm_ray.ops.forms import Convolution, Elementwise, Matrices, Matrix
from icm_ray.ops.groups import GroupCount, GroupSum, GroupTable
from icm_ray.ops.linear import (
    Add,
    AddLast,
    AddPublic,
    Concatenate,
    Expand,
    Pad,
    Reshape,
    RunningSum,
    Scale,
    ScaleLast,
    Slice,
    Subtract,
    Sum,
    SumAxis,
    Take,
    WindowSum,
)
from icm_ray.ops.products import Epilogue, Product, Relu, SumOfSquares, Truncate
from icm_ray.ops.smooth import DomainEdges, ExpNegative, Periodic, Piecewise
from icm_ray.ops.values import ValueType
from icm_ray.program.program import Operation
from icm_ray.ring.array import RingArray

Draw = Callable[[np.random.Generator, ValueType], RingArray]


def signed(rng: np.random.Generator, kind: ValueType) -> RingArray:
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


def _keys(rng: np.random.Generator, kind: ValueType) -> RingArray:
    return rng.integers(0, 16, kind.count, dtype=np.int64).view(np.uint64).reshape(kind.shape)


def _equals(rng: np.random.Generator, kind: ValueType) -> RingArray:
    return rng.integers(-2, 3, kind.count, dtype=np.int64).view(np.uint64).reshape(kind.shape)


def _v(*shape: int, width: int = 40, f: int = 16) -> ValueType:
    return ValueType(shape=shape, width=width, f=f)


def _near(log: int) -> Draw:
    """Half of the values uniform over the type's range, half of them within 2^log of zero, and the borders of both."""

    def draw(rng: np.random.Generator, kind: ValueType) -> RingArray:
        values = signed(rng, kind).reshape(-1).view(np.int64)
        values[1::2] = rng.integers(-(2**log), 2**log, values[1::2].size)
        cells = (np.arange(-60, 60) << (log - 4)) // 2
        values[40:280] = np.concatenate([cells, cells - 1])
        top = 2 ** (kind.width - 1)
        return np.clip(values, -top, top - 1).view(np.uint64).reshape(kind.shape)

    return draw


def _not_positive(draw: Draw) -> Draw:
    return lambda rng, kind: (-np.abs(draw(rng, kind).view(np.int64) + 1)).view(np.uint64)


def _polynomials(degree: int, word: int) -> Piecewise:
    rng = np.random.default_rng(degree)
    top = [2.0 ** (word - 6 - 10 * power) for power in range(degree + 1)]
    rows = tuple(tuple(int(rng.uniform(-limit, limit)) for limit in top) for _ in range(16))
    return Piecewise(12, 2, 4, rows, f=10, excess=12, word=word, result_width=word - 14, error=0.0)


def _waves(word: int, edges: DomainEdges | None, even: bool = True, odd: bool = True) -> Periodic:
    a, b = (20000000, -3000000, 777777), (-12345678, 5000001, 1)
    return Periodic(
        20, (1, 3, 4), a if even else (), b if odd else (), constant=12345, linear=3, dealt_bits=13, public_bits=16,
        f=16, word=word, reach=2**19, result_width=18, error=0.0, edges=edges,
    )  # fmt: skip


def _powers(word: int, edges: DomainEdges | None, shift: int = 16) -> ExpNegative:
    return ExpNegative(shift, 4, dealt_bits=15, public_bits=14, f=16, word=word, error=0.0, edges=edges)


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
    Case("truncate_64", Truncate(Epilogue(shift=16)), (_v(600, width=63),)),
    Case("truncate_32", Truncate(Epilogue(shift=7, width=32)), (_v(600, width=31),)),
    Case("truncate_40", Truncate(Epilogue(shift=20, width=40)), (_v(600, width=39),)),
    Case("relu_64", Relu(Epilogue(relu=True)), (_v(600, width=64),)),
    Case("relu_33", Relu(Epilogue(relu=True, width=33)), (_v(600, width=33),)),
    Case("relu_8", Relu(Epilogue(relu=True, width=8)), (_v(600, width=8, f=0),)),
    Case("relu_shift_64", Relu(Epilogue(shift=16, relu=True)), (_v(600, width=63),)),
    Case("relu_shift_32", Relu(Epilogue(shift=16, relu=True, width=32)), (_v(600, width=31),)),
    Case("relu_shift_3_of_20", Relu(Epilogue(shift=3, relu=True, width=20)), (_v(600, width=19),)),
    Case("product", Product(Elementwise()), (_v(5, 6, width=64), _v(6, width=1))),
    Case("product_truncated", Product(Elementwise(), Epilogue(shift=16)), (_v(600, width=31), _v(600, width=31))),
    Case("product_relu", Product(Elementwise(), Epilogue(shift=16, relu=True)), (_v(90, width=31), _v(90, width=31))),
    Case("matrix", Product(Matrix()), (_v(3, 5, width=30), _v(5, 4, width=30))),
    Case("matrix_truncated", Product(Matrix(True), Epilogue(shift=9)), (_v(3, 5, width=28), _v(4, 5, width=28))),
    Case("matrices", Product(Matrices()), (_v(2, 3, 5, width=30), _v(2, 5, 4, width=30))),
    Case(
        "matrices_truncated",
        Product(Matrices(), Epilogue(shift=9)),
        (_v(2, 2, 3, 5, width=28), _v(2, 2, 5, 4, width=28)),
    ),
    Case(
        "product_bounded", Product(Elementwise(), Epilogue(shift=1, width=8), 3), (_v(600, width=40, f=0),) * 2, _equals
    ),
    Case(
        "convolution",
        Product(Convolution((3, 3), (2, 1), (1, 1, 0, 2), groups=2), Epilogue(shift=16, relu=True)),
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
    *(
        Case(f"piecewise_{degree}_{word}", _polynomials(degree, word), (_v(600, width=16),), _near(15))
        for degree in (1, 2, 3)
        for word in (32, 64)
    ),
    Case("periodic", _waves(32, None), (_v(600, width=20),)),
    Case("periodic_64_even", _waves(64, None, odd=False), (_v(600, width=20),)),
    Case("periodic_repeats", replace(_waves(64, None), linear=0, repeats=True), (_v(600, width=40),)),
    Case("periodic_within", _waves(32, DomainEdges(31, 13, -50, 50)), (_v(600, width=30),), _near(20)),
    Case("periodic_within_48", _waves(64, DomainEdges(48, 0, -(2**18), 2**18, -5)), (_v(600, width=47),), _near(19)),
    Case("periodic_follows", _waves(64, DomainEdges(32, 15, -12, 12, 99, True)), (_v(600, width=31),), _near(20)),
    Case("periodic_follows_20", _waves(32, DomainEdges(22, 12, -3, 3, 0, True), even=False), (_v(600, width=21),)),
    Case("periodic_follows_64", _waves(64, DomainEdges(64, 13, -50, 50, 0, True)), (_v(600, width=63),), _near(20)),
    Case("exp_negative", _powers(32, None), (_v(600, width=20),), _not_positive(signed)),
    Case("exp_negative_within", _powers(32, DomainEdges(32, 14, -44)), (_v(600, width=31),), _not_positive(_near(20))),
    Case("exp_negative_64", _powers(64, DomainEdges(64, 13, -58), 15), (_v(600, width=63),), _not_positive(_near(20))),
    Case(
        "exp_negative_wide_cells",
        _powers(64, DomainEdges(32, 14, -118), 17),
        (_v(600, width=31),),
        _not_positive(_near(21)),
    ),
    Case("expand", Expand((2, 3, 5)), (_v(3, 1),)),
    Case("take", Take(1, (2, 0, 0, 3)), (_v(2, 4, 3),)),
    Case("sum_axis", SumAxis(), (_v(3, 4, 5),)),
    Case("running_sum", RunningSum(), (_v(6, 3),)),
    Case("scale_last", ScaleLast((3, -5, 0, 70000), 16), (_v(3, 4),)),
    Case("add_last", AddLast((3, -5, 0, 70000)), (_v(3, 4),)),
    Case("group_count", GroupCount(4), (_v(500, width=5, f=0),), _keys),
    Case("group_sum_and_count", GroupSum(4, True), (_v(500, width=5, f=0), _v(500, width=40)), _keys),
    Case("group_sum_256", GroupSum(8), (_v(300, width=10, f=0), _v(300, width=40)), signed),
    Case("group_sum", GroupSum(4), (_v(500, width=5, f=0), _v(500, width=40)), _keys),
    Case("group_table", GroupTable(101), (_v(500, width=10, f=0), _v(500, f=0))),
    Case("group_table_counts", GroupTable(256, True), (_v(500, width=10, f=0), _v(500, f=0), _v(500, f=0))),
    Case("group_table_of_counts", GroupTable(37, True), (_v(500, width=10, f=0),)),
    Case("group_table_of_two", GroupTable(2, True), (_v(500, width=10, f=0), _v(500, f=0))),
)
