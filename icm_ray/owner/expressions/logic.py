"""Kleene's logic, choices, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

from icm_ray.owner.expressions.evaluator import Evaluator
from icm_ray.owner.expressions.kinds import of_one_type
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
    return pc.if_else(pc.fill_null(condition, False), *of_one_type([then, otherwise]))


def _filled(arguments: Sequence[Any], _: Sequence[Scalar]) -> Any:
    import pyarrow.compute as pc

    return pc.coalesce(*of_one_type(arguments))


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
