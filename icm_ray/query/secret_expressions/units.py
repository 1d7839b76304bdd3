"""Dates, times, durations and decimals on shares: whole numbers on a grid (`icm_ray.query.grid`), computed with as
integers are. A public summand or factor moves the grid alone, and nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from icm_ray.errors import BoundError, ColumnError
from icm_ray.ops.linear import Scale
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.query.arrow_kinds import unit_kind
from icm_ray.query.expressions.catalogue import FUNCTIONS
from icm_ray.query.expressions.function import Typed
from icm_ray.query.expressions.tree import Scalar
from icm_ray.query.grid import ONES, Grid, common_step, public_value, tick_of
from icm_ray.query.secret_expressions import arithmetic, calendar, comparison, logic, numeric
from icm_ray.query.secret_expressions.operand import Lowering, Operand, Public, RowBuild, Secret, before_sharing

__all__ = ["LOWERINGS", "moved", "of_units"]

_BEYOND: Final = Fraction(1 << 62)
"""More than any shared number."""
_INTEGERS: Final = {
    **arithmetic.LOWERINGS, **comparison.LOWERINGS, **logic.LOWERINGS, **numeric.LOWERINGS,
}  # fmt: skip
_PARTS: Final = {"ceil": "dt.ceil(...)", "round_time": "dt.round(...)", "localize": "dt.tz_localize(...)"}
_LEAST_ROOM: Final = 24
"""Bits of a factor that makes floats of whole numbers: the least that is worth it."""


def of_units(operands: Sequence[Operand]) -> bool:
    """Whether one of them is of a kind that has a unit."""
    return any(unit_kind(operand.kind) is not None for operand in operands)


def _value(operand: Public) -> Fraction | None:
    if isinstance(operand.value, Fraction):
        return operand.value
    return public_value(operand.value, operand.kind)


def _secret(rows: RowBuild, operand: Operand) -> Secret:
    """Shares, also of a public value, which is an origin then."""
    if isinstance(operand, Secret):
        return operand
    value = _value(operand)
    if value is None:
        return rows.secret(Public(None, "null"))
    return Secret(operand.kind, rows.constant(0), blank=0, grid=Grid(value, tick_of(operand.kind)))


def _result(name: str, operands: Sequence[Operand], options: Sequence[Scalar]) -> str:
    """The kind of a function's results."""
    typed = [
        Typed(operand.kind, value=operand.value)
        if isinstance(operand, Public) and not isinstance(operand.value, Fraction)
        else Typed(operand.kind)
        for operand in operands
    ]
    return FUNCTIONS[name].infer(typed, options).kind


def _on(rows: RowBuild, x: Secret, grid: Grid) -> Secret:
    """As integers on another grid, of which its own numbers are some."""
    ratio, shift = x.grid.step / grid.step, (x.grid.origin - grid.origin) / grid.step
    if ratio.denominator > 1 or shift.denominator > 1:
        raise before_sharing("what is no whole number of units")
    value = x.value if ratio == 1 else rows.builder.add(Scale(int(ratio)), x.value)
    blank = None if x.blank is None else x.blank * int(ratio) + int(shift)
    return Secret("null" if x.kind == "null" else "int", rows.plus(value, int(shift)), x.there, blank)


def moved(rows: RowBuild, x: Secret, kind: str, grid: Grid) -> Secret:
    """The same values on another grid, as those of a kind that holds them. Errors: `ColumnError` (it has not all)."""
    return replace(_on(rows, x, grid), kind=kind, grid=grid)


def _from_zero(rows: RowBuild, x: Secret) -> tuple[Secret, Grid]:
    """On a grid whose origin is 0."""
    grid = Grid(step=common_step((x.grid.step, x.grid.origin)))
    return _on(rows, x, grid), grid


def _alike(rows: RowBuild, operands: Sequence[Operand]) -> tuple[list[Operand], Grid]:
    """All as integers on one grid; public values too, but for what is missing."""
    there = [item for item in operands if isinstance(item, Secret) and item.kind != "null"]
    public = [value for item in operands if isinstance(item, Public) and (value := _value(item)) is not None]
    origin = there[0].grid.origin if there else public[0] if public else Fraction(0)
    away = [*(item.grid.origin - origin for item in there), *(value - origin for value in public)]
    step = common_step([*(item.grid.step for item in there), *away])
    grid = Grid(origin, step or Fraction(1))
    found: list[Operand] = []
    for item in operands:
        if isinstance(item, Secret):
            found.append(item if item.kind == "null" else _on(rows, item, grid))
        else:
            value = _value(item)
            found.append(Public(None, "null") if value is None else Public(int((value - origin) / grid.step), "int"))
    return found, grid


def _sum(name: str) -> Lowering:
    """Of times, durations and decimals: their origins are added, or subtracted."""
    sign = -1 if name == "subtract" else 1

    def lower(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
        kind = _result(name, operands, options)
        a, b = operands
        x, y = (_secret(rows, item) for item in operands)
        origin = x.grid.origin + sign * y.grid.origin
        if isinstance(b, Public) and y.kind != "null":
            return replace(x, kind=kind, grid=Grid(origin, x.grid.step))
        if isinstance(a, Public) and x.kind != "null":
            moved = y if sign > 0 else _negated(rows, y)
            return replace(moved, kind=kind, grid=Grid(origin, y.grid.step))
        steps = [item.grid.step for item in (x, y) if item.kind != "null"]
        step = common_step(steps)
        parts = [item if item.kind == "null" else _on(rows, item, Grid(item.grid.origin, step)) for item in (x, y)]
        return _back(_INTEGERS[name](rows, parts, options), kind, Grid(origin, step))

    return lower


def _negated(rows: RowBuild, x: Secret) -> Secret:
    """The numbers alone."""
    found = _INTEGERS["negate"](rows, (replace(x, kind="int", grid=ONES),), ())
    return rows.secret(found)


def _back(found: Operand, kind: str, grid: Grid) -> Operand:
    return replace(found, kind=kind, grid=grid) if isinstance(found, Secret) else found


def _negate(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    x = _secret(rows, operands[0])
    kind = _result("negate", operands, options)
    return _back(_negated(rows, x), kind, Grid(-x.grid.origin, x.grid.step))


def _abs(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    x, grid = _from_zero(rows, _secret(rows, operands[0]))
    return _back(_INTEGERS["abs"](rows, (x,), options), _result("abs", operands, options), grid)


def _multiply(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    kind = _result("multiply", operands, options)
    a, b = operands
    if isinstance(a, Public):
        a, b = b, a
    factor = _value(b) if isinstance(b, Public) else None
    x = _secret(rows, a)
    if factor is None:
        (x, one), (y, other) = _from_zero(rows, x), _from_zero(rows, _secret(rows, b))
        found = _INTEGERS["multiply"](rows, (x, y), options)
        return _back(found, kind, Grid(step=one.step * other.step))
    if not factor:
        return _back(_INTEGERS["multiply"](rows, (replace(x, kind="int"), Public(0, "int")), ()), kind, Grid())
    signed = x if factor > 0 else _negated(rows, x)
    return replace(signed, kind=kind, grid=Grid(x.grid.origin * factor, x.grid.step * abs(factor)))


def _divide(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    """A duration by a public one: a float."""
    a, b = operands
    divisor = _value(b) if isinstance(b, Public) else None
    if _result("divide", operands, options) != "float" or not isinstance(a, Secret) or not divisor:
        raise before_sharing("a quotient whose digits are cut off, or by a column")
    return _real(rows, replace(a, grid=Grid(a.grid.origin / divisor, a.grid.step / abs(divisor))), divisor < 0)


def _real(rows: RowBuild, x: Secret, negative: bool = False) -> Operand:
    """What the numbers stand for as a float."""
    step = Fraction(-1 if negative else 1) * x.grid.step
    if step.denominator & (step.denominator - 1) and FULL_WIDTH - 2 - x.value.type.width < _LEAST_ROOM:
        raise BoundError("floats of so wide bounds would keep few digits: declare narrower ones, bounds={...: ...}")
    plain = replace(x, kind="int", grid=ONES)
    found = arithmetic.times_public(rows, plain, step, "float")
    return arithmetic.plus_public(rows, found, x.grid.origin, "float") if x.grid.origin else found


def _comparison(name: str) -> Lowering:
    def lower(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
        _result(name, operands, options)  # refuses what is not compared
        x = next((item for item in operands if isinstance(item, Secret)), None)
        if x is None or sum(isinstance(item, Secret) for item in operands) > 1:
            return _INTEGERS[name](rows, _alike(rows, [_secret(rows, item) for item in operands])[0], options)
        plain = [_placed(item, x.grid) if isinstance(item, Public) else replace(x, kind="int", grid=ONES)
                 for item in operands]  # fmt: skip
        return _INTEGERS[name](rows, plain, options)

    return lower


def _placed(operand: Public, grid: Grid) -> Public:
    """A public value as a number on a grid, whole or not."""
    value = _value(operand)
    if value is None:
        return Public(None, "null")
    return Public(max(-_BEYOND, min(_BEYOND, (value - grid.origin) / grid.step)), "int")


def _of_one_grid(name: str, conditions: int = 0) -> Lowering:
    """A choice among values. conditions: how many operands come before them."""

    def lower(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
        kind = _result(name, operands, options)
        plain, grid = _alike(rows, operands[conditions:])
        return _back(_INTEGERS[name](rows, (*operands[:conditions], *plain), options), kind, grid)

    return lower


def _ticks(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    """Whole numbers of units; options: from which on, and of how many."""
    x = _secret(rows, operands[0])
    origin, step = (Fraction(int(option or 0)) for option in options or (0, 1))
    tick = tick_of(x.kind)
    return _on(rows, x, Grid(origin * tick, step * tick))


def _total_seconds(rows: RowBuild, operands: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    return _real(rows, _secret(rows, operands[0]))


def _cast(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    x = _secret(rows, operands[0])
    if options[0] != "float":
        raise before_sharing(f"{x.kind} as {options[0]}")
    return _real(rows, x)


def _convert(rows: RowBuild, operands: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    return replace(_secret(rows, operands[0]), kind=_result("convert", operands, options))


def _of_one(made: Callable[[RowBuild, Secret, Sequence[Scalar]], Operand]) -> Lowering:
    return lambda rows, operands, options: made(rows, _secret(rows, operands[0]), options)


def _before(name: str) -> Lowering:
    def refuse(_: RowBuild, __: Sequence[Operand], ___: Sequence[Scalar]) -> Operand:
        raise ColumnError(
            f"it is not computed on shares: derive it before, frame.assign(part=frame[...].{name}).share(), or compare "
            "with public times"
        )

    return refuse


LOWERINGS: Mapping[str, Lowering] = {
    "add": _sum("add"),
    "subtract": _sum("subtract"),
    "negate": _negate,
    "abs": _abs,
    "multiply": _multiply,
    "divide": _divide,
    **{name: _comparison(name) for name in comparison.LOWERINGS},
    "where": _of_one_grid("where", 1),
    "fill": _of_one_grid("fill"),
    "maximum": _of_one_grid("maximum"),
    "minimum": _of_one_grid("minimum"),
    "is_null": logic.LOWERINGS["is_null"],
    "ticks": _ticks,
    "total_seconds": _total_seconds,
    "cast": _cast,
    "convert": _convert,
    "part": _of_one(calendar.part),
    "date": _of_one(calendar.date),
    "days": _of_one(calendar.days),
    "floor": _of_one(calendar.floor),
    **{name: _before(part) for name, part in _PARTS.items()},
}
"""Of operands of which one has a unit: a row for each function that is computed so. All others are refused."""
