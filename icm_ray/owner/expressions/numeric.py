"""Division that rounds down, powers, rounding, the lesser and the greater of two: integers exactly or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from icm_ray.owner.expressions.blocks import as_arrow, doubles, integers
from icm_ray.owner.expressions.evaluator import Evaluator
from icm_ray.owner.expressions.kinds import is_float, of_one_type
from icm_ray.query.expressions.tree import Scalar

__all__ = ["EVALUATORS"]

_EXACT = 1 << 53  # integers to there are doubles
_LEAST = np.iinfo(np.int64).min
_LARGEST = np.iinfo(np.int64).max


def _alike(arguments: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Integers in one type that holds them all, and where they are missing. Raises `OverflowError` for none."""
    found = [integers(argument) for argument in arguments]
    values, missing = [values for values, _ in found], [lacks for _, lacks in found]
    if any(array.dtype == np.uint64 for array in values):
        if all(array.dtype == np.uint64 or not array.size or array.min() >= 0 for array in values):
            return [array.astype(np.uint64) for array in values], missing
        if any(array.dtype == np.uint64 and array.size and array.max() > _LARGEST for array in values):
            raise OverflowError
    return [array.astype(np.int64) for array in values], missing


def _floor_divide(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow as pa

    if any(map(is_float, arguments)):
        with np.errstate(all="ignore"):
            return as_arrow(np.asarray(np.floor_divide(*map(doubles, arguments))))
    (values, by), missing = _alike(arguments)
    if (by == -1).any() and values.dtype == np.int64 and ((values == _LEAST) & (by == -1)).any():
        raise OverflowError
    lacks = missing[0] | missing[1]
    with np.errstate(all="ignore"):
        whole = np.floor_divide(values, np.where(by == 0, 1, by).astype(by.dtype))
        if isinstance(arguments[1], pa.Scalar) and by != 0:
            return as_arrow(np.asarray(whole), np.broadcast_to(lacks, whole.shape))
        inexact = (whole > _EXACT) | (whole < -_EXACT if whole.dtype == np.int64 else False)
        if (inexact & (by != 0) & ~lacks).any():
            raise OverflowError  # floats, for the sake of a division by zero, would round it
        quotients = np.where(by == 0, values / np.where(by == 0, 0.0, 1.0), whole.astype(np.float64))
    return as_arrow(np.asarray(np.where(lacks, np.nan, quotients)))


def _modulo(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    with np.errstate(all="ignore"):
        if any(map(is_float, arguments)):
            return as_arrow(np.asarray(np.remainder(*map(doubles, arguments))))
        (values, by), missing = _alike(arguments)
        rest = np.asarray(np.remainder(values, np.where(by == 0, 1, by).astype(by.dtype)))
        return as_arrow(rest, np.broadcast_to(missing[0] | missing[1] | (by == 0), rest.shape))


def _power(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    (values,), (given,) = arguments, options
    exponent: Any = given
    if is_float(values) or isinstance(exponent, float):
        with np.errstate(all="ignore"):
            return as_arrow(np.asarray(np.power(doubles(values), exponent)))
    whole = values if pa.types.is_uint64(values.type) else values.cast(pa.int64())
    try:
        return pc.power_checked(whole, pa.scalar(exponent, whole.type))
    except pa.ArrowInvalid:
        raise OverflowError from None


def _round(arguments: Sequence[Any], options: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    (values,), decimals = arguments, int(options[0] or 0)
    if pa.types.is_decimal(values.type):
        return pc.round(values, ndigits=decimals, round_mode="half_to_even")
    if is_float(values):
        with np.errstate(all="ignore"):
            return as_arrow(np.asarray(np.round(doubles(values), decimals)))
    whole, missing = integers(values)
    if decimals >= 0:
        return as_arrow(whole, missing)
    unit = 10**-decimals
    if unit > 2 * (1 << 64):
        return as_arrow(np.zeros_like(whole), missing)
    return as_arrow(_to_tens(whole, unit), missing)


def _to_tens(whole: Any, unit: int) -> Any:
    """Multiples of a power of ten, half to even, exactly. Raises `OverflowError` where one leaves 64 bits."""
    limits = np.iinfo(whole.dtype)
    if unit > limits.max:
        nearest = [round(value / unit) * unit if 2 * abs(value) != unit else 0 for value in whole.reshape(-1).tolist()]
        if any(not limits.min <= value <= limits.max for value in nearest):
            raise OverflowError
        return np.array(nearest, whole.dtype).reshape(whole.shape)
    ten = whole.dtype.type(unit)
    below, rest = np.divmod(whole, ten)
    twice = rest > ten - rest  # rest * 2 may leave 64 bits
    up = twice | ((rest == ten - rest) & (below % 2 == 1))
    if (up & (below >= limits.max // unit)).any() or (~up & (below < -(-int(limits.min) // unit))).any():
        raise OverflowError
    return np.asarray((below + up.astype(whole.dtype)) * ten)


def _one_of_two(function: str) -> Evaluator:
    def evaluate(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
        import pyarrow.compute as pc

        return pc.call_function(
            function, list(of_one_type(arguments)), pc.ElementWiseAggregateOptions(skip_nulls=False)
        )

    return evaluate


EVALUATORS: Mapping[str, Evaluator] = {
    "floor_divide": _floor_divide,
    "modulo": _modulo,
    "power": _power,
    "round": _round,
    "minimum": _one_of_two("min_element_wise"),
    "maximum": _one_of_two("max_element_wise"),
}
