"""Arrow arrays of a column as numpy's numbers, exactly; what is no number is refused without telling where it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.errors import ColumnError, NullError

__all__ = ["lacking", "missing", "plain_numbers"]

_EXACT = 2.0**53  # integers below are doubles


def missing(block: Any) -> bool:
    """Whether an Arrow array has null or NaN values."""
    if block.null_count or str(block.type) not in {"halffloat", "float", "double"}:
        return bool(block.null_count)
    return bool(np.isnan(block.to_numpy(zero_copy_only=False)).any())


def lacking(column: str, what: str) -> NullError:
    """The error for a column with `what` values."""
    way_out = "fill them or drop the rows first, or leave the column out: columns=[...]"
    reason = f"column {column!r} has {what} values; {way_out}"
    return NullError(reason, column=column)


def plain_numbers(block: Any, column: str, kind: str) -> NDArray[np.generic]:
    """An Arrow array of numbers as bool, int64, uint64 or float64. kind: of the column, which a block of it fits."""
    if block.null_count:
        raise lacking(column, "null")
    numbers: NDArray[np.generic] = block.to_numpy(zero_copy_only=False)
    if numbers.dtype == object and not numbers.size:  # of Arrow's type without values
        return np.zeros(0, np.float64 if kind == "float" else np.int64)
    if kind == "float" and numbers.dtype.kind in "iu":
        return _as_doubles(numbers, column)
    if numbers.dtype.kind == "f":
        numbers = numbers.astype(np.float64, copy=False)
        if not np.isfinite(numbers).all():
            raise lacking(column, "NaN or infinite")
        return numbers
    if numbers.dtype.kind in "iu":
        return numbers.astype(np.uint64 if numbers.dtype.kind == "u" else np.int64, copy=False)
    return numbers


def _as_doubles(whole: NDArray[np.generic], column: str) -> NDArray[np.float64]:
    """Integers of a column that has floats elsewhere. Errors: `ColumnError` where one is no double."""
    doubles = whole.astype(np.float64)
    large = np.abs(doubles) >= _EXACT
    if large.any() and (whole[large].astype(object) != doubles[large].astype(object)).any():  # Python compares exactly
        raise ColumnError(
            f"column {column!r} is int here and float elsewhere, and integers beyond 2^53 would be rounded; "
            "make it the same kind everywhere, or leave it out: columns=[...]",
            column=column,
        )
    return doubles
