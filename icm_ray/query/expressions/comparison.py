"""Comparisons, exact between integers and floats of any size: a missing value makes the result missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from icm_ray.query.expressions.function import Function, Infer, Typed, any_nullable, ordered, same
from icm_ray.query.expressions.tree import Scalar

__all__ = ["FUNCTIONS"]


def _compared(symbol: str, common: Callable[[Sequence[Typed], str], str]) -> Infer:
    def infer(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
        common(arguments, symbol)
        return Typed("bool", any_nullable(arguments))

    return infer


def _comparison(name: str, symbol: str, common: Callable[[Sequence[Typed], str], str] = ordered) -> Function:
    return Function(
        name,
        2,
        _compared(symbol, common),
        lambda arguments, _: f"({arguments[0]} {symbol} {arguments[1]})",
    )


def _is_in(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
    same(arguments, "isin")
    return Typed("bool")  # a missing value is in no list, as pandas has it


FUNCTIONS = (
    _comparison("equal", "==", same),
    _comparison("not_equal", "!=", same),
    _comparison("less", "<"),
    _comparison("less_equal", "<="),
    _comparison("greater", ">"),
    _comparison("greater_equal", ">="),
    Function(
        "is_in",
        1,
        _is_in,
        lambda arguments, _: f"{arguments[0]}.isin([{', '.join(arguments[1:])}])",
        more=True,
    ),
)
