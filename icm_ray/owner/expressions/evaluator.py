"""What evaluates one function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from icm_ray.query.expressions.tree import Scalar

__all__ = ["Evaluator", "Unfit"]

Evaluator = Callable[[Sequence[Any], Sequence[Scalar]], Any]
"""An Arrow array, or scalar, from those of the arguments and the options.

Raises `OverflowError` where integers leave 64 bits, `Unfit` saying which values it cannot take (and none of them),
`ValueError` or an Arrow error for others.
"""


class Unfit(ValueError):
    """Values that a function does not take, in words that hold none of them."""
