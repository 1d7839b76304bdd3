"""How a kernel that Python calls is compiled: cached on disk, without the interpreter's lock, its time measured.

Kernels that only kernels call stay plain `njit` functions: compiled code can call those alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from numba import njit

from icm_ray.profile import Part, present_clock

__all__ = ["kernel"]


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function`, compiled when it is first called; arguments by position."""
    compiled = njit(cache=True, nogil=True)(function)

    @wraps(function)
    def call(*args: Any) -> Any:
        clock = present_clock()
        if clock is None:
            return compiled(*args)
        clock.enter(Part.KERNELS)
        try:
            return compiled(*args)
        finally:
            clock.leave()

    return call
