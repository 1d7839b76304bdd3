"""Kleene's logic, choices, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from icm_ray.owner.expressions.evaluator import Evaluator
from icm_ray.query.expressions.tree import Scalar

__all__ = ["EVALUATORS"]


def _joined(function: str) -> Evaluator:
    def evaluate(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
        import pyarrow.compute as pc

        return reduce(lambda one, other: pc.call_function(function, [one, other]), map(_condition, arguments))

    return evaluate


def _condition(argument: Any) -> Any:
    import pyarrow as pa

    return argument.cast(pa.bool_()) if pa.types.is_null(argument.type) else argument


def _not(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow.compute as pc

    return pc.invert(_condition(arguments[0]))


def _where(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow.compute as pc

    condition, then, otherwise = arguments
    return pc.if_else(pc.fill_null(condition, False), *_of_one_type([then, otherwise]))


def _filled(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow.compute as pc

    return pc.coalesce(*_of_one_type(arguments))


def _of_one_type(arguments: Sequence[Any]) -> Sequence[Any]:
    """Numbers as floats where one is, booleans beside integers as integers."""
    import pyarrow as pa

    types = {argument.type for argument in arguments if not pa.types.is_null(argument.type)}
    if len(types) <= 1:
        return arguments
    target = pa.float64() if any(pa.types.is_floating(kind) for kind in types) else pa.int64()
    return [argument.cast(target) for argument in arguments]


def _is_null(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow.compute as pc

    return pc.is_null(arguments[0], nan_is_null=True)


EVALUATORS: Mapping[str, Evaluator] = {
    "and": _joined("and_kleene"),
    "or": _joined("or_kleene"),
    "not": _not,
    "where": _where,
    "fill": _filled,
    "is_null": _is_null,
}
