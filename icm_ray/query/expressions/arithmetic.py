"""Arithmetic on numbers, as pandas has it: int / int is a float, a missing value makes the result missing. Decimals
are computed with exactly, beside whole numbers too.
"""

from __future__ import annotations

from collections.abc import Sequence

from icm_ray.query.arrow_kinds import Family, common_kind, duration, timestamp, unit_kind
from icm_ray.query.expressions.decimals import computed
from icm_ray.query.expressions.function import Function, Infer, Typed, Words, any_nullable, numbers
from icm_ray.query.expressions.tree import Scalar

__all__ = ["FUNCTIONS"]


def _infix(symbol: str) -> Words:
    return lambda arguments, _: f"({f' {symbol} '.join(arguments)})"


def _prefix(symbol: str) -> Words:
    return lambda arguments, _: f"{symbol}{arguments[0]}"


def _number(what: str) -> Infer:
    def infer(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
        kind = _of_times(what, arguments) or computed(what, arguments) or numbers(arguments, what)
        return Typed(kind, any_nullable(arguments))

    return infer


def _quotient(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
    if kind := computed("/", arguments):
        return Typed(kind, any_nullable(arguments))
    if [_family(argument) for argument in arguments] != [Family.DURATION, Family.DURATION]:
        numbers(arguments, "/")
    return Typed("float", nullable=True)  # 0 / 0


def _family(argument: Typed) -> Family | None:
    unit = unit_kind(argument.kind)
    return None if unit is None or unit.family is Family.DECIMAL else unit.family


def _of_times(what: str, arguments: Sequence[Typed]) -> str:
    """The kind of arithmetic with times and durations; "" where there is none."""
    kinds = [argument.kind for argument in arguments]
    families = [_family(argument) for argument in arguments]
    units = [unit for kind in kinds if (unit := unit_kind(kind)) is not None]
    match what, families:
        case "-" | "abs", [Family.DURATION]:
            return kinds[0]
        case "+" | "-", [Family.DURATION, Family.DURATION]:
            return common_kind(kinds)
        case "-", [Family.NAIVE, Family.NAIVE] | [Family.AWARE, Family.AWARE]:
            found = unit_kind(common_kind(kinds))
            return duration(found.unit) if found else ""
        case ("+" | "-", [Family.NAIVE | Family.AWARE, Family.DURATION]) | (
            "+",
            [Family.DURATION, Family.NAIVE | Family.AWARE],
        ):
            finer = unit_kind(common_kind([duration(unit.unit) for unit in units]))
            zone = units[0].zone or units[1].zone
            return timestamp(finer.unit, zone) if finer else ""
        case "*", [Family.DURATION, None] if kinds[1] in {"int", "bool"}:
            return kinds[0]
        case "*", [None, Family.DURATION] if kinds[0] in {"int", "bool"}:
            return kinds[1]
    return ""


FUNCTIONS = (
    Function("add", 2, _number("+"), _infix("+")),
    Function("subtract", 2, _number("-"), _infix("-")),
    Function("multiply", 2, _number("*"), _infix("*")),
    Function("divide", 2, _quotient, _infix("/")),
    Function("negate", 1, _number("-"), _prefix("-")),
    Function("abs", 1, _number("abs"), lambda arguments, _: f"abs({arguments[0]})"),
)
