"""Whole numbers that callers give: of Python or numpy, and nothing that only looks like one."""

from __future__ import annotations

from operator import index
from typing import SupportsIndex

import numpy as np

__all__ = ["whole_number"]


def whole_number(value: object) -> int | None:
    """Python's own of it; None for what is none, True and 2.0 among it."""
    if not isinstance(value, SupportsIndex) or isinstance(value, bool | np.bool_):
        return None
    try:
        return index(value)
    except TypeError:  # arrays have it, and take only some
        return None
