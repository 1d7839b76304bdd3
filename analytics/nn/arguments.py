"""Numbers that callers declare: of Python, numpy or torch, and nothing that only looks like one."""

from __future__ import annotations

import math
import operator
from numbers import Real
from typing import Any

import numpy as np
import torch

from icm_ray.errors import BoundError, InputError

__all__ = ["logarithm", "positive", "whole"]


def positive(value: Any, name: str) -> float:
    """A finite number above zero; `BoundError` for anything else, True among it."""
    number = _real(value)
    if number is None or not math.isfinite(number) or number <= 0:
        raise BoundError(f"{name} is a positive number, not {value!r}")
    return number


def logarithm(bound: Any, name: str) -> int:
    """The smallest k with bound <= 2^k; `BoundError` for what is no finite number above zero."""
    mantissa, exponent = math.frexp(positive(bound, name))
    return exponent - 1 if mantissa == 0.5 else exponent


def whole(value: Any, name: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`; `InputError` for anything else, 16.0 and True among it."""
    try:
        number = None if isinstance(value, bool | np.bool_) or _is_truth(value) else operator.index(value)
    except (TypeError, RuntimeError, ValueError):  # torch raises either
        number = None
    if number is None or not low <= number <= high:
        raise InputError(f"{name} is a whole number from {low} to {high}, not {value!r}")
    return number


def _is_truth(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype is torch.bool


def _real(value: Any) -> float | None:
    """The float that a number is, a 0-d array or tensor among them; None where it is none."""
    if isinstance(value, torch.Tensor):
        if value.ndim or value.is_meta or value.is_complex() or value.dtype is torch.bool:
            return None
        value = value.item()
    elif isinstance(value, np.ndarray):
        if value.ndim or isinstance(value, np.ma.MaskedArray) or value.dtype.kind not in "iuf":
            return None
        value = value.item()
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return None
