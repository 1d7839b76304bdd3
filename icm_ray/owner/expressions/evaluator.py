"""What evaluates one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from icm_ray.query.expressions.tree import Scalar

__all__ = ["Evaluator"]

Evaluator = Callable[[Sequence[Any], Sequence[Scalar]], Any]
"""An Arrow array, or scalar, from those of the arguments and the options.

Raises `OverflowError` where integers leave 64 bits, `ValueError` or an Arrow error for values that it cannot take.
"""
