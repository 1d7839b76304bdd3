"""Arithmetic: integers exactly or refused, floats as IEEE has it; what is no number (0 / 0) is missing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from icm_ray.owner.expressions.evaluator import Evaluator
from icm_ray.owner.expressions.kinds import is_float, without_nan
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

        numbers = _numbers(arguments)
        exact = not is_float(numbers[0])
        try:
            result = pc.call_function(f"{function}_checked" if exact else function, numbers)
        except pa.ArrowInvalid:  # an integer that overflows; its text would tell it
            raise OverflowError from None
        return result if exact else _no_nan(result)

    return evaluate


def _no_nan(result: Any) -> Any:
    import pyarrow as pa

    if isinstance(result, pa.Scalar):
        value = result.as_py()
        return pa.scalar(None, result.type) if value is not None and math.isnan(value) else result
    return without_nan(result)


def _divide(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    return _no_nan(pc.divide(*(number.cast(pa.float64(), safe=False) for number in _numbers(arguments))))


EVALUATORS: Mapping[str, Evaluator] = {
    "add": _arithmetic("add"),
    "subtract": _arithmetic("subtract"),
    "multiply": _arithmetic("multiply"),
    "divide": _divide,
    "negate": _arithmetic("negate"),
    "abs": _arithmetic("abs"),
}
