"""A program with many operations; what is not in it has a case of its own in tests/protocols/cases.py."""

from __future__ import annotations

from icm_ray.ops.catalogue import CATALOGUE
from icm_ray.ops.compare import ArgMax, AtLeast, CheckFlag, CountAtLeast, Maximum, Select
from icm_ray.ops.forms import Convolution, Elementwise, Matrix
from icm_ray.ops.groups import GroupCount, GroupSum, GroupTable
from icm_ray.ops.labels import Label
from icm_ray.ops.linear import (
    Add,
    AddPublic,
    AssumeWidth,
    Concatenate,
    Input,
    Load,
    Pad,
    Permute,
    Rescale,
    Reshape,
    Reveal,
    RunningSum,
    Scale,
    Slice,
    Store,
    Subtract,
    Sum,
    WindowSum,
)
from icm_ray.ops.products import Epilogue, LoadWeight, OwnedProduct, Product, Relu, SumOfSquares, Truncate
from icm_ray.ops.smooth import Piecewise
from icm_ray.ops.sorting import ArgSort, Arrange, Shuffle, Sort, SortBy
from icm_ray.ops.values import Kind, ValueType
from icm_ray.ops.wide import SquareParts, Widen, WideProduct
from icm_ray.program.build import Builder
from icm_ray.program.program import Program

PARTIES = ("alice", "bob")
OPERATIONS = tuple(CATALOGUE)


def kind(*shape, width=20, f=4, **more):
    return ValueType(shape=shape, width=width, f=f, **more)


def every_operation() -> Program:
    builder = Builder(PARTIES, owners=("olga",))
    add = builder.add
    x = add(Input("alice", "x", kind(3, 4, error=0.125), (Label("visits", "alice", ((0, 3),)),)))
    y = add(Input("olga", "y", kind(3, 4)))
    keys = add(Input("bob", "keys", kind(3, 4, width=5, f=0)))
    images = add(Input("bob", "images", kind(1, 2, 4, 4)))
    filters = add(Input("bob", "filters", kind(3, 2, 2, 2)))
    wide = add(Input("olga", "wide", kind(3, width=100, kind=Kind.WIDE, limbs=4)))
    kept = add(Load("kept", kind(3, 4)))
    add(LoadWeight("alice", "w", "m/1", kind(5, 4), "b", 5))
    add(OwnedProduct("alice", "m/0", Matrix(True), kind(5, 4), 2, 3, 1, Epilogue(4, True, 40)), x)
    add(Store("kept/2"), kept)
    total = add(Add(), x, y)
    less = add(
        Subtract(),
        total,
        add(Concatenate(1), add(Slice(((0, 3, 1), (0, 2, 1))), x), add(Slice(((0, 3, 1), (1, 3, 1))), y)),
    )
    add(AddPublic(-(2**18)), less)
    add(Scale(-3, 2), less)
    add(Rescale(2), less)
    add(AssumeWidth(10, 0.5), less)
    add(Reshape((2, 6)), less)
    add(Permute((1, 0)), less)
    add(Pad(((0, 1), (2, 0))), less)
    add(WindowSum((2, 2), (1, 2), (0, 1, 1, 0)), images)
    add(Product(Convolution((2, 2), (1, 1), (1, 0, 0, 1)), Epilogue(4)), images, filters)
    add(Product(Elementwise()), x, y)
    add(SumOfSquares(), x)
    add(Truncate(Epilogue(3, width=32)), x)
    add(Relu(Epilogue(3, True, 32)), x)
    add(Maximum(21), x)
    add(ArgMax(21), x)
    add(Select(20), x, y)
    count = add(CountAtLeast((-5, 0, 5), 21), x)
    flag = add(AtLeast(1, 21), add(Sum(), keys))
    add(GroupCount(3), keys)
    add(GroupSum(3), keys, x)
    add(GroupTable(5, True), keys, keys)
    add(WideProduct(), wide, wide)
    add(Widen(), x)
    add(Widen(67), x)
    add(SquareParts(10), x)
    add(Piecewise(10, 4, 2, ((1, 2), (3, 4), (5, 6), (-7, 8)), 4, 3, 32, 20, 0.01), add(AssumeWidth(10), x))
    column = add(Reshape((12,)), x)
    add(Sort(), column)
    order = add(ArgSort(), column)
    add(SortBy(), order, add(Shuffle(), column))
    add(Arrange(), order, add(RunningSum(), column))
    guarded = add(CheckFlag("x"), x, flag)
    add(Reveal("olga", "counts"), count)
    add(Reveal("driver", "x"), guarded)
    return builder.build()
