"""Digits of decimals that are computed with, by Arrow's rules: results are exact, but for quotients, which are cut off.

    x + y, x - y:  scale max(s, t), digits max(p - s, q - t) + 1 + scale
    x * y:         scale s + t,     digits p + q + 1
    x / y:         scale max(4, s + q - t + 1), digits p - s + t + scale
for x of p digits, s of them behind the point, and y of q and t.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from icm_ray.errors import ColumnError
from icm_ray.query.arrow_kinds import Family, decimal, most_digits, unit_kind
from icm_ray.query.expressions.function import Typed

__all__ = ["DIGITS_OF_BOOLEANS", "DIGITS_OF_INTEGERS", "computed"]

DIGITS_OF_INTEGERS: Final = 19
"""Of columns of integers, and of any divisor or dividend, as Arrow has it."""
DIGITS_OF_BOOLEANS: Final = 3
_OTHERS: Final = {"int": DIGITS_OF_INTEGERS, "bool": DIGITS_OF_BOOLEANS, "null": 1}


def computed(what: str, arguments: Sequence[Typed]) -> str:
    """The kind of "+", "-", "*" or "/" of decimals, beside whole numbers too, or of one of them alone; "" where there
    are none, or floats beside.

    Errors: `ColumnError` where it would have more digits than there are.
    """
    units = [unit_kind(argument.kind) for argument in arguments]
    if not any(unit is not None and unit.family is Family.DECIMAL for unit in units):
        return ""
    found = [_digits(argument, exactly=what != "/") for argument in arguments]
    if any(one is None for one in found):
        return ""
    if len(found) == 1:
        return arguments[0].kind
    (p, s), (q, t) = (one for one in found if one is not None)
    if what == "*":
        digits, scale = p + q + 1, s + t
    elif what == "/":
        scale = max(4, s + q - t + 1)
        digits = p - s + t + scale
    else:
        scale = max(s, t)
        digits = max(p - s, q - t) + 1 + scale
    if digits > (most := most_digits(max(p, q))):
        reason = f"{what} of decimals of {p} and {q} digits has {digits}, and {most} are the most"
        raise ColumnError(f"{reason}: make floats of them, astype('float')")
    return decimal(digits, scale)


def _digits(argument: Typed, *, exactly: bool) -> tuple[int, int] | None:
    """All of them, and those behind the point; None of what is no decimal beside decimals. exactly: public integers
    have as many as they are written with.
    """
    unit = unit_kind(argument.kind)
    if unit is not None and unit.family is Family.DECIMAL:
        return unit.digits, unit.scale
    if argument.kind == "int" and isinstance(argument.value, int) and exactly:
        return len(str(abs(argument.value))), 0
    return (_OTHERS[argument.kind], 0) if argument.kind in _OTHERS else None
