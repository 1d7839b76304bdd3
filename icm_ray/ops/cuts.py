"""How operations are cut into blocks of rows: an operation, and the same one on some of its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from icm_ray.ops import linear, products
from icm_ray.ops.forms import Elementwise, Matrices
from icm_ray.ops.values import ValueType

__all__ = [
    "Cut",
    "as_it_is",
    "by_row",
    "expand",
    "owned_product",
    "pad",
    "permute",
    "product",
    "reshape",
    "slice_",
    "take",
]

Cut = Callable[[Any, Sequence[ValueType], int], Any]
"""From an operation, the types of its inputs and a number of rows: the same on so many rows; None where that is none.
All inputs and the result have the same number of rows.
"""


def as_it_is(op: Any, inputs: Sequence[ValueType], rows: int) -> Any:
    """Operations that say nothing of rows."""
    return op


def by_row(op: Any, inputs: Sequence[ValueType], rows: int) -> Any:
    """Operations along the last axis, which must not be that of the rows."""
    return op if len(inputs[0].shape) > 1 else None


def product(op: products.Product, inputs: Sequence[ValueType], rows: int) -> products.Product | None:
    """Of every row on its own: elementwise ones, and of pairs of matrices."""
    x, y = (kind.shape for kind in inputs)
    return op if isinstance(op.form, Elementwise | Matrices) and len(x) == len(y) else None


def owned_product(op: products.OwnedProduct, inputs: Sequence[ValueType], rows: int) -> products.OwnedProduct | None:
    """Whose weight is the same for every row."""
    return op if not isinstance(op.form, Elementwise) and len(inputs[0].shape) > 1 else None


def expand(op: linear.Expand, inputs: Sequence[ValueType], rows: int) -> linear.Expand | None:
    """Which repeats nothing along the rows."""
    return linear.Expand((rows, *op.shape[1:])) if len(inputs[0].shape) == len(op.shape) else None


def reshape(op: linear.Reshape, inputs: Sequence[ValueType], rows: int) -> linear.Reshape:
    """Of every row on its own: both shapes have the same number of rows."""
    return linear.Reshape((rows, *op.shape[1:]))


def permute(op: linear.Permute, inputs: Sequence[ValueType], rows: int) -> linear.Permute | None:
    """Which leaves the rows where they are."""
    return op if op.axes[0] == 0 else None


def pad(op: linear.Pad, inputs: Sequence[ValueType], rows: int) -> linear.Pad | None:
    """Which adds no rows."""
    return op if op.axes[0] == (0, 0) else None


def slice_(op: linear.Slice, inputs: Sequence[ValueType], rows: int) -> linear.Slice | None:
    """Which takes all rows, in their order."""
    size = inputs[0].shape[0]
    return linear.Slice(((0, rows, 1), *op.axes[1:])) if slice(*op.axes[0]).indices(size) == (0, size, 1) else None


def take(op: linear.Take, inputs: Sequence[ValueType], rows: int) -> linear.Take | None:
    """Along another axis than that of the rows."""
    return op if op.axis > 0 else None
