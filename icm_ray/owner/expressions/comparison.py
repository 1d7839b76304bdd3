"""Comparisons, exact between integers and floats: neither is rounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from icm_ray.owner.expressions.evaluator import Evaluator
from icm_ray.owner.expressions.kinds import is_float, of_one_type
from icm_ray.query.expressions.tree import Scalar

__all__ = ["EVALUATORS"]


def _compared(function: str) -> Evaluator:
    def evaluate(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
        import pyarrow.compute as pc

        return pc.call_function(function, _alike(arguments))

    return evaluate


def _alike(arguments: Sequence[Any]) -> Sequence[Any]:
    """Two values of one type that compares as the numbers do."""
    import pyarrow as pa

    one, other = arguments
    if one.type == other.type or pa.types.is_null(one.type) or pa.types.is_null(other.type):
        return arguments
    kinds = [_whole(argument) for argument in arguments]
    if all(kinds):
        return [argument.cast(_common_integer(arguments)) for argument in arguments]
    if any(kinds) and (is_float(one) or is_float(other)):
        return [
            _as_exact_double(argument) if whole else argument for argument, whole in zip(arguments, kinds, strict=True)
        ]
    if any(argument.type != one.type for argument in arguments):
        return of_one_type(arguments)
    return arguments


def _whole(argument: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(argument.type) or pa.types.is_boolean(argument.type))


def _common_integer(arguments: Sequence[Any]) -> Any:
    """int64 where both fit; decimals hold both where one is uint64."""
    import pyarrow as pa

    unsigned = any(argument.type == pa.uint64() for argument in arguments)
    return pa.decimal128(38, 0) if unsigned else pa.int64()


def _as_exact_double(argument: Any) -> Any:
    """Raises `ValueError` where an integer is no double: its comparison with a float would be rounded."""
    import pyarrow as pa

    whole = argument.cast(pa.int64()) if pa.types.is_boolean(argument.type) else argument
    return whole.cast(pa.float64(), safe=True)


def _is_in(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    values, *listed = arguments
    if not listed:
        return pc.and_(pc.is_valid(values), False)
    if len({item.type for item in listed}) == 1 and listed[0].type == values.type:
        values = pc.add(values, 0.0) if is_float(values) else values  # one zero
        return pc.fill_null(
            pc.is_in(values, value_set=pa.array([item.as_py() for item in listed if item.is_valid], values.type)), False
        )
    found = [pc.fill_null(pc.equal(*_alike([values, item])), False) for item in listed if item.is_valid]
    result = found[0] if found else pc.and_(pc.is_valid(values), False)
    for other in found[1:]:
        result = pc.or_(result, other)
    return result


EVALUATORS: Mapping[str, Evaluator] = {
    "equal": _compared("equal"),
    "not_equal": _compared("not_equal"),
    "less": _compared("less"),
    "less_equal": _compared("less_equal"),
    "greater": _compared("greater"),
    "greater_equal": _compared("greater_equal"),
    "is_in": _is_in,
}
