"""Arithmetic on shares. Sums and multiples are each party's own; a product takes one opening."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from icm_ray.errors import BoundError
from icm_ray.ops.forms import Elementwise
from icm_ray.ops.linear import AssumeWidth, Scale, Subtract
from icm_ray.ops.products import Epilogue, Product, Relu, Truncate
from icm_ray.ops.values import FULL_WIDTH
from icm_ray.program.build import Value
from icm_ray.query.expressions.tree import Scalar
from icm_ray.query.secret_expressions.operand import Lowering, Operand, Public, RowBuild, Secret, before_sharing

__all__ = ["LOWERINGS", "number", "plus_public", "times_public"]

_EXACT_BITS = 20  # fractional bits of a public factor or summand that is taken as it is
_SUMMAND_F = 24  # of one that is rounded
_ROOM = 62
_KEPT = 44  # bits that a rounded multiple has
_LEAST = 8  # bits of a factor, fractional bits of a value whose product would not fit else
_MOST_POWER = 16
_LEAST_F = 16  # of a product, where it is rounded


def number(operand: Public, what: str) -> Fraction | None:
    """A public number, None where it is missing. Errors: `ColumnError` for an infinite one."""
    value = operand.value
    if value is None:
        return None
    if isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value)):
        raise before_sharing(f"{what} with {value!r}")
    return Fraction(value)


def _kind(a: Operand, b: Operand) -> str:
    return "float" if "float" in {a.kind, b.kind} else "int"


def _joined(rows: RowBuild, a: Secret, b: Secret, value: Value, blank: int | None) -> Secret:
    return Secret(_kind(a, b), value, rows.both(a.there, b.there), blank)


def _together(a: Secret, b: Secret) -> bool:
    """Whether both are missing in the same rows."""
    return a.there is not None and b.there is not None and a.there.node == b.there.node


def plus_public(rows: RowBuild, a: Secret, summand: Fraction, kind: str) -> Secret:
    """A public number more: exact where it has few bits, else rounded, and its error stated."""
    f = a.value.type.f
    exact = next((bits for bits in range(f, _EXACT_BITS + f) if (summand * 2**bits).denominator == 1), None)
    value = rows.scaled(a.value, max(f, _SUMMAND_F) if exact is None else exact)
    f = value.type.f
    step = round(summand * 2**f)
    moved = rows.plus(value, step)
    if exact is None:
        moved = rows.builder.add(AssumeWidth(moved.type.width, moved.type.error + 2.0 ** -(f + 1)), moved)
    blank = None if a.blank is None else (a.blank << (f - a.value.type.f)) + step
    return Secret(kind, moved, a.there, blank)


def _add(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    a, b = arguments
    if isinstance(a, Public) and isinstance(b, Secret):
        a, b = b, a
    if isinstance(a, Secret) and isinstance(b, Public):
        summand = number(b, "+")
        if summand is not None:
            return plus_public(rows, a, summand, _kind(a, b))
    x, y = rows.secret(a), rows.secret(b)
    blank = None
    if _together(x, y) and x.blank is not None and y.blank is not None:
        f = max(x.value.type.f, y.value.type.f)
        blank = (x.blank << (f - x.value.type.f)) + (y.blank << (f - y.value.type.f))
    return _joined(rows, x, y, rows.sum(x.value, y.value), blank)


def _negate(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    x = rows.secret(arguments[0])
    value = rows.builder.add(Scale(-1), x.value)
    return Secret(_kind(x, x), value, x.there, None if x.blank is None else -x.blank)


def _subtract(rows: RowBuild, arguments: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    a, b = arguments
    if isinstance(b, Public):
        least = number(b, "-")
        return _add(rows, (a, b if least is None else Public(_scalar(-least), b.kind)), options)
    return _add(rows, (a, _negate(rows, (b,), ())), options)


def _scalar(value: Fraction) -> int | float:
    return value.numerator if value.denominator == 1 else value.numerator / value.denominator


def times_public(rows: RowBuild, x: Secret, factor: Fraction, kind: str) -> Secret:
    """A public multiple: exact where the factor has few bits, else rounded, and its error stated."""
    value = x.value
    bits = next((bits for bits in range(_EXACT_BITS) if (factor * 2**bits).denominator == 1), None)
    if bits is not None and value.type.width + abs(int(factor * 2**bits)).bit_length() <= _ROOM:
        whole = int(factor * 2**bits)
        scaled = rows.builder.add(Scale(whole, bits), value)
        return Secret(kind, scaled, x.there, None if x.blank is None else x.blank * whole)
    digits = min(_ROOM - value.type.width, _KEPT)
    if digits < _LEAST:
        raise BoundError(f"a multiple of values of {value.type.width} bits does not fit; declare a smaller bound")
    extra = digits - math.ceil(math.log2(abs(factor)))
    whole = round(factor * Fraction(2) ** extra)
    scaled = rows.builder.add(Scale(whole, extra), value)
    off = 2.0 ** -(extra + 1) * (value.type.magnitude + value.type.error)
    scaled = rows.builder.add(AssumeWidth(scaled.type.width, scaled.type.error + off), scaled)
    shift = scaled.type.width - _KEPT
    if shift > 0:
        scaled = rows.builder.add(Truncate(Epilogue(shift=shift, width=scaled.type.width + 1)), scaled)
    return Secret(kind, scaled, x.there, 0 if x.blank == 0 else None)


def _multiply(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    a, b = arguments
    if isinstance(a, Public) and isinstance(b, Secret):
        a, b = b, a
    if isinstance(a, Secret) and isinstance(b, Public):
        factor = number(b, "*")
        if factor is not None:
            return times_public(rows, a, factor, _kind(a, b))
    x, y = rows.secret(a), rows.secret(b)
    stays = all(item.blank == 0 for item in (x, y) if item.there is not None)
    return _joined(rows, x, y, _product(rows, x, y), 0 if stays else None)


def _product(rows: RowBuild, x: Secret, y: Secret) -> Value:
    if "bool" in {x.kind, y.kind}:
        return rows.times(x.value, y.value) if x.kind == "bool" else rows.times(y.value, x.value)
    first, second = _fitting(rows, x.value, y.value)
    raw = first.type.f + second.type.f, first.type.width + second.type.width - 1
    shift = min(raw[0] - _LEAST_F, raw[1] - _KEPT)
    epilogue = Epilogue(shift=shift, width=raw[1] + 1) if shift > 0 and raw[1] < FULL_WIDTH else None
    return rows.builder.add(Product(Elementwise(), epilogue), first, second)


def _fitting(rows: RowBuild, x: Value, y: Value) -> tuple[Value, Value]:
    """Factors with as many fractional bits fewer as make room for their product, where they have them."""
    cuts = [0, 0]
    types = x.type, y.type
    while sum(kind.width - cut + (cut > 0) for kind, cut in zip(types, cuts, strict=True)) > _ROOM + 1:
        left = [kind.f - cut for kind, cut in zip(types, cuts, strict=True)]
        place = left.index(max(left))
        if left[place] <= _LEAST:
            return x, y  # it does not fit
        cuts[place] += 1
    fitting = [
        rows.builder.add(Truncate(Epilogue(shift=cut, width=value.type.width + 1)), value) if cut else value
        for value, cut in zip((x, y), cuts, strict=True)
    ]
    return fitting[0], fitting[1]


def _power(rows: RowBuild, arguments: Sequence[Operand], options: Sequence[Scalar]) -> Operand:
    """Of a whole exponent from 1 on: products of halves."""
    exponent = options[0]
    if not isinstance(exponent, int | float) or exponent not in range(1, _MOST_POWER + 1):
        raise before_sharing(f"** {exponent!r}")
    x = rows.secret(arguments[0])
    if x.domain:
        raise before_sharing("a power of text")
    if exponent == 1:
        return Secret(_kind(x, x), x.value, x.there, x.blank)
    half = _power(rows, (x,), (int(exponent) // 2,))
    whole = _multiply(rows, (half, half), ())
    return _multiply(rows, (whole, x), ()) if exponent % 2 else whole


def _divide(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    a, b = arguments
    if isinstance(b, Secret):
        raise before_sharing("division by a column")
    divisor = number(b, "/")
    x = rows.secret(a)
    if divisor is None:
        return Secret("float", x.value, rows.both(x.there, rows.secret(b).there), None)
    if not divisor:
        raise before_sharing("division by 0")
    return times_public(rows, x, 1 / divisor, "float")


def _abs(rows: RowBuild, arguments: Sequence[Operand], _: Sequence[Scalar]) -> Operand:
    x = rows.secret(arguments[0])
    if x.kind == "bool":
        return Secret("int", x.value, x.there, x.blank)
    width, error = x.value.type.width, x.value.type.error
    above = rows.builder.add(Relu(Epilogue(relu=True, width=max(width, 2))), x.value)
    size = rows.builder.add(Subtract(), rows.builder.add(Scale(2), above), x.value)
    size = rows.builder.add(AssumeWidth(width, error), size)
    return Secret(_kind(x, x), size, x.there, None if x.blank is None else abs(x.blank))


LOWERINGS: Mapping[str, Lowering] = {
    "add": _add,
    "subtract": _subtract,
    "multiply": _multiply,
    "divide": _divide,
    "power": _power,
    "negate": _negate,
    "abs": _abs,
}
