"""Division that rounds down, powers, rounding, the lesser and the greater of two: as numpy and pandas have them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from icm_ray.errors import ColumnError
from icm_ray.query.expressions.decimals import computed
from icm_ray.query.expressions.function import Function, Infer, Typed, any_nullable, numbers, ordered
from icm_ray.query.expressions.tree import Scalar

__all__ = ["FUNCTIONS"]

_MOST_DECIMALS = 300


def _floor_quotient(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
    """An int of integers by a public divisor that is not 0; else a float: x // 0 is infinite, 0 // 0 is missing."""
    kind = numbers(arguments, "//")
    if kind == "int" and arguments[1].value:
        return Typed("int", any_nullable(arguments))
    return Typed("float", nullable=True)


def _remainder(arguments: Sequence[Typed], _: Sequence[Scalar]) -> Typed:
    """x % 0 is missing."""
    kind = numbers(arguments, "%")
    return Typed(kind, nullable=any_nullable(arguments) or kind == "float" or not arguments[1].value)


def _power(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    kind = numbers(arguments, "**")
    exponent = options[0] if len(options) == 1 else None
    if isinstance(exponent, bool) or not isinstance(exponent, int | float) or not math.isfinite(exponent):
        raise ColumnError("** takes one public, finite exponent")
    if isinstance(exponent, float) or kind == "float":
        return Typed("float", nullable=True)
    if exponent < 0:
        raise ColumnError("whole numbers have no negative powers: make floats of them, astype('float')")
    return Typed("int", any_nullable(arguments))


def _rounded(arguments: Sequence[Typed], options: Sequence[Scalar]) -> Typed:
    decimals = options[0] if len(options) == 1 else None
    if isinstance(decimals, bool) or not isinstance(decimals, int) or abs(decimals) > _MOST_DECIMALS:
        raise ColumnError(f"round takes a whole number of decimals, to {_MOST_DECIMALS}")
    return Typed(computed("round", arguments) or numbers(arguments, "round"), any_nullable(arguments))


def _one_of_two(what: str) -> Infer:
    return lambda arguments, _: Typed(ordered(arguments, what), any_nullable(arguments))


def _limited(name: str) -> Function:
    """Of a value and a limit, a user says that it is clipped."""
    limit = "lower" if name == "maximum" else "upper"
    return Function(name, 2, _one_of_two("clip"), lambda arguments, _: f"{arguments[0]}.clip({limit}={arguments[1]})")


FUNCTIONS = (
    Function("floor_divide", 2, _floor_quotient, lambda arguments, _: f"({' // '.join(arguments)})"),
    Function("modulo", 2, _remainder, lambda arguments, _: f"({' % '.join(arguments)})"),
    Function("power", 1, _power, lambda arguments, options: f"({arguments[0]} ** {options[0]})"),
    Function("round", 1, _rounded, lambda arguments, options: f"{arguments[0]}.round({options[0]})"),
    _limited("minimum"),
    _limited("maximum"),
)
