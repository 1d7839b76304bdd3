"""Arithmetic on numbers, as pandas has it: int / int is a float, a missing value makes the result missing."""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.query.expressions.function import Function, Infer, Typed, Words, any_nullable, numbers
from icm_ray.query.expressions.tree import Scalar

__all__ = ["FUNCTIONS"]


def _infix(symbol: str) -> Words:
    return lambda arguments, _: f"({f' {symbol} '.join(arguments)})"


def _prefix(symbol: str) -> Words:
    return lambda arguments, _: f"{symbol}{arguments[0]}"


def _number(what: str) -> Infer:
    return lambda arguments, _: Typed(numbers(arguments, what), any_nullable(arguments))


def _quotient(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
    numbers(arguments, "/")
    return Typed("float", nullable=True)  # 0 / 0


FUNCTIONS = (
    Function("add", 2, _number("+"), _infix("+")),
    Function("subtract", 2, _number("-"), _infix("-")),
    Function("multiply", 2, _number("*"), _infix("*")),
    Function("divide", 2, _quotient, _infix("/")),
    Function("negate", 1, _number("-"), _prefix("-")),
    Function("abs", 1, _number("abs"), lambda arguments, _: f"abs({arguments[0]})"),
)
