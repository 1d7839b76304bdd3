"""Arithmetic: integers exactly or refused, floats as IEEE has it; what is no number (0 / 0) is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from icm_ray.owner.expressions.evaluator import Evaluator, Unfit
from icm_ray.owner.expressions.kinds import is_float, without_nan
from icm_ray.query.expressions.decimals import DIGITS_OF_BOOLEANS, DIGITS_OF_INTEGERS
from icm_ray.query.expressions.tree import Scalar

__all__ = ["EVALUATORS"]


def _numbers(arguments: Sequence[Any]) -> list[Any]:
    """Booleans as 0 and 1; all as floats where one is."""
    import pyarrow as pa

    floats = any(is_float(argument) for argument in arguments)
    numbers = []
    for argument in arguments:
        if floats and not is_float(argument):
            numbers.append(argument.cast(pa.float64(), safe=False))
        else:
            whole = pa.types.is_boolean(argument.type) or pa.types.is_null(argument.type)
            numbers.append(argument.cast(pa.int64()) if whole else argument)
    return numbers


def _arithmetic(function: str) -> Evaluator:
    def evaluate(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
        import pyarrow as pa
        import pyarrow.compute as pc

        if any(pa.types.is_temporal(argument.type) for argument in arguments):
            return _of_times(function, arguments)
        if any(pa.types.is_decimal(argument.type) for argument in arguments):
            return pc.call_function(function, [_decimal(argument, exactly=True) for argument in arguments])
        numbers = _numbers(arguments)
        exact = not is_float(numbers[0])
        try:
            result = pc.call_function(f"{function}_checked" if exact else function, numbers)
        except pa.ArrowInvalid:  # an integer that overflows; its text would tell it
            raise OverflowError from None
        return result if exact else _no_nan(result)

    return evaluate


def _decimal(argument: Any, *, exactly: bool) -> Any:
    """As many digits as `query.expressions.decimals` says."""
    import pyarrow as pa

    kind = argument.type
    if pa.types.is_decimal(kind):
        return argument
    if isinstance(argument, pa.Scalar) and pa.types.is_integer(kind) and argument.is_valid:
        value = argument.as_py()
        digits = len(str(abs(value))) if exactly else DIGITS_OF_INTEGERS
        return pa.scalar(Decimal(value), pa.decimal128(digits, 0))
    if pa.types.is_uint64(kind):
        return argument.cast(pa.decimal128(20, 0)).cast(pa.decimal128(DIGITS_OF_INTEGERS, 0))
    if pa.types.is_boolean(kind):
        return argument.cast(pa.int8()).cast(pa.decimal128(DIGITS_OF_BOOLEANS, 0))
    return argument.cast(pa.decimal128(1 if pa.types.is_null(kind) else DIGITS_OF_INTEGERS, 0))


def _of_times(function: str, arguments: Sequence[Any]) -> Any:
    """Exact: in the finest unit of the arguments. Raises `OverflowError` where a result leaves 64 bits."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if len(arguments) == 1:
        ticks = pc.call_function(f"{function}_checked", [arguments[0].cast(pa.int64())])
        return ticks.cast(arguments[0].type)
    alike = [
        argument.cast(pa.timestamp("s")) if pa.types.is_date(argument.type) else argument for argument in arguments
    ]
    units = [argument.type.unit for argument in alike if pa.types.is_temporal(argument.type)]
    unit = max(units, key=("s", "ms", "us", "ns").index)
    try:
        alike = [_in_unit(argument, unit) for argument in alike]
        ticks = pc.call_function(f"{function}_checked", [argument.cast(pa.int64()) for argument in alike])
    except pa.ArrowInvalid:
        raise OverflowError from None
    times = [argument.type for argument in alike if pa.types.is_timestamp(argument.type)]
    return ticks.cast(times[0] if len(times) == 1 else pa.duration(unit))


def _in_unit(argument: Any, unit: str) -> Any:
    import pyarrow as pa

    if pa.types.is_timestamp(argument.type):
        return argument.cast(pa.timestamp(unit, argument.type.tz))
    return argument.cast(pa.duration(unit) if pa.types.is_duration(argument.type) else pa.int64())


def _no_nan(result: Any) -> Any:
    import pyarrow as pa

    if isinstance(result, pa.Scalar):
        value = result.as_py()
        return pa.scalar(None, result.type) if value is not None and math.isnan(value) else result
    return without_nan(result)


def _divide(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if any(pa.types.is_decimal(argument.type) for argument in arguments):
        try:
            return pc.divide(*(_decimal(argument, exactly=False) for argument in arguments))
        except pa.ArrowInvalid:  # its text may hold values
            raise Unfit("decimals are not divided by zero: make floats of them, astype('float')") from None
    if all(pa.types.is_duration(argument.type) for argument in arguments):
        unit = max((argument.type.unit for argument in arguments), key=("s", "ms", "us", "ns").index)
        arguments = [_in_unit(argument, unit).cast(pa.int64()) for argument in arguments]
    return _no_nan(pc.divide(*(number.cast(pa.float64(), safe=False) for number in _numbers(arguments))))


EVALUATORS: Mapping[str, Evaluator] = {
    "add": _arithmetic("add"),
    "subtract": _arithmetic("subtract"),
    "multiply": _arithmetic("multiply"),
    "divide": _divide,
    "negate": _arithmetic("negate"),
    "abs": _arithmetic("abs"),
}
