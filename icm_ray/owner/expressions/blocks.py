"""Arrow arrays and scalars as numpy's, and back: a value that is missing is NaN, or is marked beside."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icm_ray.owner.expressions.kinds import without_nan

__all__ = ["as_arrow", "doubles", "integers", "unscaled"]


def doubles(argument: Any) -> NDArray[np.float64]:
    """Numbers (rows,), or () of a scalar; NaN where they are missing."""
    import pyarrow as pa

    if isinstance(argument, pa.Scalar):
        value = argument.as_py()
        return np.array(math.nan if value is None else value, np.float64)
    result: NDArray[np.float64] = argument.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return result


def integers(argument: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(int64 or uint64, whether missing) of integers or booleans, (rows,) each, or () of a scalar."""
    import pyarrow as pa

    if not isinstance(argument, pa.Scalar):
        missing = argument.is_null().to_numpy(zero_copy_only=False)
        whole = argument if pa.types.is_uint64(argument.type) else argument.cast(pa.int64())
        return (whole.fill_null(0) if argument.null_count else whole).to_numpy(), missing
    value = argument.as_py()
    dtype = np.uint64 if pa.types.is_uint64(argument.type) else np.int64
    return np.array(0 if value is None else value, dtype), np.array(value is None)


def as_arrow(result: NDArray[Any], missing: NDArray[np.bool_] | None = None) -> Any:
    """An Arrow array (rows,), or a scalar of (); null where values are missing, or NaN."""
    import pyarrow as pa

    if not result.ndim:
        value = result.item()
        lacks = bool(missing) if missing is not None else isinstance(value, float) and math.isnan(value)
        return pa.scalar(None if lacks else value, pa.from_numpy_dtype(result.dtype))
    if missing is None:
        return without_nan(pa.array(result))
    return pa.array(result, mask=missing if missing.any() else None)


def unscaled(values: Any) -> Any:
    """Decimals in units of their last digit. Raises `OverflowError` where one leaves 64 bits."""
    import pyarrow as pa

    scale = values.type.scale
    if isinstance(values, pa.Scalar):
        return unscaled(pa.array([values.as_py()], values.type))[0]
    if values.type != pa.decimal128(38, scale):
        try:
            values = values.cast(pa.decimal128(38, scale))
        except pa.ArrowInvalid:  # its text holds values
            raise OverflowError from None
    start = 2 * values.offset
    halves = np.frombuffer(values.buffers()[1], np.int64)[start : start + 2 * len(values)]
    low, high = halves[::2], halves[1::2]
    missing = values.is_null().to_numpy(zero_copy_only=False)
    if ((high != low >> 63) & ~missing).any():
        raise OverflowError
    return pa.array(low.copy(), mask=missing if missing.any() else None)
