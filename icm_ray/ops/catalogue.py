"""The nodes of a program: which operations there are, and how many earlier nodes each takes."""

from __future__ import annotations

from typing import Union

import msgspec

from icm_ray.ops import compare, groups, linear, products, smooth, sorting, wide

__all__ = ["ARITY", "Node", "Operation"]

Operation = Union[  # noqa: UP007 - msgspec takes the members from a typing.Union
    linear.Add,
    linear.AddLast,
    linear.AddPublic,
    linear.Concatenate,
    linear.AssumeWidth,
    linear.Expand,
    linear.Input,
    linear.Load,
    linear.Pad,
    linear.Permute,
    linear.Rescale,
    linear.Reshape,
    linear.Reveal,
    linear.Scale,
    linear.ScaleLast,
    linear.Slice,
    linear.Store,
    linear.Subtract,
    linear.Sum,
    linear.SumAxis,
    linear.WindowSum,
    products.LoadWeight,
    products.OwnedProduct,
    products.Product,
    products.Relu,
    products.SumOfSquares,
    products.Truncate,
    compare.ArgMax,
    compare.AtLeast,
    compare.CountAtLeast,
    compare.CheckFlag,
    compare.Maximum,
    compare.Select,
    groups.GroupCount,
    groups.GroupSum,
    sorting.ArgSort,
    sorting.Shuffle,
    sorting.Sort,
    sorting.SortBy,
    wide.SquareParts,
    smooth.ExpNegative,
    smooth.Periodic,
    smooth.Piecewise,
    wide.WideProduct,
    wide.Widen,
]

ARITY: dict[type, int | None] = {
    linear.Input: 0,
    linear.Load: 0,
    products.LoadWeight: 0,
    linear.Add: 2,
    linear.Subtract: 2,
    products.Product: 2,
    compare.Select: 2,
    compare.CheckFlag: 2,
    groups.GroupSum: 2,
    sorting.SortBy: 2,
    wide.WideProduct: 2,
    linear.Concatenate: None,
}
"""Where it is not one; None: one or more."""


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One operation and the earlier nodes that it takes."""

    op: Operation
    inputs: tuple[int, ...] = ()
