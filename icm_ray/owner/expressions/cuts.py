"""Numbers in bins, as pandas has it: what is in none is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from icm_ray.owner.expressions.blocks import doubles, integers
from icm_ray.owner.expressions.evaluator import Evaluator
from icm_ray.owner.expressions.kinds import is_float
from icm_ray.query.expressions.cuts import bins_of
from icm_ray.query.expressions.tree import Scalar

__all__ = ["EVALUATORS"]


def _cut(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    import pyarrow as pa

    (values,) = arguments
    right, lowest, edges, names = bins_of(options)
    if isinstance(values, pa.Scalar):
        return _cut([pa.array([values.as_py()], values.type)], options)[0]
    if is_float(values):
        numbers = doubles(values)
        missing = np.isnan(numbers)
    else:
        numbers, missing = integers(values)
    limits = np.array(edges)
    places = limits.searchsorted(numbers, side="left" if right else "right")
    if lowest and right:
        places[numbers == limits[0]] = 1
    missing = missing | (places == 0) | (places == len(limits))
    codes = pa.array(np.where(missing, 0, places - 1), mask=missing if missing.any() else None)
    return pa.array(names).take(codes)


EVALUATORS: Mapping[str, Evaluator] = {"cut": _cut}
