"""Booleans and what is missing: Kleene's logic, as of pandas' nullable booleans and of SQL."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.errors import ColumnError
from icm_ray.query.expressions.function import Function, Infer, Typed, any_nullable, same
from icm_ray.query.expressions.tree import Scalar

__all__ = ["FUNCTIONS"]


def _logical(symbol: str) -> Infer:
    def infer(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
        for argument in arguments:
            if argument.kind not in {"bool", "null"}:
                raise ColumnError(f"{symbol} takes conditions, not {argument.kind}")
        return Typed("bool", any_nullable(arguments))

    return infer


def _where(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
    condition, *values = arguments
    if condition.kind != "bool":
        raise ColumnError(f"where takes a condition, not {condition.kind}")
    return Typed(same(values, "where"), any_nullable(values))


def _filled(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
    return Typed(same(arguments, "fillna"), any_nullable(arguments[-1:]))


def _never_missing(_arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
    return Typed("bool")


def _filled_in_words(arguments: Sequence[str], _: Sequence[Scalar]) -> str:
    """A comparison that is False where a value is missing (for != True), as pandas has it, is written without that."""
    value, instead = arguments
    return value if value.startswith("(") and instead in {"True", "False"} else f"{value}.fillna({instead})"


FUNCTIONS = (
    Function("and", 2, _logical("&"), lambda arguments, _: f"({' & '.join(arguments)})", more=True),
    Function("or", 2, _logical("|"), lambda arguments, _: f"({' | '.join(arguments)})", more=True),
    Function("not", 1, _logical("~"), lambda arguments, _: f"~{arguments[0]}"),
    Function("where", 3, _where, lambda arguments, _: f"{arguments[1]}.where({arguments[0]}, {arguments[2]})"),
    Function("fill", 2, _filled, _filled_in_words),
    Function("is_null", 1, _never_missing, lambda arguments, _: f"{arguments[0]}.isna()"),
)
