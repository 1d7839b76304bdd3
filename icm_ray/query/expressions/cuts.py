"""Numbers in bins of public edges: the bins' names are public, so that rows are grouped by them without stating any."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from icm_ray.errors import ColumnError
from icm_ray.query.expressions.function import Function, Typed, numbers
from icm_ray.query.expressions.tree import Scalar

__all__ = ["FUNCTIONS", "bins_of"]

_MOST_BINS: Final = 4096


def bins_of(options: Sequence[Scalar]) -> tuple[bool, bool, tuple[float, ...], tuple[Scalar, ...]]:
    """(whether bins hold their upper edges, whether the first holds its lower one, edges, the bins' names) of options.

    Errors: `ColumnError` for what is none.
    """
    right, lowest, *others = options if len(options) >= 5 else (None, None)
    count = len(others) // 2 + 1
    edges, names = others[:count], others[count:]
    if not isinstance(right, bool) or not isinstance(lowest, bool) or len(edges) != len(names) + 1:
        raise ColumnError("cut takes edges, and a name for each bin between two of them")
    if len(names) > _MOST_BINS:
        raise ColumnError(f"cut takes up to {_MOST_BINS} bins, not {len(names)}")
    numbers_ = [edge for edge in edges if isinstance(edge, int | float) and not isinstance(edge, bool)]
    if len(numbers_) < len(edges) or any(map(math.isnan, numbers_)):
        raise ColumnError("the edges of cut are numbers")
    if any(one >= other for one, other in pairwise(numbers_)):
        raise ColumnError("the edges of cut increase, each above the one before")
    if {type(name) for name in names} not in ({str}, {int}) or len(set(names)) < len(names):
        raise ColumnError("the names of bins are different texts, or different whole numbers")
    return right, lowest, tuple(numbers_), tuple(names)


def _cut(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    numbers(arguments, "cut")
    *_, names = bins_of(options)
    return Typed("int" if isinstance(names[0], int) else "string", nullable=True, categories=names)


def _words(arguments: Sequence[str], options: Sequence[Scalar]) -> str:
    edges = options[2 : len(options) // 2 + 2]
    return f"cut({arguments[0]}, [{', '.join(map(repr, edges))}])"


FUNCTIONS = (Function("cut", 1, _cut, _words),)
